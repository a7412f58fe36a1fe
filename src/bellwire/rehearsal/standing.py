"""How a receiver stands at a moment: whether its route lets an alert through then, and if not, what becomes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.routing.crontab import parse_crontab

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.model import Destination
    from bellwire.routing.rules import Rules


class Passage(enum.StrEnum):
    """What a route does with an alert at a moment."""

    NOW = "now"
    HELD = "held"  # until its window opens
    MUTED = "muted"  # dropped, for it is outside of its window
    COLLECTED = "collected"  # for a digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Whether an alert gets through to a receiver, until when it waits (None: not within years), and by which interval."""

    passage: Passage
    until: datetime | None = None
    why: str = ""


def standing(rules: Rules, destination: Destination, at: datetime) -> Standing:
    """Return how ``destination`` stands at ``at``."""
    muting, calendar = destination.muting, rules.calendar
    passage = passage_of(rules, destination, at)
    if passage is Passage.COLLECTED:
        until = parse_crontab(destination.digest).next_after(at, rules.zone)
        return Standing(passage=passage, until=until, why=f"digest {destination.digest}")
    if passage is Passage.NOW:
        return Standing(passage=passage)
    until_open = calendar.opens_at(muting, at) if passage is Passage.HELD else None
    return Standing(passage=passage, until=until_open, why=calendar.muted_by(muting, at) or "")


def passage_of(rules: Rules, destination: Destination, at: datetime) -> Passage:
    """Return what the route of ``destination`` does at ``at``."""
    muting = destination.muting
    if muting is not None and rules.calendar.is_muted(muting, at):
        return Passage.HELD if muting.hold else Passage.MUTED
    return Passage.COLLECTED if destination.digest else Passage.NOW

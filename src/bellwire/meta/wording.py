"""What people are told of a trouble, when it begins and when it ends: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bellwire.model import TroubleKind
from bellwire.trouble_records import Telling, Trouble

_DETAIL = 2_000  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """``began`` and ``ended`` may name ``subject``, ``number`` (with its noun) and ``span``."""

    began: str
    ended: str
    advice: str
    noun: str = ""


_WORDS: dict[TroubleKind, _Words] = {
    TroubleKind.DELIVERIES_DEAD: _Words(
        began="{number} to {subject} died",
        ended="{number} to {subject} died {span}, none since",
        advice=(
            "They are kept: `bellwire replay` sends them again, and `bellwire deliveries --state dead` lists those that no "
            "fallback has covered. "
            "Those that follow are counted, not told one by one."
        ),
        noun="delivery|deliveries",
    ),
    TroubleKind.CHANNEL_BROKEN: _Words(
        began="{subject} does not get through",
        ended="{subject} gets through again, was broken {span}",
        advice="What waits for it is kept, and sent once it works again.",
    ),
    TroubleKind.ACCOUNT_UNAUTHORIZED: _Words(
        began="account {subject} is unauthorized",
        ended="account {subject} is authorized again, was not {span}",
        advice="Its credentials are refused: nothing arrives until they are mended; then what was missed is caught up.",
    ),
    TroubleKind.ACCOUNT_SILENT: _Words(
        began="account {subject} is silent",
        ended="account {subject} is heard again, was silent {span}",
        advice="It is connected, but its vendor has nothing to say, or has stopped saying it.",
    ),
    TroubleKind.READ_MARKS_FAILED: _Words(
        began="{number} of account {subject} failed for good",
        ended="{number} of account {subject} failed for good {span}, none since",
        advice="These notifications were handled, yet stay unread at their vendor.",
        noun="read mark|read marks",
    ),
    TroubleKind.RELOAD_FAILED: _Words(
        began="the configuration could not be reloaded",
        ended="the configuration is reloaded, could not be {span}",
        advice="The one before it stays in force.",
    ),
    TroubleKind.LEDGER_UNWRITABLE: _Words(
        began="the ledger cannot write",
        ended="the ledger writes again, could not {span}",
        advice="Nothing is taken in or sent until it can; nothing is lost.",
    ),
    TroubleKind.ALERTS_UNACCOUNTED: _Words(
        began="alerts are unaccounted for",
        ended="every alert is accounted for again, was not {span}",
        advice="`bellwire audit` names them.",
    ),
}
_GONE = "{subject} is no longer in the configuration ({text}, {span})"


def beginning(kind: TroubleKind, subject: str, why: str = "", number: int = 0, page: str | None = None) -> Telling:
    """Return what is told when a trouble begins."""
    words = _WORDS[kind]
    title = words.began.format(subject=subject, number=_number(number, words))
    said = [why[:_DETAIL], words.advice, page or ""]
    return Telling(title=title, text="\n".join(part for part in said if part))


def ending(trouble: Trouble, ended_at: datetime, zone: tzinfo, *, gone: bool = False) -> Telling:
    """Return what is told when it is over; ``gone``: what it was about is no longer in the configuration."""
    words = _WORDS[trouble.kind]
    text = _GONE if gone else words.ended
    span = _span(trouble.began_at, ended_at, zone)
    number = _number(trouble.number, words)
    return Telling(title=text.format(subject=trouble.subject, number=number, span=span, text=trouble.text))


def _number(number: int, words: _Words) -> str:
    one, _, many = words.noun.partition("|")
    return f"{number:,} {one if number == 1 else many}"


def _span(began_at: datetime, ended_at: datetime, zone: tzinfo) -> str:
    """Return from when to when, by the configuration's time zone; with the days where there are two."""
    began, ended = began_at.astimezone(zone), ended_at.astimezone(zone)
    name = "" if zone is UTC else f" {ended.tzname()}"
    name = name or " UTC"
    if began.date() == ended.date():
        return f"{began:%H:%M}–{ended:%H:%M}{name}"  # noqa: RUF001 - from, to
    return f"{began:%Y-%m-%d %H:%M} – {ended:%Y-%m-%d %H:%M}{name}"  # noqa: RUF001 - as above

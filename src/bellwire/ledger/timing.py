"""Windows and crontabs within a transaction: what they say now, by the wall's clock, and when that is by ours.

A calendar that raises holds nobody up: what it cannot tell may go at once.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.model import Muting
from bellwire.routing.crontab import parse_crontab

if TYPE_CHECKING:
    from bellwire.ledger.transaction import Transaction

NOT_YET = datetime(9999, 1, 1, tzinfo=UTC)
"""When something is due whose time nobody knows: a catch-up that has not ended, a window that never opens."""

log = structlog.get_logger(__name__)


def stored(muting: Muting | None) -> dict[str, Any] | None:
    """Return windows as a delivery keeps them."""
    return None if muting is None else asdict(muting)


def muting_of(kept: dict[str, Any]) -> Muting:
    """Return the windows that a delivery keeps."""
    return Muting(active=tuple(kept["active"]), mute=tuple(kept["mute"]), hold=kept["hold"])


def is_muted(tx: Transaction, muting: Muting | None) -> bool:
    """Return whether the windows are closed now."""
    calendar, _ = tx.facts.timetable
    if muting is None or calendar is None:
        return False
    try:
        return calendar.is_muted(muting, tx.wall)
    except Exception:
        log.exception("window_failed", active=muting.active, mute=muting.mute)
        return False


def opens_at(tx: Transaction, muting: Muting) -> datetime:
    """Return when closed windows open, by the wall's clock; `NOT_YET` if never."""
    calendar, _ = tx.facts.timetable
    try:
        moment = calendar.opens_at(muting, tx.wall) if calendar else tx.wall
    except Exception:
        log.exception("window_failed", active=muting.active, mute=muting.mute)
        return tx.wall
    return NOT_YET if moment is None else moment


def next_digest(tx: Transaction, crontab: str) -> datetime:
    """Return when the crontab's next digest is due, by the wall's clock."""
    _, zone = tx.facts.timetable
    try:
        return parse_crontab(crontab).next_after(tx.wall, zone)
    except Exception:
        log.exception("digest_failed", crontab=crontab)
        return tx.wall


def by_our_clock(tx: Transaction, moment: datetime) -> datetime:
    """Return when a moment of the wall's clock comes by ours."""
    return NOT_YET if moment >= NOT_YET else tx.now + (moment - tx.wall)

"""Times as vendors write them in their items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bellwire.model import Json


def naive(moment: datetime) -> str:
    """Write a time in UTC that does not say so."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def zulu(moment: datetime) -> str:
    """Write a time in UTC with a Z."""
    return f"{naive(moment)}Z"


def offset(moment: datetime) -> str:
    """Write a time in UTC with an offset of nothing."""
    return f"{naive(moment)}+00:00"


def read(text: Json, otherwise: datetime) -> datetime:
    """Return the moment that an ISO 8601 text names, in UTC where it names no zone, or ``otherwise``."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return otherwise


FORMS: Final = (zulu, offset, naive)
"""Every form, for vendors that are not of one mind."""

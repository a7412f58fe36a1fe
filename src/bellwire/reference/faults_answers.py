"""Faults that answer in the vendor's stead: pure decisions, with time and chance as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from bellwire.reference.faults import Fault, RateLimit, RefuseStreams, ServerErrors, Unauthorized, WrongContentType

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

_TROUBLES: Final = (500, 502, 503, 504)
_PAGE: Final = b"<!doctype html><title>Log in</title><form><input name=user></form>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request as faults see it. ``stream``: the client wants an event stream, and says so in ``Accept``."""

    api: str
    user: str | None
    method: str
    stream: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """When a fault may answer: ``age`` is the fault's, in seconds; ``over_rate`` asks whether a rate is exceeded."""

    asked: Asked
    age: float
    now: datetime
    rng: random.Random
    over_rate: Callable[[int], float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Instead:
    """The answer that is given in the vendor's stead; ``promised`` are the seconds that ``Retry-After`` asks for."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    retry_after: bytes | None = None
    promised: int | None = None


def instead(fault: Fault, occasion: Occasion) -> Instead | None:
    """Return what the fault answers, None if it leaves the answer to the vendor."""
    answer = _ANSWERS.get(type(fault))
    return answer(fault, occasion) if answer is not None else None


def _refuse(fault: RefuseStreams, occasion: Occasion) -> Instead | None:
    return _problem(fault.status, "No stream here") if occasion.asked.stream else None


def _page(fault: WrongContentType, occasion: Occasion) -> Instead | None:
    if fault.streams_only and not occasion.asked.stream:
        return None
    return Instead(status=200, body=_PAGE, content_type=b"text/html; charset=utf-8")


def _unauthorized(fault: Unauthorized, occasion: Occasion) -> Instead | None:
    return _problem(fault.status, "Token has expired") if occasion.age >= fault.after_seconds else None


def _limit(fault: RateLimit, occasion: Occasion) -> Instead | None:
    seconds = fault.retry_after
    if fault.per_minute is not None:
        wait = occasion.over_rate(fault.per_minute)
        if wait is None:
            return None
        seconds = int(wait) + 1
    # As a date it has whole seconds, like the Date that goes with it: their difference is exact.
    until = format_datetime(occasion.now + timedelta(seconds=seconds), usegmt=True)
    said = until if fault.as_date else str(seconds)
    return Instead(status=429, body=_detail("Too many requests"), retry_after=said.encode(), promised=seconds)


def _trouble(fault: ServerErrors, occasion: Occasion) -> Instead | None:
    return _problem(fault.status or occasion.rng.choice(_TROUBLES), "Something went wrong")


def _problem(status: int, detail: str) -> Instead:
    return Instead(status=status, body=_detail(detail))


def _detail(detail: str) -> bytes:
    return orjson.dumps({"detail": detail})


_ANSWERS: Final[dict[type[Fault], Callable[[Any, Occasion], Instead | None]]] = {
    RefuseStreams: _refuse,
    WrongContentType: _page,
    Unauthorized: _unauthorized,
    RateLimit: _limit,
    ServerErrors: _trouble,
}

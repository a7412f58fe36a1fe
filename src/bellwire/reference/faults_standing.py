"""The faults that are in force: whom they hit, how often they did, and when they are over."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from bellwire.reference.faults import AnswerFault, AnyFault, ClockOff, ListLags
from bellwire.reference.faults_answers import Asked, Instead, Occasion, instead
from bellwire.reference.faults_bytes import Tamper, tamper
from bellwire.reference.rates import Rates
from bellwire.reference.store import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

MOST: Final = 1_000
"""How many faults may stand at once."""

_ON_ITS_WAY: Final = 0.5  # seconds in which a client, on a busy machine too, may still send what it began before


class TooManyError(Exception):
    """So many faults stand that another one is not taken."""


@dataclass(eq=False, kw_only=True, slots=True)
class Standing:
    """A fault in force. ``number`` grows with each; ``hits`` counts the answers that were not what they should be."""

    number: int
    fault: AnyFault
    since: float
    until: float
    rng: random.Random
    rates: Rates
    hits: int = 0
    removed: bool = False

    def over(self, now: float) -> bool:
        """Return whether it hits nothing any more."""
        times = self.fault.times if isinstance(self.fault, AnswerFault) else None
        return self.removed or now >= self.until or (times is not None and self.hits >= times)

    def means(self, api: str, user: str | None) -> bool:
        """Return whether it is for this user."""
        return self.fault.api in {None, api} and self.fault.user in {None, user}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoiling:
    """A fault at work on one answer."""

    standing: Standing
    tamper: Tamper


@dataclass(frozen=True, kw_only=True, slots=True)
class _Promise:
    """A pause that a user was asked for."""

    said: float
    until: float


@dataclass(eq=False, slots=True)
class _Lag:
    """The items of an inbox that may be too young to be listed: when each batch came, and what stood before it."""

    batches: deque[tuple[float, int]] = field(default_factory=deque)


class Faults:
    """All faults in force. ``monotonic`` is a clock that never steps, in seconds."""

    def __init__(self, initial: Iterable[AnyFault] = (), monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self.reset: Callable[[tuple[str, int]], None] = lambda _client: None  # who runs the server says how
        self.leaving = asyncio.Event()  # the server ends: nothing is held up any longer
        self.early_calls = 0
        self._number = 0
        self._standing: list[Standing] = []
        self._promises: dict[tuple[str, str | None], list[_Promise]] = {}
        self._lags: dict[Inbox, _Lag] = {}
        for fault in initial:
            self.add(fault)

    # --- what stands ---

    def add(self, fault: AnyFault) -> Standing:
        """Let a fault stand from now on."""
        if len(self.standing()) >= MOST:
            message = f"there are {MOST} faults already"
            raise TooManyError(message)
        self._number += 1
        now = self.monotonic()
        standing = Standing(
            number=self._number,
            fault=fault,
            since=now,
            until=now + fault.lasts,
            rng=random.Random(fault.seed if isinstance(fault, AnswerFault) else 0),  # noqa: S311 - it guards nothing
            rates=Rates(self.monotonic),
        )
        self._standing.append(standing)
        return standing

    def standing(self) -> list[Standing]:
        """Return the faults in force, the oldest first."""
        now = self.monotonic()
        if any(each.over(now) for each in self._standing):
            self._standing = [each for each in self._standing if not each.over(now)]
        return self._standing

    def remove(self, number: int | None = None) -> int:
        """Let one fault be over, or all; return how many were not over yet."""
        ended = [each for each in self.standing() if number in {None, each.number}]
        for each in ended:
            each.removed = True
        return len(ended)

    # --- what they do to answers ---

    def instead(self, asked: Asked, now: datetime) -> Instead | None:
        """Return the answer that the first fault that has one gives in the vendor's stead."""
        inbox = Inbox(api=asked.api, user=asked.user or "")
        for each in self._meant(asked):
            moment = Occasion(
                asked=asked,
                age=self.monotonic() - each.since,
                now=now,
                rng=each.rng,
                over_rate=partial(each.rates.take, inbox),
            )
            answer = instead(each.fault, moment)
            if answer is not None and self._hits(each):
                self._promise(asked, answer)
                return answer
        return None

    def spoiling(self, asked: Asked, *, stream: bool, after: int = 0) -> list[Spoiling]:
        """Return what spoils an answer, of the faults with a number over ``after``."""
        found = []
        for each in self._meant(asked):
            made = tamper(each.fault, each.rng) if each.number > after else None
            if made is not None and (stream or not made.streams_only) and self._hits(each):
                found.append(Spoiling(standing=each, tamper=made))
        return found

    @property
    def newest(self) -> int:
        """The number of the fault that was added last."""
        return self._number

    def _meant(self, asked: Asked) -> list[Standing]:
        return [
            each
            for each in self.standing()
            if isinstance(each.fault, AnswerFault)
            and each.means(asked.api, asked.user)
            and (not each.fault.methods or asked.method in each.fault.methods)
        ]

    def _hits(self, each: Standing) -> bool:
        hit = isinstance(each.fault, AnswerFault) and each.rng.random() < each.fault.chance
        each.hits += hit
        return hit

    # --- pauses that were asked for ---

    def _promise(self, asked: Asked, answer: Instead) -> None:
        if answer.promised:
            now = self.monotonic()
            promise = _Promise(said=now, until=now + answer.promised)
            self._promises.setdefault((asked.api, asked.user), []).append(promise)

    def watch(self, asked: Asked) -> None:
        """Count a call that comes though its user was asked to wait longer."""
        promises = self._promises.get((asked.api, asked.user))
        if not promises:
            return
        now = self.monotonic()
        promises[:] = [each for each in promises if each.until > now]
        self.early_calls += any(each.said + _ON_ITS_WAY < now for each in promises)

    # --- a vendor that is not quite right ---

    def skew(self, api: str, user: str | None) -> timedelta:
        """Return how fast the vendor's clock is for this user."""
        faults = [each.fault for each in self.standing() if each.means(api, user)]
        return timedelta(seconds=sum(fault.seconds for fault in faults if isinstance(fault, ClockOff)))

    def arrived(self, inbox: Inbox, before: int) -> None:
        """Take note of items that were added after position ``before``, if a fault may keep them from lists."""
        if self._lag_of(inbox):
            self._lags.setdefault(inbox, _Lag()).batches.append((self.monotonic(), before))

    def listed_up_to(self, inbox: Inbox) -> int | None:
        """Return the highest position that lists show, None for all."""
        lag = self._lags.get(inbox)
        if lag is None:
            return None
        young = self.monotonic() - self._lag_of(inbox)
        while lag.batches and lag.batches[0][0] <= young:
            lag.batches.popleft()
        if not lag.batches:
            del self._lags[inbox]
            return None
        return lag.batches[0][1]

    def _lag_of(self, inbox: Inbox) -> float:
        faults = [each.fault for each in self.standing() if each.means(inbox.api, inbox.user)]
        return max((fault.seconds for fault in faults if isinstance(fault, ListLags)), default=0.0)

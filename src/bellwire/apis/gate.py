"""Keeps all calls of one account away from a vendor that asked for a pause, or refuses the account's credentials."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import RateLimitedError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bellwire.apis.ration import Ration
    from bellwire.ports import Clock

_AFTER_DENIAL = 10.0
_AFTER_LIMIT = 5.0  # where the vendor named no time
_LONGEST = 300.0
_LONGEST_WISH = 30 * 86_400.0  # a vendor's wish is obeyed, but nothing longer can be meant


class VendorPause:
    """The pause that a vendor asked for, of all who use the same login."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: datetime | None = None
        self._times = 0  # in a row, without saying for how long

    def left(self) -> float:
        """Return the seconds that are left of it."""
        return _left(self._until, self._clock)

    def ask(self, wish: float | None) -> None:
        """Wait for as long as the vendor wishes; where it does not say, longer each time."""
        if wish is None:
            if self.left():
                return  # of many calls that were under way only the first counts
            wish = min(_AFTER_LIMIT * 2**self._times, _LONGEST)
            self._times = min(self._times + 1, 10)
        until = self._clock.now() + timedelta(seconds=min(wish, _LONGEST_WISH))
        self._until = max(until, self._until or until)

    def succeeded(self) -> None:
        """Take note that calls are answered again."""
        self._times = 0


class Gate:
    """Every call goes through `passage`; they wait together.

    After refused credentials the first call goes alone to see whether they are taken again, and the pause doubles while
    they are not. After a rate limit all go on at the time that the vendor named, together with those of other gates that
    share ``pause``.
    """

    __slots__ = ("_asked", "_clock", "_denials", "_denied_until", "_one", "admitted")

    def __init__(self, clock: Clock, pause: VendorPause | None = None) -> None:
        self._clock = clock
        self._asked = pause or VendorPause(clock)
        self._denied_until: datetime | None = None
        self._denials = 0
        self._one: asyncio.Lock | None = None  # made for the first refusal
        self.admitted: Callable[[], None] = _nobody
        """Called when credentials that were refused are taken again."""

    @property
    def refuses(self) -> bool:
        """Whether the last answer about the credentials was that they are refused."""
        return self._denials > 0

    @property
    def hindrance(self) -> str | None:
        """Why a call would wait now; None if it would not, for this."""
        if seconds := self._asked.left():
            return f"the vendor asked to be left alone, for {math.ceil(seconds)} s from now"
        if seconds := _left(self._denied_until, self._clock):
            return f"the vendor refuses the account's credentials, and is asked again {math.ceil(seconds)} s from now"
        return None

    def is_closed(self) -> bool:
        """Whether a call would wait now."""
        return self._waiting() > 0

    async def open(self) -> None:
        """Wait until no pause is left."""
        while pause := self._waiting():
            await self._clock.sleep(pause)

    def passage(self, ration: Ration | None = None, turn: asyncio.Semaphore | None = None) -> Passage:
        """Wait until a call may be made, by this gate and by its ration if it has one, and learn from how it ends.

        ``turn`` bounds how many calls are made at once, by whomever. No call that waits for it goes against a pause that
        was asked for meanwhile.
        """
        return Passage(self, ration, turn)

    def leave(self, error: BaseException | None, turn: asyncio.Semaphore | None = None, *, alone: bool) -> None:
        """Learn from how a call ended."""
        try:
            if isinstance(error, UnauthorizedError):
                self._denied()
            elif isinstance(error, RateLimitedError):
                self._asked.ask(error.retry_after)
            elif error is None and not self._waiting():
                self._asked.succeeded()
                if self._denials:
                    self._denials = 0
                    self.admitted()
        finally:
            self._release(turn, alone=alone)

    async def enter(self, ration: Ration | None, turn: asyncio.Semaphore | None = None) -> bool:
        """Wait; return whether this call goes alone. ``turn`` is held from then on."""
        while True:
            if pause := self._pause(ration):
                await self._clock.sleep(pause)
                continue
            alone = bool(self._denials)
            await self._acquire(turn, alone=alone)
            if alone == bool(self._denials) and not self._pause(ration):  # as it was before the wait for others
                break
            self._release(turn, alone=alone)
        if ration is not None:
            ration.take()  # not before all waiting is over: what was taken early would add up to a burst
        return alone

    async def _acquire(self, turn: asyncio.Semaphore | None, *, alone: bool) -> None:
        if alone:
            await self._lock.acquire()
        if turn is not None:
            try:
                await turn.acquire()
            except BaseException:
                self._release(None, alone=alone)
                raise

    def _release(self, turn: asyncio.Semaphore | None, *, alone: bool) -> None:
        if turn is not None:
            turn.release()
        if alone:
            self._lock.release()

    @property
    def _lock(self) -> asyncio.Lock:
        if self._one is None:
            self._one = asyncio.Lock()
        return self._one

    def _pause(self, ration: Ration | None) -> float:
        return max(self._waiting(), 0.0 if ration is None else ration.pause())

    def _waiting(self) -> float:
        return max(_left(self._denied_until, self._clock), self._asked.left())

    def _denied(self) -> None:
        if self._waiting():
            return  # this call was under way when another was refused
        pause = min(_AFTER_DENIAL * 2**self._denials, _LONGEST)
        self._denied_until = self._clock.now() + timedelta(seconds=pause)
        self._denials = min(self._denials + 1, 10)


class Passage:
    """One call's way through a gate. A class, since it is entered for each read mark."""

    __slots__ = ("_alone", "_gate", "_ration", "_turn")

    def __init__(self, gate: Gate, ration: Ration | None, turn: asyncio.Semaphore | None) -> None:
        self._gate = gate
        self._ration = ration
        self._turn = turn
        self._alone = False

    async def __aenter__(self) -> None:
        self._alone = await self._gate.enter(self._ration, self._turn)

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._gate.leave(error, self._turn, alone=self._alone)


def _nobody() -> None:
    """Hear it, and do nothing."""


def _left(until: datetime | None, clock: Clock) -> float:
    return 0.0 if until is None else max(0.0, (until - clock.now()).total_seconds())

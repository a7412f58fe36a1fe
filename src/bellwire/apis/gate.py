"""Keeps all calls of one account away from a vendor that asked for a pause, or refuses the account's credentials."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import RateLimitedError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from bellwire.apis.ration import Ration
    from bellwire.ports import Clock

_AFTER_DENIAL = 10.0
_AFTER_LIMIT = 5.0  # where the vendor named no time
_LONGEST = 300.0
_LONGEST_WISH = 30 * 86_400.0  # a vendor's wish is obeyed, but nothing longer can be meant


class Gate:
    """Every call goes through `passage`; they wait together.

    After refused credentials the first call goes alone to see whether they are taken again, and the pause doubles while
    they are not. After a rate limit all go on at the time that the vendor named.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shut_until: datetime | None = None
        self._denials = 0
        self._limits = 0
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def passage(self, ration: Ration | None = None) -> AsyncIterator[None]:
        """Wait until a call may be made, by this gate and by its ration if it has one, and learn from how it ends."""
        alone = await self._enter(ration)
        try:
            yield
        except UnauthorizedError:
            self._shut(_AFTER_DENIAL * 2**self._denials, denied=True)
            raise
        except RateLimitedError as error:
            self._limited(error.retry_after)
            raise
        else:
            if not self._waiting():
                self._denials = self._limits = 0
        finally:
            if alone:
                self._one.release()

    async def _enter(self, ration: Ration | None) -> bool:
        """Wait; return whether this call goes alone."""
        while True:
            if pause := self._pause(ration):
                await self._clock.sleep(pause)
            elif not self._denials:
                break
            else:
                await self._one.acquire()
                if self._denials and not self._pause(ration):
                    break
                self._one.release()
        if ration is not None:
            ration.take()  # not before all waiting is over: what was taken early would add up to a burst
        return bool(self._denials)

    def _pause(self, ration: Ration | None) -> float:
        return max(self._waiting(), 0.0 if ration is None else ration.pause())

    def _waiting(self) -> float:
        if self._shut_until is None:
            return 0.0
        return max(0.0, (self._shut_until - self._clock.now()).total_seconds())

    def _limited(self, wish: float | None) -> None:
        if wish is None:
            if not self._waiting():  # of many calls that were under way only the first counts
                self._shut(_AFTER_LIMIT * 2**self._limits)
                self._limits = min(self._limits + 1, 10)
            return
        until = self._clock.now() + timedelta(seconds=min(wish, _LONGEST_WISH))
        self._shut_until = max(until, self._shut_until or until)

    def _shut(self, seconds: float, *, denied: bool = False) -> None:
        if self._waiting() and denied:
            return  # this call was under way when another was refused
        self._shut_until = self._clock.now() + timedelta(seconds=min(seconds, _LONGEST))
        self._denials = min(self._denials + denied, 10)

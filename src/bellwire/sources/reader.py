"""Who has an account's list read when there is something to do, and keeps no task for it meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from bellwire.sources.standing import nothing

if TYPE_CHECKING:
    from bellwire.ports import Alarm
    from bellwire.sources.lister import Lister
    from bellwire.sources.site import Site


class Reader:
    """Wakes the lister when something is due or has changed, for as long as an ``async with`` lasts.

    What the lister raises ends the block, as a task group would have it; which takes three times the memory.
    """

    __slots__ = ("_alarm", "_body", "_failure", "_in_line", "_leaving", "_lister", "_missed", "_site", "_task")

    def __init__(self, site: Site, lister: Lister) -> None:
        self._site = site
        self._lister = lister
        self._body: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._alarm: Alarm | None = None
        self._failure: Exception | None = None
        self._leaving = False
        self._in_line = False
        self._missed = False  # it was woken while it worked

    async def __aenter__(self) -> None:
        self._body = cast("asyncio.Task[None]", asyncio.current_task())
        self._site.standing.wake = self._wake
        self._wake()

    async def __aexit__(self, *_: object) -> None:
        self._leaving = True
        self._site.standing.wake = nothing
        self._rest(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._failure is not None and self._body is not None and not self._body.uncancel():
            raise self._failure

    def _wake(self) -> None:
        if self._task is not None or self._leaving:
            self._missed = True
        elif not self._in_line:
            self._rest(None)
            self._in_line = True
            self._site.inbox.line_up(self._begin)

    def _begin(self) -> None:
        self._in_line = False
        if not self._leaving:
            self._task = asyncio.create_task(self._work(), name=f"list {self._site.key.name}")

    async def _work(self) -> None:
        try:
            self._missed = True
            while self._missed:
                self._missed = False
                seconds = await self._lister.work()
        except Exception as error:  # noqa: BLE001  # it is raised where the block ends
            self._fail(error)
        else:
            self._rest(seconds)
        finally:
            self._task = None

    def _fail(self, error: Exception) -> None:
        if not self._leaving and self._body is not None:
            self._leaving = True
            self._failure = error
            self._body.cancel()

    def _rest(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if seconds is None else self._site.clock.alarm(seconds, self._wake)

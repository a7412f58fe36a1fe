"""The accounts that are watched: who begins when, and how a watch ends."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bellwire.acknowledge import Acknowledge
from bellwire.sources.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bellwire.apis.inbox import HttpInbox
    from bellwire.config.schema import AccountConfig
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import AccountKey
    from bellwire.ports import Intake
    from bellwire.sources.site import Surroundings

_AT_ONCE = 200  # accounts that begin together
_PATIENCE = 2.0  # seconds that the next ones wait for them at most,
_LEFT = 0.1  # and only while more than this part of them has not come through its first list
_LOOK_EVERY = 0.02
_UNWATCH_PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """An account that is watched; before its turn to begin there are no tasks."""

    key: AccountKey
    account: AccountConfig
    source: Source
    inbox: HttpInbox
    marks: Acknowledge | None  # None: none are made
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def stop(self) -> list[asyncio.Task[None]]:
        """Begin to end; return what is still ending."""
        for task in self.tasks:
            task.cancel()
        return self.tasks + (self.marks.stop() if self.marks is not None else [])


class Watches:
    """All of them. Thousands begin a portion at a time: what beginning takes of memory is then taken once, not by each."""

    def __init__(self, ledger: Ledger, intake: Intake, around: Surroundings, *, dry: bool) -> None:
        self.by_key: dict[AccountKey, Watch] = {}
        self.by_name: dict[str, Watch] = {}
        self._ledger = ledger
        self._intake = intake
        self._around = around
        self._dry = dry
        self._waiting: deque[Watch] = deque()
        self._starting: asyncio.Task[None] | None = None
        self._broken: asyncio.Future[None] | None = None
        self._closed = False
        self._on_end = self._ended  # one for all
        ledger.on_marks_owed = self._owed

    @property
    def sources(self) -> list[Source]:
        """Every source."""
        return [watch.source for watch in self.by_key.values()]

    @property
    def ended(self) -> list[str]:
        """The names of accounts whose watch has ended, which must never be."""
        return [
            watch.account.name
            for watch in self.by_key.values()
            if not watch.account.paused and any(task.done() for task in watch.tasks)
        ]

    def add(self, key: AccountKey, account: AccountConfig, inbox: HttpInbox) -> None:
        """Watch the account from the next `begin` on."""
        source = Source(account, inbox, self._intake, self._ledger, self._around)
        marks = None
        if not account.paused and not self._dry:
            around = self._around
            marks = Acknowledge(key, inbox, self._ledger, around.clock, around.metrics, around.rng)
        watch = self.by_key[key] = Watch(key=key, account=account, source=source, inbox=inbox, marks=marks)
        self._waiting.append(watch)

    def order(self, keys: Iterable[AccountKey]) -> None:
        """Name them in this order from now on."""
        self.by_key = {key: self.by_key[key] for key in keys}
        self.by_name = {key.name: watch for key, watch in self.by_key.items()}

    def begin(self) -> None:
        """Let those begin that were added."""
        if self._starting is None or self._starting.done():
            portion = self._begin_some()
            self._starting = asyncio.create_task(self._begin_rest(portion), name="watches begin")

    async def remove(self, key: AccountKey) -> None:
        """Watch the account no more."""
        if tasks := self.by_key.pop(key).stop():
            await asyncio.wait(tasks, timeout=_UNWATCH_PATIENCE)

    async def run(self) -> None:
        """Wait until cancelled, then end all of them. Raises what ended one that should not have ended."""
        self._broken = asyncio.get_running_loop().create_future()
        try:
            await self._broken
        finally:
            self._closed = True
            if self._starting is not None:
                self._starting.cancel()
            tasks = [task for watch in self.by_key.values() for task in watch.stop()]
            if tasks := tasks + ([self._starting] if self._starting is not None else []):
                await asyncio.wait(tasks)

    async def _begin_rest(self, portion: list[Watch]) -> None:
        while self._waiting:
            until = self._ledger.clock.now().timestamp() + _PATIENCE
            while self._ledger.clock.now().timestamp() < until and _are_beginning(portion):
                await self._ledger.clock.sleep(_LOOK_EVERY)
            portion = self._begin_some()

    def _begin_some(self) -> list[Watch]:
        portion = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        for watch in portion:
            if self.by_key.get(watch.key) is watch and not self._closed:  # a reload may have taken it back
                self._start(watch)
        return portion

    def _start(self, watch: Watch) -> None:
        name = watch.account.name
        watch.tasks.append(asyncio.create_task(watch.source.run(), name=f"source-{name}"))
        watch.tasks[-1].add_done_callback(self._on_end)
        if watch.marks is not None:
            watch.marks.wake()

    def _owed(self, key: AccountKey) -> None:
        watch = self.by_key.get(key)
        if watch is not None and watch.marks is not None and watch.tasks and not self._closed:
            watch.marks.wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and self._broken and not self._broken.done():
            self._broken.set_exception(error)


def _are_beginning(portion: list[Watch]) -> bool:
    beginning = [watch for watch in portion if watch.tasks and watch.source.is_beginning]
    return len(beginning) > _LEFT * len(portion)

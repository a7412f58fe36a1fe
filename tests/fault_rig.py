"""The daemon in this process, between a reference server with every API and a pager: every account's way of streaming
and polling at once. An oracle compares what was emitted with the ledger, the pager and the vendors' read marks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.apis import APIS
from bellwire.app import opened
from bellwire.config.schema import AccountConfig, Config
from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.model import SourceState
from bellwire.reference.faults import AnswerFault, RateLimit, RefuseStreams, WrongContentType
from bellwire.reference.faults_bytes import tamper
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import eventually, upstream_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bellwire.reference.faults import AnyFault
    from bellwire.reference.faults_standing import Standing
    from bellwire.sources.source import Source

DROPPED = ".*[37bf]"
"""The ids of items that nobody gets, so that a mark-all would show: theirs stay unread."""

MARK_ALL = re.compile(r"read-all|read/all|mark-all")


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """One account: an API in one mode, with a user and so an inbox of its own."""

    api: str
    mode: str
    emitted: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.api}-{self.mode}"

    @property
    def streams(self) -> bool:
        return self.mode != "poll"

    @property
    def forwarded(self) -> set[str]:
        return {each for each in self.emitted if not re.fullmatch(DROPPED, each)}


def is_for_streams(fault: AnyFault) -> bool:
    """Return whether a fault is one of streams alone."""
    spoilt = tamper(fault, random.Random())
    if spoilt is not None:
        return spoilt.streams_only
    return isinstance(fault, RefuseStreams) or (isinstance(fault, WrongContentType) and fault.streams_only)


def every_mode() -> list[Watched]:
    """Return each API in each mode that it has."""
    found = []
    for api, dialect in APIS.items():
        streams = dialect(AccountConfig(name="a", api=api, base_url="http://localhost")).stream(None) is not None
        found += [Watched(api=api, mode=mode) for mode in (("auto", "stream", "poll") if streams else ("poll",))]
    return found


@dataclass(kw_only=True)
class World:
    """All of it, running."""

    server: ReferenceServer
    pager: WebhookReceiver
    accounts: list[Watched]
    sources: dict[str, Source]
    database: sqlite3.Connection
    faults: list[tuple[Watched, Standing]] = field(default_factory=list)

    def emit(self, count: int = 1) -> None:
        """Let something new come to every inbox."""
        for each in self.accounts:
            each.emitted.extend(self.server.emit(each.api, each.name, [{}] * count))

    def fault(self, fault: AnyFault) -> None:
        """Let a fault stand for each account that it can mean; where it needs a new connection, close what is open."""
        for each in self.accounts:
            if each.streams or not is_for_streams(fault):
                own = fault.model_copy(update={"api": each.api, "user": each.name})
                self.faults.append((each, self.server.context.faults.add(own)))
                if tamper(fault, random.Random()) is None:
                    self.server.streams.close(each.api, each.name)

    def unharmed(self) -> list[str]:
        """Return the accounts that a fault of answers has not met yet."""
        return [
            each.name for each, standing in self.faults if isinstance(standing.fault, AnswerFault) and not standing.hits
        ]

    async def settled(self) -> None:
        """Wait until every source does what it is meant to do, and what there was has arrived."""
        await eventually(lambda: all(self._well(each) for each in self.accounts))
        await self.whole(30)

    def _well(self, each: Watched) -> bool:
        wanted = SourceState.STREAMING if each.streams else SourceState.POLLING
        return self.sources[each.name].status.state is wanted

    async def whole(self, seconds: float) -> None:
        """Wait until all that was emitted has arrived and all that was forwarded is marked; say what has not."""
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: not self.missing() and not self.unmarked(), seconds)
        states = {name: source.status.state.value for name, source in self.sources.items()}
        assert (self.missing(), self.unmarked()) == ({}, {}), states
        self.check()

    def check(self) -> None:
        """Hold what must be true at every moment."""
        recorded, sent = self._recorded(), upstream_ids(self.pager.messages)
        assert all(count == 1 for count in sent.values()), sent.most_common(3)
        for each in self.accounts:
            assert recorded[each.name] <= Counter(each.emitted), each.name
            marks = {item.id: item.marks for item in self.server.items(each.api, each.name)}
            assert not [found for found in each.emitted if marks[found] and found not in each.forwarded], each.name
            assert {found for found in each.emitted if marks[found]} <= set(sent), each.name
        assert not [entry for entry in self.server.log.entries() if MARK_ALL.search(entry.path)]
        assert self.server.context.faults.early_calls == 0
        assert self._limits_exceeded() == 0

    def missing(self) -> dict[str, int]:
        """Return how many items of each account have not arrived."""
        recorded = self._recorded()
        missing = {each.name: (Counter(each.emitted) - recorded[each.name]).total() for each in self.accounts}
        return {name: count for name, count in missing.items() if count}

    def unmarked(self) -> dict[str, int]:
        """Return how many items of each account were forwarded, but are unread."""
        unmarked = {}
        for each in self.accounts:
            read = {item.id for item in self.server.items(each.api, each.name) if item.read_at is not None}
            unmarked[each.name] = len(each.forwarded - read)
        return {name: count for name, count in unmarked.items() if count}

    def _recorded(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {each.name: Counter() for each in self.accounts}
        rows = "SELECT accounts.name, upstream_id FROM alerts JOIN accounts ON accounts.id = account_id"
        for name, upstream_id in self.database.execute(rows):
            found[name][upstream_id] += 1
        return found

    def _limits_exceeded(self) -> int:
        """Return how often the vendors asked for a pause of their own accord: ATP does after 60 polls in a minute."""
        asked_for = [standing.hits for _, standing in self.faults if isinstance(standing.fault, RateLimit)]
        return sum(entry.status == 429 for entry in self.server.log.entries()) - sum(asked_for)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    accounts = every_mode()
    users = tuple(User(name=each.name, tokens=(f"{each.name}-token",)) for each in accounts)
    settings = ReferenceSettings(users=users, keep_alive=0.1, log_size=100_000)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    async with serving(settings) as server, WebhookReceiver() as pager:
        config = Config.model_validate(
            {
                "web": {"listen": ""},
                "accounts": [_account(server, each) for each in accounts],
                "route": {
                    "receiver": "pager",
                    "routes": [{"matchers": [f'upstream_id =~ "{DROPPED}"'], "receiver": None}],
                },
                "receivers": [{"name": "pager", "webhook_configs": [{"url": pager.url}]}],
            }
        )
        file, stop, started = folder / "ledger.db", asyncio.Event(), asyncio.Event()
        async with opened(config, f"sqlite:///{file}") as app:
            task = asyncio.create_task(app.run(stop, started.set))
            try:
                await started.wait()
                sources = {account.name: source for account, source in app.watched}
                with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                    yield World(server=server, pager=pager, accounts=accounts, sources=sources, database=database)
            finally:
                stop.set()
                await task


def _account(server: ReferenceServer, each: Watched) -> dict[str, Any]:
    return {
        "name": each.name,
        "api": each.api,
        "base_url": server.base_url(each.api),
        "authorization": {"credentials": f"{each.name}-token"},
        "mode": each.mode,
        "stream": {"stall_timeout": "500ms"},
        "poll": {"min_interval": "100ms", "max_interval": "500ms"},
        "catch_up": {"first_start": "all"},
        "http_config": {"timeout": "2s"},
    }

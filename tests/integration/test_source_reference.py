"""Sources over real sockets, against the bundled reference server."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.http import HttpPool
from bellwire.metrics import Metrics
from bellwire.model import SourceState
from bellwire.records import Position
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.traps import USUAL, Trap
from bellwire.sources.source import Source, Surroundings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from bellwire.model import AccountKey, Notification, StatusChange, Via
    from bellwire.records import SourceEvent

pytestmark = pytest.mark.timeout(60)

API = "visual_layer"
SECRET = "a-secret-of-at-least-thirty-two-characters"


class Records:
    """Intake and the sources' ledger in memory, for many accounts; `until` waits for what they hold."""

    def __init__(self) -> None:
        self.got: dict[str, list[str]] = {}
        self.positions: dict[str, Position] = {}
        self.events: list[SourceEvent] = []
        self._changed = asyncio.Event()

    async def receive(
        self,
        account: AccountKey,
        found: Sequence[Notification],
        via: Via,
        labels: Mapping[str, str] | None = None,
        *,
        first_start: bool = False,
    ) -> int:
        del via, labels, first_start
        got = self.got.setdefault(account.name, [])
        known = set(got)
        new = [item.upstream_id for item in found if item.upstream_id not in known]
        got += new
        self._changed.set()
        return len(new)

    async def caught_up(self, account: AccountKey) -> None:
        del account

    async def position(self, account: AccountKey) -> Position:
        return self.positions.get(account.name, Position())

    async def save_position(self, account: AccountKey, position: Position) -> None:
        self.positions[account.name] = position

    async def note(self, account: AccountKey, event: SourceEvent) -> None:
        del account
        self.events.append(event)
        self._changed.set()

    async def note_changes(self, account: AccountKey, changes: Sequence[StatusChange]) -> None:
        del account, changes

    async def in_flight(self, account: AccountKey) -> set[str]:
        assert account.name
        return set()

    async def read_upstream(self, account: AccountKey, upstream_ids: Sequence[str], found_by: str) -> int:
        raise AssertionError((account, upstream_ids, found_by))

    async def until(self, account: str, count: int) -> list[str]:
        while len(self.got.get(account, [])) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.got[account]

    async def until_event(self, kind: str) -> None:
        while kind not in {event.kind for event in self.events}:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    users = (
        User(name="ann", tokens=("ann-token",)),
        User(name="bob", keys=(("bob-key", SECRET),)),
    )
    async with serving(ReferenceSettings(users=users, keep_alive=0.05)) as made:
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    made = HttpPool()
    yield made
    await made.close()


def account(server: ReferenceServer, name: str, **keys: Any) -> AccountConfig:
    given = {
        "name": name,
        "api": API,
        "base_url": server.base_url(API),
        "authorization": {"credentials": f"{name}-token"},
    }
    return AccountConfig.model_validate(given | keys)


def inbox_of(config: AccountConfig, pool: HttpPool) -> HttpInbox:
    return HttpInbox(APIS[config.api](config), config, pool, SystemClock())


@asynccontextmanager
async def running(config: AccountConfig, pool: HttpPool, records: Records) -> AsyncIterator[Source]:
    around = Surroundings(clock=SystemClock(), metrics=Metrics(), rng=random.Random(1))
    source = Source(config, inbox_of(config, pool), records, records, around)
    task = asyncio.create_task(source.run())
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def emit(server: ReferenceServer, user: str, count: int) -> list[str]:
    return server.emit(API, user, [{}] * count)


async def test_items_arrive_once_though_streams_are_dropped_again_and_again(
    server: ReferenceServer, pool: HttpPool
) -> None:
    records = Records()
    expected = emit(server, "ann", 150)
    async with running(account(server, "ann"), pool, records):
        for _ in range(4):
            await server.streaming(API, "ann")
            expected += emit(server, "ann", 120)
            server.streams.close(API, "ann")
            expected += emit(server, "ann", 30)
        got = await records.until("ann", len(expected))
    assert sorted(got) == sorted(expected)


async def test_what_comes_while_nothing_runs_is_found_by_the_next_run(server: ReferenceServer, pool: HttpPool) -> None:
    records = Records()
    config = account(server, "bob", authorization={"api_key": "bob-key", "api_secret": SECRET})
    expected = emit(server, "bob", 5)
    async with running(config, pool, records) as source:
        await records.until("bob", 5)
        await server.streaming(API, "bob")
        assert source.status.state is SourceState.STREAMING
    expected += emit(server, "bob", 250)
    async with running(config, pool, records):
        assert sorted(await records.until("bob", 255)) == sorted(expected)


async def test_marks_made_while_a_long_list_is_read_hide_nothing(server: ReferenceServer, pool: HttpPool) -> None:
    records = Records()
    config = account(server, "ann")
    inbox = inbox_of(config, pool)
    expected = emit(server, "ann", 700)
    async with running(config, pool, records):
        marked: set[str] = set()
        while len(marked) < len(expected):
            got = await records.until("ann", min(len(marked) + 1, len(expected)))
            batch = [upstream_id for upstream_id in got if upstream_id not in marked][:50]
            await inbox.mark_read(batch)
            marked |= set(batch)
    assert sorted(records.got["ann"]) == sorted(expected)
    assert all(item.read_at is not None for item in server.items(API, "ann"))
    assert not [entry for entry in server.log.entries(0) if "read-all" in str(entry)]


async def test_an_account_polls_where_it_may_not_stream(server: ReferenceServer, pool: HttpPool) -> None:
    records = Records()
    config = account(server, "ann", mode="poll", poll={"min_interval": "20ms", "max_interval": "50ms"})
    expected = emit(server, "ann", 3)
    async with running(config, pool, records) as source:
        await records.until("ann", 3)
        expected += emit(server, "ann", 3)
        assert sorted(await records.until("ann", 6)) == sorted(expected)
        assert source.status.state is SourceState.POLLING


async def test_one_accounts_trouble_touches_no_other(server: ReferenceServer, pool: HttpPool) -> None:
    records = Records()
    bad = account(server, "bob", authorization={"credentials": "wrong"})
    async with running(bad, pool, records) as denied, running(account(server, "ann"), pool, records):
        await server.streaming(API, "ann")
        expected = emit(server, "ann", 3)
        assert await records.until("ann", 3) == expected
        assert denied.status.state is SourceState.UNAUTHORIZED
        assert "wrong" not in str(denied.status)


async def test_more_than_a_page_within_one_millisecond_is_stated_though_nothing_is_marked(pool: HttpPool) -> None:
    users = (User(name="ann", tokens=("ann-token",)),)
    async with serving(ReferenceSettings(users=users, traps=USUAL | {Trap.OWLMETRY_MILLISECOND_CURSOR})) as server:
        config = account(
            server,
            "ann",
            api="owlmetry",
            base_url=server.base_url("owlmetry"),
            poll={"min_interval": "20ms", "max_interval": "50ms"},
            audit_interval="1ms",
        )
        server.emit("owlmetry", "ann", [{"created_at": "2026-11-22T10:00:00.123456Z"}] * 230)
        server.emit("owlmetry", "ann", [{"created_at": "2026-11-22T09:00:00Z"}] * 20)
        records = Records()
        async with running(config, pool, records):
            await records.until_event("hidden")
    assert len(records.got["ann"]) == 220
    (event,) = [each for each in records.events if each.kind == "hidden"]
    assert event.detail == {"unread": 30}

"""Lists are read whole while items arrive and are marked between any two pages, whatever the order of things."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.http import HttpPool
from bellwire.model import MarkOutcome
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.traps import Trap
from bellwire.sources.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.model import Notification, Page

pytestmark = pytest.mark.timeout(110)

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
FACES: dict[str, dict[str, Any]] = {
    "qualytics": {"params": {"size": "7"}, "created": "created", "first": 25, "most": 9},
    "owlmetry": {"params": {}, "created": "created_at", "first": 430, "most": 120},
}
"""A row for each API: its filters, the key of an item's time, how many items to begin with, and how many come at once."""

Happening = tuple[int, int, int]
"""Between two pages: how many items come, how many microseconds lie between them, how many are marked."""


class ChangingInbox:
    """An inbox in which something happens before each page."""

    def __init__(self, api: str, server: ReferenceServer, inbox: HttpInbox, script: list[Happening]) -> None:
        self.emitted: list[str] = []
        self.taken: list[str] = []
        self.marked: set[str] = set()
        self._api = api
        self._server = server
        self._inbox = inbox
        self._script = script
        self._micros = 0

    def emit(self, count: int, apart: int) -> None:
        given = []
        for _ in range(count):
            self._micros += apart
            moment = START + timedelta(microseconds=self._micros)
            given.append({FACES[self._api]["created"]: moment.isoformat()})
        self.emitted += self._server.emit(self._api, "ann", given)

    async def mark(self, count: int) -> None:
        batch = [each for each in self.taken if each not in self.marked][:count]
        results = await self._inbox.mark_read(batch)
        assert {result.outcome for result in results} <= {MarkOutcome.CONFIRMED}
        self.marked |= set(batch)

    async def page(self, cursor: str | None = None) -> Page:
        if self._script:
            arrivals, apart, marks = self._script.pop()
            self.emit(arrivals, apart)
            await self.mark(marks)
        return await self._inbox.page(cursor)

    async def take(self, items: Sequence[Notification]) -> int:
        new = [each.upstream_id for each in items if each.upstream_id not in self.taken]
        self.taken += new
        return len(new)


async def check(api: str, script: list[Happening]) -> None:
    traps = frozenset(Trap)
    pool = HttpPool()
    async with serving(ReferenceSettings(users=(User(name="ann", tokens=("t",)),), traps=traps)) as server:
        account = AccountConfig.model_validate(
            {
                "name": "a",
                "api": api,
                "base_url": server.base_url(api),
                "authorization": {"credentials": "t"},
                "params": FACES[api]["params"],
            }
        )
        http = HttpInbox(APIS[api](account), account, pool, SystemClock())
        inbox = ChangingInbox(api, server, http, script)
        try:
            inbox.emit(FACES[api]["first"], 10)
            while not (await sweep(inbox, inbox.take, to_end=True)).finished or script:  # type: ignore[arg-type]  # of an inbox it asks for pages alone
                pass
            assert sorted(inbox.taken) == sorted(inbox.emitted)
            read = {item.id for item in server.items(api, "ann") if item.read_at is not None}
            assert read == inbox.marked
            assert not [entry for entry in server.log.entries() if "mark-all" in entry.path]
        finally:
            await pool.close()


@pytest.mark.parametrize("api", FACES)
def test_nothing_is_missed_and_nothing_marked_that_was_not_to_be(api: str) -> None:
    most = FACES[api]["most"]
    happening = st.tuples(st.integers(0, most), st.sampled_from([6, 10, 5_000]), st.integers(0, most))

    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(happening, max_size=8))
    def run(script: list[Happening]) -> None:
        asyncio.run(check(api, list(script)))

    run()

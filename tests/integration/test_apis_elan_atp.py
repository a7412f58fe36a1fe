"""ELAN's and ATP's clients over real sockets, against the bundled reference server."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.apis.ration import Rations
from bellwire.config.schema import AccountConfig
from bellwire.http import HttpPool
from bellwire.model import MarkOutcome, Notification, StatusChange, StreamItem
from bellwire.reference.atp_items import change_status
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.store import Inbox as StoredInbox
from bellwire.reference.traps import Trap
from bellwire.sources.sweep import sweep
from fakes import FakeClock
from front_door import front_door
from vendor_server import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bellwire.ports import Clock, Stream
    from bellwire.reference.serve import ReferenceServer

pytestmark = pytest.mark.timeout(60)

USERS = (User(name="ann", tokens=("ann-token",)), User(name="bob", tokens=("bob-token",)))


class HastyClock(FakeClock):
    """A clock that never keeps anybody waiting: who sleeps turns it."""

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=max(0.0, seconds))
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=USERS, atp_polls_per_minute=None)) as made:
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    made = HttpPool()
    yield made
    await made.close()


def inbox_of(
    api: str, base_url: str, pool: HttpPool, clock: Clock, rations: Rations | None = None, **keys: Any
) -> HttpInbox:
    given = {"name": "a", "api": api, "base_url": base_url, "authorization": {"credentials": "ann-token"}}
    account = AccountConfig.model_validate(given | keys)
    return HttpInbox(APIS[api](account), account, pool, clock, rations)


def unread(server: ReferenceServer, api: str, user: str = "ann") -> list[str]:
    return [item.id for item in server.items(api, user) if item.read_at is None]


def mark_alls(server: ReferenceServer) -> list[str]:
    return [entry.path for entry in server.log.entries() if entry.path.endswith("/all")]


async def next_items(stream: Stream, count: int) -> list[StreamItem]:
    found: list[StreamItem] = []
    async for batch in stream.batches():
        found += batch
        if len(found) >= count:
            break
    return found


def upstream_ids(found: Sequence[StreamItem]) -> list[str]:
    return [item.upstream_id for item in found if isinstance(item, Notification)]


# --- pages that change while they are read -------------------------------------------------------------------------

bounded = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
changes = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=12)
"""Between two pages: how many notifications arrive, and how many of those that were handed in are marked."""


async def read_while_it_changes(
    server: ReferenceServer,
    inbox: HttpInbox,
    api: str,
    item: dict[str, Any],
    before: int,
    steps: list[tuple[int, int]],
) -> None:
    """Sweep; hold that nothing which was there before is missed, and that marks reach exactly what they name."""
    there = server.emit(api, "ann", [item] * before)
    coming = iter(steps)
    taken: list[str] = []
    marked: list[str] = []

    async def take(items: Sequence[Notification]) -> int:
        new = [each.upstream_id for each in items if each.upstream_id not in taken]
        taken.extend(new)
        arrive, mark = next(coming, (0, 0))
        there.extend(server.emit(api, "ann", [item] * arrive))
        chosen = [each for each in taken if each not in marked][:mark]
        results = await inbox.mark_read(chosen)
        assert {result.outcome for result in results} <= {MarkOutcome.CONFIRMED}
        marked.extend(chosen)
        return len(new)

    known = list(there)
    for _ in range(5):
        if (await sweep(inbox, take, to_end=True)).finished:
            break
    else:
        pytest.fail("the list never came to rest")
    assert set(known) <= set(taken)
    known = list(there)
    await sweep(inbox, take, to_end=True)
    assert set(known) <= set(taken)
    assert len(taken) == len(set(taken))
    assert {each.id for each in server.items(api, "ann") if each.read_at and each.id in there} == set(marked)


@pytest.mark.parametrize("api", ["elan", "atp"])
async def test_no_page_border_loses_what_moves_across_it(server: ReferenceServer, pool: HttpPool, api: str) -> None:
    loop = asyncio.get_running_loop()
    clock = HastyClock()
    numbers = itertools.count()

    @bounded
    @given(before=st.integers(0, 330), steps=changes)
    def check(before: int, steps: list[tuple[int, int]]) -> None:
        place = f"place-{next(numbers)}"
        keys: dict[str, Any] = {"org_id": place} if api == "elan" else {"params": {"service_id": place}}
        item: dict[str, Any] = {"org_id": place} if api == "elan" else {"service": {"id": place}}
        inbox = inbox_of(api, server.base_url(api), pool, clock, **keys)
        done = asyncio.run_coroutine_threadsafe(read_while_it_changes(server, inbox, api, item, before, steps), loop)
        done.result(timeout=30)

    await asyncio.to_thread(check)
    assert mark_alls(server) == []


# --- ELAN ----------------------------------------------------------------------------------------------------------


async def test_elan_marks_in_bulk_and_alone_only_what_the_count_leaves_open(
    server: ReferenceServer, pool: HttpPool
) -> None:
    ids = server.emit("elan", "ann", [{}] * 150)
    inbox = inbox_of("elan", server.base_url("elan"), pool, FakeClock())

    first = await inbox.mark_read(ids[:120])
    calls = server.log.total
    second = await inbox.mark_read([*ids[118:122], "unknown"])

    assert {result.outcome for result in (*first, *second)} == {MarkOutcome.CONFIRMED}
    assert unread(server, "elan") == ids[122:]
    assert calls == 2
    assert server.log.total - calls == 1 + 5
    assert mark_alls(server) == []


async def test_elan_sees_and_marks_the_pinned_organisation_alone(server: ReferenceServer, pool: HttpPool) -> None:
    [first] = server.emit("elan", "ann", [{}])
    [second] = server.emit("elan", "ann", [{"org_id": "org_2"}])
    for keys in ({"org_id": "org_2"}, {"headers": {"x-org-id": "org_2"}}):
        inbox = inbox_of("elan", server.base_url("elan"), pool, FakeClock(), **keys)
        page = await inbox.page()
        assert [(item.upstream_id, item.labels["org_id"]) for item in page.items] == [(second, "org_2")]
        assert await inbox.unread_count() == 1
    await inbox.mark_read([first, second])
    assert unread(server, "elan") == [first]


# --- ATP -----------------------------------------------------------------------------------------------------------


async def test_atp_takes_what_was_answered_for_marked_and_anothers_item_for_a_failed_mark(
    server: ReferenceServer, pool: HttpPool
) -> None:
    mine, answered = server.emit("atp", "ann", [{}, {}])
    [bobs] = server.emit("atp", "bob", [{}])
    change_status(server.context, StoredInbox(api="atp", user="ann"), answered, "responded")
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock())

    results = await inbox.mark_read([bobs, answered, mine])

    assert [result.outcome for result in results] == [MarkOutcome.FAILED, MarkOutcome.CONFIRMED, MarkOutcome.CONFIRMED]
    assert (await inbox.page()).items == ()
    assert unread(server, "atp", "bob") == [bobs]


ACKNOWLEDGE = "/atp/api/v1/client/notifications/acknowledge"


def acknowledgements(server: ReferenceServer) -> list[str]:
    return [entry.path for entry in server.log.entries() if entry.path.endswith("/acknowledge")]


async def test_atp_acknowledges_a_hundred_in_a_call_where_the_account_says_so(
    server: ReferenceServer, pool: HttpPool
) -> None:
    ids = server.emit("atp", "ann", [{}] * 150)
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock(), params={"bulk_acknowledge": "true"})

    results = await inbox.mark_read(ids)

    assert {result.outcome for result in results} == {MarkOutcome.CONFIRMED}
    assert acknowledgements(server) == [ACKNOWLEDGE] * 2
    assert unread(server, "atp") == []
    assert await inbox.mark_read([]) == []
    assert len(acknowledgements(server)) == 2


async def test_atp_acknowledges_one_by_one_what_the_call_for_several_does_not_confirm(
    server: ReferenceServer, pool: HttpPool
) -> None:
    mine, answered, other = server.emit("atp", "ann", [{}, {}, {}])
    [bobs] = server.emit("atp", "bob", [{}])
    change_status(server.context, StoredInbox(api="atp", user="ann"), answered, "responded")
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock(), params={"bulk_acknowledge": "true"})

    results = await inbox.mark_read([bobs, answered, mine, other])

    assert [result.outcome for result in results] == [MarkOutcome.FAILED] + [MarkOutcome.CONFIRMED] * 3
    assert (await inbox.page()).items == ()
    assert unread(server, "atp", "bob") == [bobs]


async def test_atp_acknowledges_one_by_one_where_there_is_no_call_for_several(
    server: ReferenceServer, pool: HttpPool
) -> None:
    server.context.traps.switch({Trap.ATP_BULK_ACKNOWLEDGE_MISSING: True})
    ids = server.emit("atp", "ann", [{}] * 3)
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock(), params={"bulk_acknowledge": "true"})

    results = await inbox.mark_read(ids)

    assert [result.outcome for result in results] == [MarkOutcome.CONFIRMED] * 3
    assert acknowledgements(server)[0] == ACKNOWLEDGE
    assert len(acknowledgements(server)) == 4
    assert unread(server, "atp") == []


async def test_atp_resumes_its_stream_behind_the_last_event(server: ReferenceServer, pool: HttpPool) -> None:
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock())
    async with inbox.stream(None) as stream:
        seen = server.emit("atp", "ann", [{}])
        assert upstream_ids(await next_items(stream, 1)) == seen
        place = stream.last_event_id
    missed = server.emit("atp", "ann", [{}, {}])
    change_status(server.context, StoredInbox(api="atp", user="ann"), seen[0], "expired")
    async with inbox.stream(place) as stream:
        found = await next_items(stream, 3)
    assert upstream_ids(found) == missed
    assert found[2] == StatusChange(upstream_id=seen[0], status="expired")


@pytest.mark.parametrize("code", [400, 431])
async def test_atp_begins_anew_where_the_place_is_not_known_any_more(
    server: ReferenceServer, pool: HttpPool, code: int
) -> None:
    async with front_door(server.base_url("atp")) as door:
        inbox = inbox_of("atp", door.url, pool, FakeClock())
        refuse = status(code)

        async def unknown_place(request: Any) -> Any:
            door.stream_answer = None
            return await refuse(request)

        door.stream_answer = unknown_place
        async with inbox.stream("long ago") as stream:
            new = server.emit("atp", "ann", [{}])
            assert upstream_ids(await next_items(stream, 1)) == new
        assert [request.headers.get("Last-Event-ID") for request in door.requests] == ["long ago", None]


async def test_atp_accounts_that_log_in_alike_poll_by_one_ration(server: ReferenceServer, pool: HttpPool) -> None:
    clock = FakeClock()
    rations = Rations(clock)
    base_url = server.base_url("atp")
    one, two = (inbox_of("atp", base_url, pool, clock, rations, name=name) for name in ("one", "two"))
    other = inbox_of("atp", base_url, pool, clock, rations, authorization={"credentials": "bob-token"})
    await one.page()
    await other.page()
    waiting = asyncio.ensure_future(two.unread_count())
    marked = await one.mark_read(server.emit("atp", "ann", [{}]))
    assert [result.outcome for result in marked] == [MarkOutcome.CONFIRMED]  # not a poll
    await clock.advance(1.2)
    assert not waiting.done()
    await clock.advance(0.1)
    assert await waiting == 0


async def test_atp_streams_what_its_list_would_list_and_no_more(server: ReferenceServer, pool: HttpPool) -> None:
    inbox = inbox_of("atp", server.base_url("atp"), pool, FakeClock(), params={"project": "shop"})
    async with inbox.stream(None) as stream:
        server.emit("atp", "ann", [{"context": {"project": "other"}}])
        [mine] = server.emit("atp", "ann", [{"context": {"project": "shop"}}])
        assert upstream_ids(await next_items(stream, 1)) == [mine]
    assert [item.upstream_id for item in (await inbox.page()).items] == [mine]

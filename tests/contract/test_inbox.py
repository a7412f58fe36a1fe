"""What every inbox does: the client of each API against a real server, and the stand-in that other tests use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest

from bellwire.apis import APIS
from bellwire.errors import RateLimitedError, StreamRefusedError, UnauthorizedError
from bellwire.model import Discard, MarkOutcome, MarkResult, StreamItem
from fakes import FakeClock, settle
from inbox_rigs import VENDORS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from bellwire.ports import Inbox, Stream
    from inbox_rigs import Vendor

T = TypeVar("T")

pytestmark = pytest.mark.timeout(20)


def test_every_api_is_held_to_this_contract() -> None:
    assert {name.removesuffix(" in bulk") for name in VENDORS} == {"fake", *APIS}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=list(VENDORS))
async def vendor(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Vendor]:
    async with VENDORS[request.param].opened(clock) as made:
        yield made


@pytest.fixture(params=[name for name, row in VENDORS.items() if row.streams])
async def streaming(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Vendor]:
    async with VENDORS[request.param].opened(clock) as made:
        yield made


@pytest.fixture(params=[name for name, row in VENDORS.items() if not row.streams])
async def streamless(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Vendor]:
    async with VENDORS[request.param].opened(clock) as made:
        yield made


async def patiently(clock: FakeClock, call: Coroutine[None, None, T]) -> T:
    """Let time pass while a vendor's limit of polls makes a call wait."""
    asked = asyncio.ensure_future(call)
    while not asked.done():
        await clock.advance(0.1)
    return await asked


async def every_page(inbox: Inbox, clock: FakeClock) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await patiently(clock, inbox.page(cursor))
        found += [each.upstream_id for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def next_items(stream: Stream, count: int) -> list[StreamItem]:
    found: list[StreamItem] = []
    async for batch in stream.batches():
        found += batch
        if len(found) >= count:
            break
    return found


async def test_an_empty_inbox_is_one_empty_page(vendor: Vendor) -> None:
    page = await vendor.inbox.page()
    assert (page.items, page.next_cursor) == ((), None)
    assert page.total in {0, None}  # not every vendor tells


async def test_all_pages_together_are_the_unread_notifications(vendor: Vendor, clock: FakeClock) -> None:
    vendor.emit(*(f"n{number}" for number in range(250)))
    assert await every_page(vendor.inbox, clock) == [f"n{number}" for number in reversed(range(250))]


async def test_the_count_is_that_of_the_unread(vendor: Vendor) -> None:
    vendor.emit("a", "b")
    assert await vendor.inbox.unread_count() == 2


@pytest.mark.parametrize("name", list(VENDORS))
async def test_one_is_unread_until_it_is_marked_and_what_is_not_there_is_not(name: str, clock: FakeClock) -> None:
    async with VENDORS[name].opened(clock) as vendor:
        vendor.emit("a", "b")
        before = await patiently(clock, vendor.inbox.is_unread("a"))
        await vendor.inbox.mark_read(["a"])
        after = [await patiently(clock, vendor.inbox.is_unread(each)) for each in ("a", "b", "gone")]
    assert [before, *after] == ([True, False, True, False] if VENDORS[name].tells_one else [None] * 4)


async def test_the_stream_brings_what_comes_while_it_is_open(streaming: Vendor) -> None:
    streaming.emit("before")
    async with streaming.inbox.stream(None) as stream:
        streaming.emit("a", "b")
        found = await next_items(stream, 2)
    assert [each.upstream_id for each in found if not isinstance(each, Discard)] == ["a", "b"]


async def test_a_keep_alive_is_an_empty_batch(streaming: Vendor) -> None:
    async with streaming.inbox.stream(None) as stream:
        streaming.keep_alive()
        assert await anext(aiter(stream.batches())) == []


async def test_what_cannot_be_read_on_the_stream_is_discarded_and_the_rest_comes(streaming: Vendor) -> None:
    async with streaming.inbox.stream(None) as stream:
        streaming.discard()
        streaming.emit("a")
        first, second = await next_items(stream, 2)
    assert isinstance(first, Discard)
    assert first.reason == "broken_json"
    assert not isinstance(second, Discard)


async def test_a_stream_that_the_vendor_closes_ends(streaming: Vendor) -> None:
    async with streaming.inbox.stream(None) as stream:
        streaming.close_streams()
        assert [batch async for batch in stream.batches() if batch] == []


async def test_marking_marks_these_and_no_others(vendor: Vendor) -> None:
    vendor.emit("a", "b", "c")
    results = await vendor.inbox.mark_read(["a", "c"])
    assert results == [MarkResult(upstream_id=each, outcome=MarkOutcome.CONFIRMED) for each in ("a", "c")]
    assert vendor.unread == ["b"]


async def test_marking_twice_is_confirmed_twice(vendor: Vendor) -> None:
    vendor.emit("a")
    await vendor.inbox.mark_read(["a"])
    (again,) = await vendor.inbox.mark_read(["a"])
    assert again.outcome is MarkOutcome.CONFIRMED


async def test_marking_what_is_not_there_any_more_is_confirmed(vendor: Vendor) -> None:
    vendor.emit("a")
    (result,) = await vendor.inbox.mark_read(["gone"])
    assert result.outcome is MarkOutcome.CONFIRMED
    assert vendor.unread == ["a"]


async def test_marking_nothing_sends_nothing(vendor: Vendor) -> None:
    vendor.emit("a")
    assert await vendor.inbox.mark_read([]) == []
    assert vendor.calls == 0


async def test_many_are_marked_in_one_go(vendor: Vendor) -> None:
    ids = [f"n{number}" for number in range(40)]
    vendor.emit(*ids)
    results = await vendor.inbox.mark_read(ids)
    assert [result.upstream_id for result in results] == ids
    assert vendor.unread == []


async def test_a_vendor_in_trouble_is_a_mark_to_try_again(vendor: Vendor) -> None:
    vendor.emit("a")
    vendor.refuse(500)
    (result,) = await vendor.inbox.mark_read(["a"])
    assert result.outcome is MarkOutcome.RETRY


async def test_refused_credentials_make_every_call_wait(vendor: Vendor, clock: FakeClock) -> None:
    vendor.refuse(401)
    with pytest.raises(UnauthorizedError):
        await vendor.inbox.page()
    made = vendor.calls
    calls = [
        asyncio.ensure_future(vendor.inbox.page()),
        asyncio.ensure_future(vendor.inbox.unread_count()),
        asyncio.ensure_future(vendor.inbox.mark_read(["a"])),
    ]
    await clock.advance(9.9)
    assert vendor.calls == made
    vendor.accept()
    await clock.advance(0.2)
    await asyncio.gather(*calls)
    assert vendor.calls >= made + 3


async def test_a_refusal_that_a_mark_meets_is_told_and_so_is_its_end(vendor: Vendor, clock: FakeClock) -> None:
    told: list[str] = []
    vendor.inbox.on_refusal(lambda: told.append("refused"), lambda: told.append("admitted"))
    vendor.emit("a")
    vendor.refuse(401)
    await vendor.inbox.mark_read(["a"])
    assert told == ["refused"]
    vendor.accept()
    page = asyncio.ensure_future(vendor.inbox.page())
    await clock.advance(11)
    await page
    assert told == ["refused", "admitted"]


async def test_while_credentials_stay_refused_the_pauses_double(vendor: Vendor, clock: FakeClock) -> None:
    vendor.refuse(401)
    pauses: list[float] = []
    for _ in range(7):
        call = asyncio.ensure_future(vendor.inbox.page())
        await settle()
        if clock.sleeping:
            pauses.append(clock.sleeping[0])
            await clock.advance(clock.sleeping[0])
        with pytest.raises(UnauthorizedError):
            await call
    assert pauses == [10, 20, 40, 80, 160, 300]


async def test_after_refused_credentials_one_call_goes_alone(vendor: Vendor, clock: FakeClock) -> None:
    vendor.refuse(401)
    with pytest.raises(UnauthorizedError):
        await vendor.inbox.page()
    made = vendor.calls
    calls = [asyncio.ensure_future(vendor.inbox.page()) for _ in range(5)]
    await clock.advance(10)
    done, rest = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await settle()
    assert (len(done), vendor.calls) == (1, made + 1)
    assert isinstance(done.pop().exception(), UnauthorizedError)
    for call in rest:
        call.cancel()
    await asyncio.wait(rest)


async def test_retry_after_is_obeyed_by_every_call(vendor: Vendor, clock: FakeClock) -> None:
    vendor.refuse(429, retry_after=7)
    with pytest.raises(RateLimitedError) as caught:
        await vendor.inbox.page()
    assert caught.value.retry_after == 7
    made = vendor.calls
    vendor.accept()
    calls = [asyncio.ensure_future(vendor.inbox.page()), asyncio.ensure_future(vendor.inbox.mark_read(["a"]))]
    await clock.advance(6.9)
    assert vendor.calls == made
    await clock.advance(0.1)
    await asyncio.gather(*calls)


async def test_a_stream_that_is_refused_leaves_the_list(streaming: Vendor, clock: FakeClock) -> None:
    streaming.emit("a")
    streaming.refuse_streams()
    with pytest.raises(StreamRefusedError):
        async with streaming.inbox.stream(None):
            pass
    assert await every_page(streaming.inbox, clock) == ["a"]


async def test_a_call_that_waits_can_be_cancelled_and_others_go_on(vendor: Vendor, clock: FakeClock) -> None:
    vendor.refuse(401)
    with pytest.raises(UnauthorizedError):
        await vendor.inbox.page()
    waiting = asyncio.ensure_future(vendor.inbox.page())
    await settle()
    waiting.cancel()
    vendor.accept()
    other = asyncio.ensure_future(vendor.inbox.page())
    await clock.advance(10)
    assert (await other).items == ()
    assert waiting.cancelled()


async def test_an_api_without_a_stream_says_so_and_asks_nobody(streamless: Vendor) -> None:
    with pytest.raises(StreamRefusedError) as caught:
        async with streamless.inbox.stream(None):
            pass
    assert caught.value.reason == "no_stream"
    assert streamless.calls == 0

"""Claims that are taken ahead of the senders, over a ledger that is slow, or fails."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.demo.receivers.journal import Journal
from bellwire.dispatch import Dispatch, Lane
from bellwire.errors import LedgerError
from bellwire.ledger import auditing, reading
from bellwire.metrics import Metrics
from bellwire.model import DeliveryState, Envelope, Message, Receipt
from makers import PAGER, VISION, a_policy, an_alert, an_arrival, in_a_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bellwire.ledger.ledger import Ledger
    from bellwire.records import Arrival, ChannelPolicy, Claims, Start
    from fakes import FakeClock


class Channel(Journal[Envelope]):
    """Renders the titles; accepts what it is sent, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    def render(self, message: Message) -> bytes:
        return "|".join(alert.title for alert in message.alerts).encode()

    async def send(self, envelope: Envelope) -> Receipt:
        self.add(envelope)
        await self.open.wait()
        return Receipt(detail="200")

    @property
    def titles(self) -> list[str]:
        return [envelope.body.decode() for envelope in self.messages]


class Troubled:
    """A ledger to which something happens: ``before`` an advance, with its starts, and ``after`` it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.before: Callable[[Sequence[Start]], Awaitable[None]] = _nothing
        self.after: Callable[[Sequence[Start]], Awaitable[None]] = _nothing
        self.unclaims = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def advance(
        self, policy: ChannelPolicy, starts: Sequence[Start], limit: int, offered: Collection[str] | None = None
    ) -> tuple[list[bool], Claims]:
        await self.before(starts)
        result = await self._ledger.advance(policy, starts, limit, offered)
        await self.after(starts)
        return result

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        if not self.unclaims:
            msg = "unclaim failed"
            raise LedgerError(msg)
        await self._ledger.unclaim(delivery_ids)


async def _nothing(_starts: Sequence[Start]) -> None:
    pass


def a_dispatch(ledger: Any, clock: FakeClock, channel: Channel, width: int, **policy: Any) -> Dispatch:
    lane = Lane(policy=a_policy(**policy), channel=channel, width=width)
    return Dispatch(lane, ledger, clock, Metrics(), random.Random(1))


async def end(dispatch: Dispatch, task: asyncio.Task[None]) -> None:
    dispatch.stop()
    await asyncio.wait({task}, timeout=5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def delivered(ledger: Ledger) -> int:
    audit = await ledger.ask(auditing.audit_ledger)
    assert audit["unaccounted"] == 0
    return int(audit["states"]["delivered"])


async def until_claimed(ledger: Ledger, number: int) -> None:
    """Wait until so many deliveries are in someone's hands."""
    state = DeliveryState.SENDING
    async with asyncio.timeout(5):
        while len(await ledger.ask(lambda connection: reading.list_deliveries(connection, state, 100))) != number:
            await ledger.ping()


async def until_delivered(ledger: Ledger, number: int) -> None:
    async with asyncio.timeout(5):
        while await delivered(ledger) < number:
            await ledger.ping()


@pytest.mark.parametrize("seconds", [1.5, 2.5])
@pytest.mark.parametrize("width", [1, 4])
async def test_commits_that_take_long_keep_nothing_from_being_sent(
    ledger: Ledger, clock: FakeClock, width: int, seconds: float
) -> None:
    async def slowly(_starts: Sequence[Start]) -> None:
        await clock.advance(seconds)

    troubled, channel = Troubled(ledger), Channel()
    troubled.after = slowly
    await ledger.record([an_arrival(PAGER) for _ in range(10)])
    dispatch = a_dispatch(troubled, clock, channel, width)
    task = asyncio.create_task(dispatch.run())
    try:
        await until_delivered(ledger, 10)
    finally:
        await end(dispatch, task)
    assert len(channel.messages) == 10


@pytest.mark.parametrize("width", [1, 4])
async def test_what_stood_ready_when_the_ledger_failed_is_sent_long_before_its_lease_runs_out(
    ledger: Ledger, clock: FakeClock, width: int
) -> None:
    failed: list[int] = []

    async def fail_once(starts: Sequence[Start]) -> None:
        if starts and not failed:
            failed.append(len(starts))
            msg = "advance failed"
            raise LedgerError(msg)

    troubled, channel = Troubled(ledger), Channel()
    troubled.before = fail_once
    await ledger.record([an_arrival(PAGER) for _ in range(10)])
    dispatch = a_dispatch(troubled, clock, channel, width)
    task = asyncio.create_task(dispatch.run())
    try:
        async with asyncio.timeout(5):
            while not failed:
                await ledger.ping()
        await clock.advance(2)
        await until_delivered(ledger, 10)
    finally:
        await end(dispatch, task)
    assert [envelope.doubtful for envelope in channel.messages] == [False] * 10


@pytest.mark.parametrize(
    "make", [lambda _number: an_arrival(PAGER), lambda number: in_a_group(number, PAGER)], ids=["offered", "claimed"]
)
@pytest.mark.parametrize("width", [1, 4])
async def test_a_lease_that_ran_out_before_the_attempt_could_be_written_leaves_nothing_behind(
    ledger: Ledger, clock: FakeClock, width: int, make: Callable[[int], Arrival]
) -> None:
    held: list[int] = []

    async def hold_once(starts: Sequence[Start]) -> None:
        if starts and not held:
            held.append(len(starts))
            await clock.advance(100)

    troubled, channel = Troubled(ledger), Channel()
    troubled.before = hold_once
    await ledger.record([make(number) for number in range(width)])
    dispatch = a_dispatch(troubled, clock, channel, width, lease=90.0)
    task = asyncio.create_task(dispatch.run())
    try:
        await until_delivered(ledger, width)
    finally:
        await end(dispatch, task)
    assert len(channel.messages) == width


async def test_a_lane_that_cannot_give_back_its_claims_ends_its_sends_all_the_same(
    ledger: Ledger, clock: FakeClock
) -> None:
    troubled, channel = Troubled(ledger), Channel()
    channel.open.clear()
    await ledger.record([in_a_group(number, PAGER) for number in range(8)])
    dispatch = a_dispatch(troubled, clock, channel, 4)
    task = asyncio.create_task(dispatch.run())
    await channel.wait_for(4)
    await until_claimed(ledger, 8)
    troubled.unclaims = False
    dispatch.stop()
    await ledger.ping()
    channel.open.set()
    async with asyncio.timeout(5):
        await task
    assert await delivered(ledger) == 4


async def test_what_is_given_back_keeps_its_turn(ledger: Ledger, clock: FakeClock) -> None:
    channel = Channel()
    channel.open.clear()
    for number in range(12):
        await ledger.record([in_a_group(number, PAGER, alert=an_alert(title=f"{number:02}"))])
        await clock.advance(0.01)
    dispatch = a_dispatch(ledger, clock, channel, 2)
    task = asyncio.create_task(dispatch.run())
    try:
        await channel.wait_for(2)
        await until_claimed(ledger, 4)
        await clock.advance(1.1)
        await until_claimed(ledger, 2)
        channel.open.set()
        await until_delivered(ledger, 12)
    finally:
        await end(dispatch, task)
    assert channel.titles == sorted(channel.titles)


async def test_a_lane_that_is_cut_off_while_it_writes_attempts_gives_back_all_that_it_had(
    ledger: Ledger, clock: FakeClock
) -> None:
    writing = asyncio.Event()

    async def wait(starts: Sequence[Start]) -> None:
        if starts:
            writing.set()
            await asyncio.Event().wait()

    troubled, channel = Troubled(ledger), Channel()
    troubled.before = wait
    await ledger.record([in_a_group(number, PAGER) for number in range(8)])
    task = asyncio.create_task(a_dispatch(troubled, clock, channel, 4).run())
    await writing.wait()
    await until_claimed(ledger, 8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_claimed(ledger, 0)
    assert not channel.messages


async def test_what_stands_ready_is_only_offered_and_may_be_stopped_until_its_attempt(
    ledger: Ledger, clock: FakeClock
) -> None:
    channel = Channel()
    channel.open.clear()
    for number in range(8):
        await ledger.record([an_arrival(PAGER, alert=an_alert(title=f"{number:02}", upstream_id=f"i{number}"))])
        await clock.advance(0.01)
    dispatch = a_dispatch(ledger, clock, channel, 4)
    task = asyncio.create_task(dispatch.run())
    try:
        await channel.wait_for(4)
        await until_claimed(ledger, 4)
        assert await ledger.read_upstream(VISION, ["i5"], "a list") == 1
        channel.open.set()
        await until_delivered(ledger, 7)
    finally:
        await end(dispatch, task)
    assert channel.titles == ["00", "01", "02", "03", "04", "06", "07"]

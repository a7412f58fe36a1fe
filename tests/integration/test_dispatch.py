"""Dispatch over a real ledger, with a channel that does as it is told."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from bellwire.demo.receivers.journal import Journal
from bellwire.dispatch import Dispatch, Lane
from bellwire.errors import DeliveryError, Verdict
from bellwire.ledger import auditing, reading
from bellwire.metrics import Metrics
from bellwire.model import DeliveryKind, DeliveryState, Envelope, Message, Receipt
from bellwire.outcome_report import OutcomeReport
from bellwire.outcomes import failure_outcome
from bellwire.records import Arrival, Claim, Outcome, Settled
from fakes import FakeClock
from makers import OPS, PAGER, a_policy, an_alert, an_arrival, ids, in_a_group

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import ChannelKey

Answer = Callable[[Envelope], Awaitable[Receipt]]


class ScriptedChannel(Journal[Envelope]):
    """Renders the titles; answers as ``answer`` says."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__()
        self.answer = answer or accept
        self.rendered = 0

    def render(self, message: Message) -> bytes:
        self.rendered += 1
        return "|".join(alert.title for alert in message.alerts).encode()

    async def send(self, envelope: Envelope) -> Receipt:
        self.add(envelope)
        return await self.answer(envelope)


async def accept(_envelope: Envelope) -> Receipt:
    return Receipt(detail="200")


def failing(*errors: DeliveryError) -> Answer:
    """Answer with these, one an attempt, and accept what comes after."""
    left = list(errors)

    async def answer(_envelope: Envelope) -> Receipt:
        if left:
            raise left.pop(0)
        return Receipt(detail="200")

    return answer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@asynccontextmanager
async def dispatching(
    ledger: Ledger, clock: FakeClock, metrics: Metrics, channel: Any, key: ChannelKey = PAGER, **values: Any
) -> AsyncIterator[Dispatch]:
    lane = Lane(policy=a_policy(key, **values), channel=channel, width=8)
    dispatch = Dispatch(lane, ledger, clock, metrics, random.Random(1))
    task = asyncio.create_task(dispatch.run())
    try:
        yield dispatch
    finally:
        dispatch.stop()
        await asyncio.wait({task}, timeout=5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def states(ledger: Ledger) -> dict[str, int]:
    audit = await ledger.ask(auditing.audit_ledger)
    assert audit["unaccounted"] == 0
    return {state: number for state, number in audit["states"].items() if number}


async def settled(ledger: Ledger, expected: dict[str, int]) -> None:
    """Wait until the ledger says so: every commit is something to look after."""
    async with asyncio.timeout(10):
        while await states(ledger) != expected:
            await ledger.ping()


async def in_state(ledger: Ledger, state: str) -> int:
    """Return how many deliveries are in it."""
    return len(await ledger.ask(lambda connection: reading.list_deliveries(connection, DeliveryState(state), 100)))


async def test_what_is_owed_is_sent_and_settled(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    channel = ScriptedChannel()
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER) for _ in range(20)])
        await channel.wait_for(20)
        await settled(ledger, {"delivered": 20})
    sent = metrics.registry.get_sample_value(
        "bellwire_notifications_total", {"receiver": "pager", "channel": "webhook"}
    )
    assert sent == 20


async def test_the_attempt_is_written_before_it_is_made(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    seen: list[Any] = []

    async def look(envelope: Envelope) -> Receipt:
        (delivery,) = await ledger.ask(lambda connection: reading.list_deliveries(connection, None, 1))
        seen.append((delivery["id"], delivery["attempts"], delivery["state"]))
        return Receipt(detail=envelope.delivery_id)

    channel = ScriptedChannel(look)
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER)])
        await channel.wait_for(1)
        await settled(ledger, {"delivered": 1})
    assert seen == [(channel.messages[0].delivery_id, 1, "sending")]


async def test_what_follows_a_send_waits_until_its_outcome_is_written(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    followed: Journal[dict[str, int]] = Journal()

    async def follow() -> None:
        followed.add(await states(ledger))

    async def answer(envelope: Envelope) -> Receipt:
        number = len(channel.messages)
        return Receipt(detail=envelope.delivery_id, remote="C1", group=f"left {number}", afterwards=follow)

    channel = ScriptedChannel(answer)
    group = {"group_key": "g", "group_labels": {}, "interval": 0}
    async with dispatching(ledger, clock, metrics, channel):
        for number in (1, 2):
            await ledger.record([an_arrival(PAGER, destination=group)])
            await followed.wait_for(number)

    assert followed.messages == [{"delivered": 1}, {"delivered": 2}]
    assert [envelope.group for envelope in channel.messages] == ["", "left 1"]


async def test_a_pause_asked_of_what_follows_a_send_holds_for_the_channel(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    pauses = [30.0, None]
    followed: Journal[datetime] = Journal()

    async def follow() -> float | None:
        followed.add(clock.now())
        return pauses.pop(0)

    async def answer(envelope: Envelope) -> Receipt:
        return Receipt(detail=envelope.delivery_id, afterwards=None if followed.messages else follow)

    channel, start = ScriptedChannel(answer), clock.now()
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER)])
        await followed.wait_for(1)
        await ledger.ping()  # the pause is written
        await ledger.record([an_arrival(PAGER)])
        await clock.advance(29)
        assert len(channel.messages) == 1
        await clock.advance(1)
        await followed.wait_for(2)
        await settled(ledger, {"delivered": 2})
    assert followed.messages == [start, start + timedelta(seconds=30)]


async def test_what_waits_for_a_channel_that_refuses_everything_dies_on_time(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    async def refuse(_envelope: Envelope) -> Receipt:
        raise DeliveryError(message, verdict=Verdict.CHANNEL_FAULT, reason="http_401")

    message, channel = "HTTP 401", ScriptedChannel(refuse)
    with capture_logs() as logs:
        async with dispatching(ledger, clock, metrics, channel, max_age=60.0):
            await ledger.record([an_arrival(PAGER) for _ in range(100)])
            await channel.wait_for(1)
            for _ in range(75):
                await ledger.ping()
                await clock.advance(1)
            await settled(ledger, {"dead": 100})
    together = sum(
        log["deliveries"] for log in logs if log["event"] == "deliveries_dead" and log["reason"] == "max_age"
    )
    assert together + sum(log["event"] == "delivery_dead" for log in logs) == 100
    assert together > 80


async def test_a_transient_failure_is_tried_again_with_the_same_id_and_body(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    channel = ScriptedChannel(failing(DeliveryError("503", reason="http_503")))
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER)])
        await channel.wait_for(1)
        while len(channel.messages) < 2:
            await ledger.ping()
            await clock.advance(0.1)
        await settled(ledger, {"delivered": 1})
    first, second = channel.messages
    assert (first.delivery_id, first.body) == (second.delivery_id, second.body)
    assert (first.attempt, second.attempt, second.doubtful) == (1, 2, False)


async def test_a_message_at_fault_is_dead_at_once(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    channel = ScriptedChannel(failing(DeliveryError("400", verdict=Verdict.MESSAGE_FAULT, reason="http_400")))
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER)])
        await settled(ledger, {"dead": 1})
    assert len(channel.messages) == 1


async def test_a_channel_that_hangs_holds_up_nobody_else(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    never = asyncio.Event()

    async def hang(_envelope: Envelope) -> Receipt:
        await never.wait()
        return Receipt(detail="never")

    hanging, working = ScriptedChannel(hang), ScriptedChannel()
    async with dispatching(ledger, clock, metrics, hanging), dispatching(ledger, clock, metrics, working, OPS):
        await ledger.record([an_arrival(PAGER, OPS) for _ in range(50)])
        await working.wait_for(50)
        assert len(hanging.messages) == 8  # as many as may be under way at once


async def test_what_waits_too_long_for_a_place_is_given_back(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    never = asyncio.Event()

    async def hang(_envelope: Envelope) -> Receipt:
        await never.wait()
        return Receipt(detail="never")

    channel = ScriptedChannel(hang)
    await ledger.record([in_a_group(number, PAGER) for number in range(50)])
    async with dispatching(ledger, clock, metrics, channel):
        await channel.wait_for(8)
        while await in_state(ledger, "sending") != 16:  # as many again stand ready
            await ledger.ping()
        await clock.advance(0.9)
        assert await in_state(ledger, "sending") == 16
        await clock.advance(0.2)
        while await in_state(ledger, "sending") != 8:
            await ledger.ping()
        assert await in_state(ledger, "pending") == 42
        assert len(channel.messages) == 8


@pytest.mark.parametrize("make", [lambda _number: an_arrival(PAGER), lambda number: in_a_group(number, PAGER)])
async def test_what_stands_ready_is_not_sent_while_the_other_side_wants_a_pause(
    ledger: Ledger, clock: FakeClock, metrics: Metrics, make: Callable[[int], Arrival]
) -> None:
    go_on = asyncio.Event()
    too_many = DeliveryError("429", verdict=Verdict.RETRY, reason="http_429", retry_after=10.0)

    async def answer(_envelope: Envelope) -> Receipt:
        if len(channel.messages) <= 8:
            await go_on.wait()
            raise too_many
        return Receipt(detail="200")

    channel = ScriptedChannel(answer)
    await ledger.record([make(number) for number in range(20)])
    async with dispatching(ledger, clock, metrics, channel):
        await channel.wait_for(8)
        while channel.rendered < 16:  # as many again stand ready
            await ledger.ping()
        go_on.set()
        while await in_state(ledger, "sending"):
            await ledger.ping()
        await clock.advance(9.9)
        await ledger.ping()
        assert len(channel.messages) == 8
        while await states(ledger) != {"delivered": 20}:
            await clock.advance(1)
            await ledger.ping()
    assert [envelope.attempt for envelope in channel.messages[8:]].count(1) == 12


async def test_a_channel_that_raises_what_it_must_not_costs_no_alert(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    raised: list[bool] = []

    async def stumble(_envelope: Envelope) -> Receipt:
        if not raised:
            raised.append(True)
            raise ZeroDivisionError
        return Receipt(detail="200")

    channel = ScriptedChannel(stumble)
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER)])
        while len(channel.messages) < 2:
            await ledger.ping()
            await clock.advance(0.1)
        await settled(ledger, {"delivered": 1})
    assert channel.messages[1].doubtful


async def test_a_message_that_cannot_be_made_goes_out_in_the_plain_form(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    class Choosy(ScriptedChannel):
        def render(self, message: Message) -> bytes:
            if message.alerts[0].payload is not None:
                raise KeyError(message.alerts[0].title)
            return "; ".join(message.errors).encode()

    channel = Choosy()
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER, alert=an_alert(payload={"odd": 1}))])
        await settled(ledger, {"delivered": 1})
    assert channel.messages[0].body == b"KeyError: this message could not be made"
    failed = {"receiver": "pager", "channel": "webhook"}
    assert metrics.registry.get_sample_value("bellwire_render_errors_total", failed) == 1


async def test_a_stop_lets_what_is_under_way_end(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    go_on = asyncio.Event()

    async def slowly(_envelope: Envelope) -> Receipt:
        await go_on.wait()
        return Receipt(detail="200")

    channel = ScriptedChannel(slowly)
    dispatch = Dispatch(Lane(policy=a_policy(), channel=channel, width=1), ledger, clock, metrics, random.Random(1))
    task = asyncio.create_task(dispatch.run())
    await ledger.record([an_arrival(PAGER), an_arrival(PAGER)])
    await channel.wait_for(1)
    dispatch.stop()
    go_on.set()
    await task
    assert len(channel.messages) == 1
    assert await states(ledger) == {"delivered": 1, "in_flight": 1}


async def test_a_send_that_is_cut_off_is_in_doubt(ledger: Ledger, clock: FakeClock, metrics: Metrics) -> None:
    never = asyncio.Event()

    async def hang(_envelope: Envelope) -> Receipt:
        await never.wait()
        return Receipt(detail="never")

    channel = ScriptedChannel(hang)
    dispatch = Dispatch(Lane(policy=a_policy(), channel=channel), ledger, clock, metrics, random.Random(1))
    task = asyncio.create_task(dispatch.run())
    await ledger.record([an_arrival(PAGER)])
    await channel.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.advance(100)  # the lease runs out
    (claim,) = (await ledger.claim(a_policy(), 1)).claims
    assert claim.doubtful


async def test_a_send_that_its_channel_never_ends_is_ended_before_its_lease(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    never = asyncio.Event()

    async def hang(_envelope: Envelope) -> Receipt:
        await never.wait()
        return Receipt(detail="never")

    channel = ScriptedChannel(hang)
    labels = {"receiver": "pager", "channel": "webhook", "reason": "timeout"}
    async with dispatching(ledger, clock, metrics, channel, lease=10.05):  # a twentieth of a second for the send
        await ledger.record([an_arrival(PAGER)])
        await channel.wait_for(1)
        async with asyncio.timeout(10):
            while not metrics.registry.get_sample_value("bellwire_notifications_failed_total", labels):
                await ledger.ping()
        channel.answer = accept
        while len(channel.messages) < 2:
            await ledger.ping()
            await clock.advance(0.1)
        await settled(ledger, {"delivered": 1})
    assert channel.messages[1].doubtful


@pytest.mark.parametrize(
    ("errors", "events"),
    [
        ([], ["delivery_sent"]),
        ([DeliveryError("503", reason="http_503")], ["delivery_failed", "delivery_sent"]),
        ([DeliveryError("none", verdict=Verdict.IN_DOUBT, reason="timeout")], ["delivery_failed", "delivery_sent"]),
        ([DeliveryError("400", verdict=Verdict.MESSAGE_FAULT, reason="http_400")], ["delivery_dead"]),
    ],
)
async def test_a_line_of_the_log_names_the_delivery_and_the_first_of_its_alerts(
    ledger: Ledger, clock: FakeClock, metrics: Metrics, errors: list[DeliveryError], events: list[str]
) -> None:
    group = {"group_key": "g", "group_labels": {}, "wait": 1, "interval": 0}
    channel = ScriptedChannel(failing(*errors))
    with capture_logs() as lines:
        async with dispatching(ledger, clock, metrics, channel):
            recorded = ids(await ledger.record([an_arrival(PAGER, destination=group) for _ in range(12)]))
            while len(channel.messages) < len(events):
                await ledger.ping()
                await clock.advance(1)
            await settled(ledger, {"dead" if "delivery_dead" in events else "delivered": 12})
    told = [line for line in lines if line["event"].startswith("delivery_")]
    assert [line["event"] for line in told] == events
    which = {"delivery": channel.messages[0].delivery_id, "alerts": recorded[:10], "more": 2}
    for line in told:
        assert {name: line.get(name) for name in which} == which


async def test_of_lines_that_nobody_writes_nothing_is_made(metrics: Metrics) -> None:
    class Silent:
        @property
        def message(self) -> Message:
            raise AssertionError

        members = message

    claim: Any = Silent()
    failed = Outcome(delivery_id="01J", attempt=1, verdict=Verdict.RETRY, reason="http_503")
    outcomes = [replace(failed, verdict=None, reason=""), failed, replace(failed, dead=True)]
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        OutcomeReport(PAGER, "webhook", metrics).note([(claim, each) for each in outcomes], [Settled()] * len(outcomes))
    finally:
        structlog.configure(**before)
    labels = {"receiver": "pager", "channel": "webhook"}
    assert metrics.registry.get_sample_value("bellwire_notifications_total", labels) == 1
    labels["reason"] = "http_503"
    assert metrics.registry.get_sample_value("bellwire_notifications_failed_total", labels) == 2


async def test_a_message_that_cannot_even_be_made_plainly_is_dead_and_harms_no_other(
    ledger: Ledger, clock: FakeClock, metrics: Metrics
) -> None:
    class Helpless(ScriptedChannel):
        def render(self, message: Message) -> bytes:
            if message.alerts[0].title == "bad":
                raise ValueError(message.delivery_id)
            return super().render(message)

    channel = Helpless()
    async with dispatching(ledger, clock, metrics, channel):
        await ledger.record([an_arrival(PAGER, alert=an_alert(title="bad")), an_arrival(PAGER)])
        await settled(ledger, {"dead": 1, "delivered": 1})
    assert len(channel.messages) == 1


def test_an_attempt_that_may_have_arrived_stays_in_doubt_through_later_failures() -> None:
    doubtful = replace(a_claim(1), doubtful=True)
    outcome = failure_outcome(DeliveryError("503", reason="http_503"), doubtful, a_policy(), NOW, 1.0)
    assert outcome.doubtful


# --- what becomes of a failure, as a pure function -------------------------------------------------------------------

NOW = FakeClock().now()


def a_claim(attempts: int = 0, age: float = 0) -> Claim:
    message = Message(delivery_id="D", kind=DeliveryKind.ALERT, receiver="pager", alerts=())
    first = NOW - timedelta(seconds=age) if attempts else None
    return Claim(
        message=message,
        kind=message.kind,
        attempts=attempts,
        first_attempt_at=first,
        doubtful=False,
        body=None,
        remote="",
    )


def decided(error: DeliveryError, claim: Claim, chance: float = 1.0) -> tuple[float | None, float | None, bool]:
    policy = a_policy(initial_backoff=1, max_backoff=60, max_age=3600)
    outcome = failure_outcome(error, claim, policy, NOW, chance)
    due, blocked = (
        None if moment is None else (moment - NOW).total_seconds() for moment in (outcome.due_at, outcome.blocked_until)
    )
    return due, blocked, outcome.dead


@pytest.mark.parametrize(("attempts", "pause"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (1000, 60)])
def test_pauses_double_up_to_their_limit(attempts: int, pause: float) -> None:
    assert decided(DeliveryError("x", reason="x"), a_claim(attempts)) == (pause, None, False)


def test_jitter_takes_the_whole_pause() -> None:
    assert decided(DeliveryError("x", reason="x"), a_claim(3), chance=0.25) == (2, None, False)


def test_retry_after_is_obeyed_to_the_second_and_blocks_the_channel() -> None:
    assert decided(DeliveryError("x", reason="x", retry_after=17), a_claim(0)) == (17, 17, False)


def test_a_channel_at_fault_uses_up_no_time_of_its_deliveries() -> None:
    assert decided(DeliveryError("x", verdict=Verdict.CHANNEL_FAULT, reason="x"), a_claim(7)) == (0, None, False)


def test_a_delivery_is_dead_once_it_is_older_than_its_first_attempt_allows() -> None:
    error = DeliveryError("x", reason="x")
    assert decided(error, a_claim(3, age=3599))[2] is False
    assert decided(error, a_claim(3, age=3600)) == (None, None, True)

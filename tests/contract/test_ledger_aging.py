"""What waits for a channel that is held up gets too old on time, whatever the channel is held up by."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.model import DeliveryState
from bellwire.records import NewSilence
from ledger_rig import backed, deliveries, end, fail, owed, send, states, take
from makers import OPS, PAGER, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.records import ChannelPolicy, Claims
    from fakes import FakeClock

MAX_AGE = 3600.0
BROKEN: dict[str, Any] = {"verdict": Verdict.CHANNEL_FAULT, "reason": "http_401"}


def patient(**values: Any) -> ChannelPolicy:
    """Return a policy whose breaker lets a probe through each two hours: none comes in time."""
    return a_policy(PAGER, **{"max_age": MAX_AGE, "initial_backoff": 7200.0, "max_backoff": 7200.0} | values)


async def look(ledger: Ledger, policy: ChannelPolicy) -> Claims:
    """Ask for work, as dispatch does when it is woken; there is none to be had."""
    claims = await ledger.claim(policy, 10)
    assert claims.claims == ()
    return claims


async def pause(ledger: Ledger, policy: ChannelPolicy, until: datetime) -> None:
    """Send what is due, and be asked for a pause."""
    await send(ledger, policy, verdict=Verdict.RETRY, reason="http_429", due_at=until, blocked_until=until)


async def test_what_a_broken_channel_was_tried_with_dies_an_hour_after_its_first_attempt(
    ledger: Ledger, clock: FakeClock
) -> None:
    policy = patient()
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    await fail(ledger, policy)
    await clock.advance(600)
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)

    claims = await look(ledger, policy)
    assert claims.next_due == clock.now() + timedelta(seconds=MAX_AGE - 600)
    assert claims.died == 0
    await clock.advance(MAX_AGE - 600)
    claims = await look(ledger, policy)
    assert claims.died == 3
    assert claims.next_due == clock.now() + timedelta(seconds=600)
    assert await states(ledger) == {"dead": 3, "in_flight": 1}
    assert {each["reason"] for each in await deliveries(ledger, DeliveryState.DEAD)} == {"max_age"}
    await clock.advance(600)
    assert (await look(ledger, policy)).died == 1


async def test_what_a_broken_channel_was_never_tried_with_counts_from_when_it_was_due(
    ledger: Ledger, clock: FakeClock
) -> None:
    policy = patient()
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    await clock.advance(60)
    await ledger.record([an_arrival(PAGER)])
    await clock.advance(MAX_AGE - 60)

    claims = await look(ledger, policy)
    assert claims.died == 1
    assert claims.next_due == clock.now() + timedelta(seconds=60)
    await clock.advance(60)
    assert (await look(ledger, policy)).died == 1
    assert await states(ledger) == {"dead": 2}


async def test_what_waited_before_its_channel_broke_counts_from_then(ledger: Ledger, clock: FakeClock) -> None:
    policy = patient()
    await ledger.record([an_arrival(PAGER) for _ in range(2)])
    await clock.advance(2 * MAX_AGE)  # as if nobody had been there
    await end(ledger, policy, await take(ledger, policy, 1), due_at=clock.now(), **BROKEN)

    claims = await look(ledger, policy)
    assert (claims.died, claims.next_due) == (0, clock.now() + timedelta(seconds=MAX_AGE))
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 2


async def test_a_long_pause_lets_it_die_on_time(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(PAGER, max_age=MAX_AGE)
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    await pause(ledger, policy, clock.now() + timedelta(days=1))

    assert (await look(ledger, policy)).next_due == clock.now() + timedelta(seconds=MAX_AGE)
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 3
    assert await states(ledger) == {"dead": 3}


async def test_a_pause_kills_nothing_that_was_too_old_before_it(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(PAGER, max_age=MAX_AGE)
    await ledger.record([an_arrival(PAGER)])
    await fail(ledger, policy)
    await clock.advance(2 * MAX_AGE)  # the daemon was down
    await ledger.pause(PAGER, clock.now() + timedelta(seconds=30))

    claims = await look(ledger, policy)
    assert (claims.died, claims.next_due) == (0, clock.now() + timedelta(seconds=30))
    await clock.advance(30)
    await send(ledger, policy)
    assert await states(ledger) == {"delivered": 1}


async def test_a_longer_pause_goes_on_from_the_first_and_a_shorter_one_changes_nothing(
    ledger: Ledger, clock: FakeClock
) -> None:
    policy = a_policy(PAGER, max_age=MAX_AGE)
    await ledger.record([an_arrival(PAGER)])
    await ledger.pause(PAGER, clock.now() + timedelta(seconds=MAX_AGE / 2))
    await clock.advance(60)
    until = clock.now() + timedelta(seconds=2 * MAX_AGE)
    await ledger.pause(PAGER, until)
    await ledger.pause(PAGER, clock.now() + timedelta(seconds=5))

    assert (await look(ledger, policy)).next_due == clock.now() + timedelta(seconds=MAX_AGE - 60)
    await clock.advance(MAX_AGE - 60)
    claims = await look(ledger, policy)
    assert (claims.died, claims.next_due) == (1, until)


async def test_its_stand_ins_get_what_dies_so(ledger: Ledger, clock: FakeClock) -> None:
    policy = backed(max_age=MAX_AGE, fallback_after=10 * MAX_AGE, initial_backoff=7200.0, max_backoff=7200.0)
    (alert_id,) = ids(await ledger.record([an_arrival(PAGER)]))
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 1

    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}


async def test_many_die_some_at_a_time_and_the_rest_is_looked_at_at_once(ledger: Ledger, clock: FakeClock) -> None:
    policy, work = patient(), ledger.work(PAGER)
    await ledger.record([an_arrival(PAGER) for _ in range(701)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    await clock.advance(MAX_AGE)

    work.clear()
    assert (await look(ledger, policy)).died == 500
    assert work.is_set()
    work.clear()
    assert (await look(ledger, policy)).died == 201
    assert not work.is_set()
    assert await states(ledger) == {"dead": 701}


async def test_a_group_that_dies_lets_its_next_message_wait_for_its_own_age(ledger: Ledger, clock: FakeClock) -> None:
    policy = patient(initial_backoff=86_400.0, max_backoff=86_400.0)
    group = {"group_key": "g", "group_labels": {}, "interval": 0}
    await ledger.record([an_arrival(PAGER, destination=group)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    await clock.advance(60)
    await ledger.record([an_arrival(PAGER, destination=group)])
    await clock.advance(MAX_AGE - 60)

    assert (await look(ledger, policy)).died == 1
    assert await states(ledger) == {"dead": 1, "in_flight": 1}
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 1


async def test_what_waited_while_nobody_was_there_is_not_held_to_have_failed(ledger_url: str, clock: FakeClock) -> None:
    policy = a_policy(PAGER, max_age=MAX_AGE, initial_backoff=60.0, max_backoff=60.0)
    before = await Ledger.open(ledger_url, lambda _last: clock)
    await before.record([an_arrival(PAGER) for _ in range(3)])
    await end(before, policy, await take(before, policy, 1), due_at=clock.now(), **BROKEN)
    await before.close()
    await clock.advance(25 * MAX_AGE)
    after = await Ledger.open(ledger_url, lambda _last: clock)
    try:
        await end(
            after, policy, await take(after, policy, 1), due_at=clock.now(), **BROKEN
        )  # the network is not up yet
        assert (await look(after, policy)).died == 0
        await clock.advance(60)
        await send(after, policy)
        await send(after, policy)
        assert (await states(after))["delivered"] == 3
    finally:
        await after.close()


async def test_a_channel_that_was_paused_gets_its_time_again(ledger: Ledger, clock: FakeClock) -> None:
    policy = patient()
    await ledger.record([an_arrival(PAGER) for _ in range(2)])
    await end(ledger, policy, await take(ledger, policy, 1), due_at=clock.now(), **BROKEN)
    await clock.advance(3 * MAX_AGE)  # the receiver was paused, and is no more:
    ledger.work(PAGER)
    await end(ledger, policy, await take(ledger, policy, 1), due_at=clock.now(), **BROKEN)
    assert (await look(ledger, policy)).died == 0
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 2


async def test_what_is_silenced_is_suppressed_and_does_not_die(ledger: Ledger, clock: FakeClock) -> None:
    policy = patient()
    await ledger.record([an_arrival(PAGER, alert=an_alert(title="Noise")), an_arrival(PAGER)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    wall = clock.wall()
    await ledger.silences.add(
        NewSilence(
            matchers=('title="Noise"',),
            starts_at=wall,
            ends_at=wall + timedelta(days=1),
            author="ann",
            comment="known",
        )
    )
    await clock.advance(MAX_AGE)
    assert (await look(ledger, policy)).died == 1
    assert await states(ledger) == {"suppressed": 1, "dead": 1}


async def test_a_very_long_age_and_what_is_never_due_do_no_harm(ledger: Ledger, clock: FakeClock) -> None:
    policy = patient(max_age=9000 * 365 * 86_400.0)
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, policy, due_at=clock.now(), **BROKEN)
    await ledger.record([an_arrival(PAGER, digest=True)])  # of a catch-up that has not ended
    claims = await look(ledger, policy)
    assert (claims.died, claims.next_due) == (0, clock.now() + timedelta(seconds=7200))

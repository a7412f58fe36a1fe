"""The ledger's contract for windows and the times of digests, whatever database is under it.

The clock stands at Sunday, 2026-11-22, 10:00 UTC.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.tables import deliveries
from bellwire.model import DeliveryKind, Muting, Repetition
from bellwire.records import RateLimit
from bellwire.routing.intervals import Calendar, TimeInterval
from bellwire.timekeeping import Timekeeping
from fakes import FakeClock, settle
from ledger_moves import begin, outcome_of, send, states, story, take
from makers import OPS, PAGER, VISION, a_policy, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.records import Arrival

HOUR = 3600.0
MIDDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


def between(start: int, end: int) -> tuple[TimeInterval, ...]:
    """Return the time from one hour of every day to another."""
    return (TimeInterval(zone=UTC, times=((start * 60, end * 60),)),)


def morning(ledger: Ledger) -> None:
    """Have a window of that name from 8 to 12: it is closed for those whom it mutes."""
    ledger.follow(Calendar(intervals={"morning": between(8, 12)}), UTC)


def always(ledger: Ledger) -> None:
    ledger.follow(Calendar(intervals={"morning": (TimeInterval(zone=UTC),)}), UTC)


def never(ledger: Ledger) -> None:
    ledger.follow(Calendar(intervals={"morning": between(8, 9)}), UTC)


def muted(*, hold: bool = False, **values: Any) -> Arrival:
    destination = {"muting": Muting(mute=("morning",), hold=hold)} | values.pop("destination", {})
    return an_arrival(*values.pop("channels", (PAGER,)), destination=destination, **values)


def daily(crontab: str = "0 12 * * *", **values: Any) -> Arrival:
    destination = {"digest": crontab, "group_key": "route:{}"} | values.pop("destination", {})
    return an_arrival(PAGER, destination=destination, **values)


async def rows(ledger: Ledger) -> list[Any]:
    return await ledger.ask(lambda connection: list(connection.execute(select(deliveries)).all()))


async def next_due(ledger: Ledger) -> datetime | None:
    claims = await ledger.claim(a_policy(), 10)
    assert claims.claims == ()
    return claims.next_due


# --- windows that drop -----------------------------------------------------------------------------------------------


async def test_what_comes_while_its_window_is_closed_is_dropped_and_says_so(ledger: Ledger) -> None:
    morning(ledger)
    both, one = ids(await ledger.record([muted(channels=(PAGER, OPS)), an_arrival(PAGER)]))
    assert await states(ledger) == {"suppressed": 1, "in_flight": 1}
    told = await story(ledger, both)
    assert (told["suppressed"], told["suppressed_by"]) == ("muted", None)
    assert [each["reason"] for each in told["obligations"]] == ["muted", "muted"]
    assert [alert.id for claim in await take(ledger) for alert in claim.message.alerts] == [one]


async def test_what_waits_when_its_window_closes_is_dropped_at_its_claim(ledger: Ledger) -> None:
    never(ledger)
    (alert_id,) = ids(await ledger.record([muted()]))
    morning(ledger)
    assert await take(ledger) == []
    assert await states(ledger) == {"suppressed": 1}
    assert (await story(ledger, alert_id))["suppressed"] == "muted"


async def test_a_retry_is_dropped_when_its_window_closes_unless_it_is_in_doubt(
    ledger: Ledger, clock: FakeClock
) -> None:
    never(ledger)
    await ledger.record([muted(), muted()])
    plain, doubtful = await take(ledger)
    await begin(ledger, [plain, doubtful])
    again = {"reason": "x", "due_at": clock.now()}
    await ledger.settle(a_policy(), [outcome_of(plain, verdict=Verdict.RETRY, **again)])
    await ledger.settle(a_policy(), [outcome_of(doubtful, verdict=Verdict.IN_DOUBT, doubtful=True, **again)])
    morning(ledger)
    (left,) = await take(ledger)
    assert left.message.delivery_id == doubtful.message.delivery_id
    assert await states(ledger) == {"suppressed": 1, "in_flight": 1}


# --- windows that hold -----------------------------------------------------------------------------------------------


async def test_what_is_held_goes_out_as_one_digest_when_the_window_opens(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    held = ids(await ledger.record([muted(hold=True)])) + ids(await ledger.record([muted(hold=True)]))
    (waiting,) = (await story(ledger, held[0]))["deliveries"]
    assert (waiting["state"], waiting["waits_for"], waiting["due_at"]) == ("pending", "window", MIDDAY)
    assert await next_due(ledger) == MIDDAY
    await clock.advance(2 * HOUR)
    (claim,) = await send(ledger)
    assert claim.message.kind is DeliveryKind.DIGEST
    assert [alert.id for alert in claim.message.alerts] == held
    assert await states(ledger) == {"delivered": 2}


async def test_each_group_is_held_in_a_digest_of_its_own(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    for name in ("a", "b", "a"):
        group = {"group_key": name, "group_labels": {"team": name}}
        await ledger.record([muted(hold=True, destination=group)])
    await clock.advance(2 * HOUR)
    claims = await take(ledger)
    found = [(dict(claim.message.group_labels), len(claim.message.alerts)) for claim in claims]
    assert found == [({"team": "a"}, 2), ({"team": "b"}, 1)]


async def test_what_waits_when_its_window_closes_is_held_with_the_rest(ledger: Ledger, clock: FakeClock) -> None:
    never(ledger)
    early = ids(await ledger.record([muted(hold=True), muted(hold=True)]))
    morning(ledger)
    assert await take(ledger) == []
    late = ids(await ledger.record([muted(hold=True)]))
    assert await next_due(ledger) == MIDDAY
    await clock.advance(2 * HOUR)
    (claim,) = await send(ledger)
    assert [alert.id for alert in claim.message.alerts] == early + late
    assert await states(ledger) == {"delivered": 3}


async def test_a_group_that_waits_when_its_window_closes_goes_on_after_it(ledger: Ledger, clock: FakeClock) -> None:
    never(ledger)
    group = {"group_key": "g", "wait": 60.0}
    await ledger.record([muted(hold=True, destination=group)])
    morning(ledger)
    await clock.advance(60)
    assert await take(ledger) == []
    await clock.advance(2 * HOUR)
    (digest,) = await send(ledger)
    assert digest.message.kind is DeliveryKind.DIGEST
    await ledger.record([muted(hold=True, destination=group)])
    await clock.advance(60)
    (claim,) = await send(ledger)
    assert (claim.message.kind, claim.message.group_key) == (DeliveryKind.GROUP, "g")


async def test_what_waits_behind_a_delivery_that_is_held_does_not_wait_for_ever(
    ledger: Ledger, clock: FakeClock
) -> None:
    never(ledger)
    group = {"group_key": "g"}
    await ledger.record([muted(hold=True, destination=group)])
    (first,) = await take(ledger)
    await ledger.record([muted(hold=True, destination=group)])
    await ledger.unclaim([first.message.delivery_id])
    morning(ledger)
    assert await take(ledger) == []
    await clock.advance(2 * HOUR)
    (digest,) = await send(ledger)
    assert len(digest.message.alerts) == 2
    assert await states(ledger) == {"delivered": 2}


async def test_a_retry_whose_window_closes_waits_as_it_is(ledger: Ledger, clock: FakeClock) -> None:
    never(ledger)
    await ledger.record([muted(hold=True)])
    await send(ledger, verdict=Verdict.RETRY, reason="http_503", due_at=clock.now())
    morning(ledger)
    assert await next_due(ledger) == MIDDAY
    await clock.advance(2 * HOUR)
    (claim,) = await take(ledger)
    assert (claim.body, claim.message.kind) == (b"body", DeliveryKind.ALERT)
    await begin(ledger, [claim])
    later = clock.now() + timedelta(seconds=7)
    await ledger.settle(a_policy(), [outcome_of(claim, verdict=Verdict.RETRY, reason="http_503", due_at=later)])
    await ledger.retime()
    assert await next_due(ledger) == later


async def test_a_held_digest_that_is_too_large_is_sent_in_parts(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    await ledger.record([muted(hold=True) for _ in range(5)])
    await clock.advance(2 * HOUR)
    policy = a_policy(max_alerts=2)
    sent = [await send(ledger, policy) for _ in range(3)]
    parts = [(claim.message.part, claim.message.parts, len(claim.message.alerts)) for (claim,) in sent]
    assert parts == [(1, 3, 2), (2, 3, 2), (3, 3, 1)]
    assert await states(ledger) == {"delivered": 5}


async def test_the_parts_of_a_digest_wait_if_the_window_closes_between_them(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    await ledger.record([muted(hold=True) for _ in range(2)])
    await clock.advance(2 * HOUR)
    policy = a_policy(max_alerts=1)
    assert len(await send(ledger, policy)) == 1
    await clock.advance(20 * HOUR)  # it is 8:00 of the next day
    assert await take(ledger, policy) == []
    await clock.advance(4 * HOUR)
    (claim,) = await send(ledger, policy)
    assert (claim.message.part, claim.message.parts) == (2, 2)
    assert await states(ledger) == {"delivered": 2}


async def test_a_window_that_never_opens_keeps_what_it_holds_in_sight(ledger: Ledger) -> None:
    always(ledger)
    (alert_id,) = ids(await ledger.record([muted(hold=True)]))
    assert await take(ledger) == []
    await ledger.release_digest(VISION)
    await ledger.release_abandoned_digests([])
    assert await take(ledger) == []
    (waiting,) = (await story(ledger, alert_id))["deliveries"]
    assert (waiting["waits_for"], waiting["due_at"].year) == ("window", 9999)
    await ledger.record([muted(hold=True)])
    assert len(await rows(ledger)) == 1  # it still takes members
    assert await states(ledger) == {"in_flight": 2}


async def test_windows_that_change_move_what_they_hold(ledger: Ledger, clock: FakeClock) -> None:
    always(ledger)
    await ledger.record([muted(hold=True)])
    morning(ledger)
    await ledger.retime()
    assert await next_due(ledger) == MIDDAY
    never(ledger)
    await ledger.retime()
    assert len(await send(ledger)) == 1
    (row,) = await rows(ledger)
    assert row.wanted_at == clock.now()


async def test_a_step_of_the_wall_moves_what_waits_for_it(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    await ledger.record([muted(hold=True), daily()])
    clock.step_wall(1.5 * HOUR)
    await ledger.retime()
    assert await next_due(ledger) == clock.now() + timedelta(hours=0.5)
    clock.step_wall(-2.5 * HOUR)
    await ledger.retime()
    assert await next_due(ledger) == clock.now() + timedelta(hours=3)
    assert {row.wanted_at for row in await rows(ledger)} == {clock.now() + timedelta(hours=3)}


async def test_steps_and_changed_windows_are_noticed_within_seconds(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    await ledger.record([muted(hold=True)])
    keeper = asyncio.create_task(Timekeeping(ledger, clock).run())
    try:
        await _idle(ledger)
        clock.step_wall(2 * HOUR)
        await clock.advance(3)
        await _idle(ledger)
        assert len(await send(ledger)) == 1
        await ledger.record([muted(hold=True)])
        clock.step_wall(-2 * HOUR)
        await ledger.record([muted(hold=True)])
        never(ledger)
        await settle()
        await _idle(ledger)
        assert len(await take(ledger)) == 2
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _idle(ledger: Ledger) -> None:
    """Wait until what was handed to the writer is written."""
    await settle()
    await ledger.ping()
    await settle()


async def test_what_waits_for_the_wall_outlives_a_restart_on_another_clock(ledger_url: str, clock: FakeClock) -> None:
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    morning(ledger)
    clock.step_wall(HOUR)
    await ledger.record([muted(hold=True), daily()])
    assert await next_due(ledger) == clock.now() + timedelta(hours=1)
    await ledger.close()
    later = FakeClock(clock.wall() + timedelta(minutes=30))  # a new process's clock starts at the wall
    ledger = await Ledger.open(ledger_url, lambda _: later)
    await ledger.retime()  # before anyone said which windows there are
    morning(ledger)
    await ledger.retime()
    assert await next_due(ledger) == MIDDAY
    await later.advance(0.5 * HOUR)
    assert len(await take(ledger)) == 2
    await ledger.close()


async def test_a_catch_up_digest_takes_what_may_go_and_no_more(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    arrivals = [muted(digest=True), muted(hold=True, digest=True), daily(digest=True), an_arrival(PAGER, digest=True)]
    _, held, collected, late = ids(await ledger.record(arrivals))
    await ledger.release_digest(VISION)
    assert [[alert.id for alert in claim.message.alerts] for claim in await send(ledger)] == [[late]]
    await clock.advance(2 * HOUR)
    assert {alert.id for claim in await take(ledger) for alert in claim.message.alerts} == {held, collected}


async def test_only_what_has_the_same_windows_is_merged_behind_a_rate_limit(ledger: Ledger, clock: FakeClock) -> None:
    never(ledger)
    policy = a_policy(rate=RateLimit(per_second=1.0, burst=1, max_delay=30.0))
    await ledger.record([muted(), an_arrival(PAGER), muted(), an_arrival(PAGER)])
    await clock.advance(31)
    assert [len(claim.message.alerts) for claim in await take(ledger, policy)] == [2]
    await clock.advance(1)
    morning(ledger)
    await clock.advance(1)
    assert [len(claim.message.alerts) for claim in await take(ledger, policy)] == [2]
    assert await states(ledger) == {"in_flight": 4}


async def test_a_held_first_one_decides_for_its_repeats(ledger: Ledger, clock: FakeClock) -> None:
    morning(ledger)
    repetition = {"repetition": Repetition(key="k", within=HOUR)}
    await ledger.record([muted(hold=True, destination=repetition), muted(hold=True, destination=repetition)])
    await clock.advance(2 * HOUR)
    (claim,) = await send(ledger)
    assert len(claim.message.alerts) == 1
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}


async def test_without_windows_of_its_own_an_alert_is_never_held(ledger: Ledger) -> None:
    always(ledger)
    await ledger.record([an_arrival(PAGER)])
    assert len(await take(ledger)) == 1


async def test_before_anyone_said_which_windows_there_are_all_are_open(ledger: Ledger) -> None:
    await ledger.record([muted()])
    assert len(await take(ledger)) == 1


# --- digests ---------------------------------------------------------------------------------------------------------


async def test_a_digest_collects_until_its_time(ledger: Ledger, clock: FakeClock) -> None:
    ledger.follow(Calendar(), UTC)
    first = ids(await ledger.record([daily()]))
    await clock.advance(HOUR)
    second = ids(await ledger.record([daily()]))
    (waiting,) = (await story(ledger, first[0]))["deliveries"]
    assert (waiting["waits_for"], waiting["due_at"]) == ("digest", MIDDAY)
    await clock.advance(HOUR - 1)
    assert await take(ledger) == []
    await clock.advance(1)
    (claim,) = await send(ledger)
    assert (claim.message.kind, [alert.id for alert in claim.message.alerts]) == (DeliveryKind.DIGEST, first + second)
    await ledger.record([daily()])
    assert await next_due(ledger) == MIDDAY + timedelta(days=1)


async def test_a_crontab_goes_by_the_zone_of_the_configuration(ledger: Ledger) -> None:
    ledger.follow(Calendar(), ZoneInfo("Europe/Paris"))
    await ledger.record([daily()])
    assert await next_due(ledger) == MIDDAY - timedelta(hours=1)


async def test_a_digest_whose_window_is_closed_when_it_is_due_waits_for_it(ledger: Ledger, clock: FakeClock) -> None:
    ledger.follow(Calendar(intervals={"morning": between(11, 13)}), UTC)
    await ledger.record([daily(destination={"muting": Muting(mute=("morning",), hold=True)})])
    await ledger.retime()
    assert await next_due(ledger) == MIDDAY
    await clock.advance(2 * HOUR)
    assert await next_due(ledger) == MIDDAY + timedelta(hours=1)
    await clock.advance(HOUR)
    assert len(await send(ledger)) == 1


async def test_a_crontab_that_cannot_be_read_holds_nothing_up(ledger: Ledger) -> None:
    await ledger.record([daily("every now and then")])
    assert len(await take(ledger)) == 1


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_digest_that_was_due_while_nothing_ran_goes_out_at_once(ledger_url: str, *, restarts: bool) -> None:
    clock = FakeClock()
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    ledger.follow(Calendar(), UTC)
    await ledger.record([daily()])
    if restarts:
        await ledger.close()
        clock = FakeClock(MIDDAY + timedelta(hours=3))
        ledger = await Ledger.open(ledger_url, lambda _: clock)
        ledger.follow(Calendar(), UTC)
        await ledger.retime()
    else:
        await clock.advance(5 * HOUR)
    assert len(await take(ledger)) == 1
    await ledger.close()

"""The contract of the ledger, whatever database is under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import func, select

from bellwire.errors import LedgerError, LedgerInUseError, Verdict
from bellwire.ledger import reading
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.tables import alerts
from bellwire.model import (
    DeliveryKind,
    DeliveryState,
    MarkOutcome,
    MarkPolicy,
    MarkResult,
    StatusChange,
    Suppression,
    Via,
)
from bellwire.records import MarkRecord, Position, RateLimit, SourceEvent
from fakes import FakeClock
from ledger_moves import begin, due, outcome_of, send, states, take
from makers import OPS, PAGER, VISION, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bellwire.model import ChannelKey


# --- intake ----------------------------------------------------------------------------------------------------------


async def test_an_alert_is_recorded_once_for_each_identity(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    assert len(ids(await ledger.record([arrival]))) == 1
    assert await ledger.record([arrival, an_arrival(PAGER, alert=arrival.alert)]) == [None, None]
    assert await states(ledger) == {"in_flight": 1}


async def test_the_same_item_twice_in_one_batch_is_one_alert(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    recorded = await ledger.record([arrival, arrival])
    assert [each is None for each in recorded] == [False, True]


async def test_known_ids_are_known_per_account(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    await ledger.record([arrival])
    asked = [arrival.alert.upstream_id, "never seen"]
    assert await ledger.known(VISION, asked) == {arrival.alert.upstream_id}
    assert await ledger.known(type(VISION)(name="other", base_url=VISION.base_url), asked) == set()


async def test_ids_sort_in_the_order_of_recording(ledger: Ledger) -> None:
    recorded = [
        *ids(await ledger.record([an_arrival(PAGER) for _ in range(50)])),
        *ids(await ledger.record([an_arrival()])),
    ]
    assert recorded == sorted(recorded)
    assert len(set(recorded)) == 51


async def test_arrivals_that_come_together_share_a_commit(ledger: Ledger) -> None:
    await asyncio.gather(*(ledger.record([an_arrival(PAGER)]) for _ in range(300)))
    assert await states(ledger) == {"in_flight": 300}


async def test_an_arrival_that_cannot_be_written_harms_no_other(ledger: Ledger) -> None:
    bad = an_arrival(PAGER, alert=an_alert(title=object()))
    good = [an_arrival(PAGER) for _ in range(5)]
    answers = await asyncio.gather(
        *(ledger.record([arrival]) for arrival in [*good[:2], bad, *good[2:]]), return_exceptions=True
    )
    assert [isinstance(answer, Exception) for answer in answers] == [False, False, True, False, False, False]
    assert await states(ledger) == {"in_flight": 5}


async def test_a_statement_that_can_never_run_fails_alone_and_stops_nobody(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="claim_deliveries failed"):
        await ledger.claim(a_policy(), 2**70)
    assert len(ids(await ledger.record([an_arrival(PAGER)]))) == 1
    assert ledger.trouble is None


async def test_a_payload_that_json_cannot_hold_is_kept_as_near_as_can_be(ledger: Ledger) -> None:
    deep: Any = "bottom"
    for _ in range(1000):
        deep = [deep]
    payload = {"half a pair": "\ud800", "large": 10**30, "deep": deep}
    await ledger.record([an_arrival(PAGER, alert=an_alert(payload=payload))])
    (claim,) = await take(ledger)
    kept = claim.message.alerts[0].payload
    assert kept["half a pair"] == "?"
    assert kept["large"] == str(10**30)


async def test_a_dropped_alert_is_suppressed_at_once_with_its_reason(ledger: Ledger) -> None:
    (alert_id,) = ids(await ledger.record([an_arrival(suppressed=Suppression.DROPPED)]))
    story = await ledger.ask(lambda connection: reading.explain_alert(connection, alert_id))
    assert (story["state"], story["suppressed"]) == ("suppressed", "dropped")
    assert await take(ledger) == []


# --- dispatch --------------------------------------------------------------------------------------------------------


async def test_a_claim_brings_the_whole_alert(ledger: Ledger) -> None:
    alert = an_alert(message="words", url="https://vision.example/1", labels={"team": "a"}, payload={"deep": [1, None]})
    (alert_id,) = ids(await ledger.record([an_arrival(PAGER, alert=alert)]))
    (claim,) = await take(ledger)
    assert claim.message.kind is DeliveryKind.ALERT
    assert claim.message.alerts == (
        type(alert)(**{name: getattr(alert, name) for name in alert.__slots__} | {"id": alert_id}),
    )


async def test_what_is_claimed_is_nobody_elses(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    first, second = await take(ledger, limit=2), await take(ledger, limit=2)
    assert (len(first), len(second)) == (2, 1)
    assert await take(ledger) == []


async def test_claims_are_per_channel(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, OPS)])
    assert len(await take(ledger, a_policy(PAGER))) == 1
    assert len(await take(ledger, a_policy(OPS))) == 1


async def test_a_sent_delivery_settles_its_alert_and_owes_the_read_mark(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    await ledger.record([arrival])
    assert await due(ledger) == []
    await send(ledger)
    assert await states(ledger) == {"delivered": 1}
    assert await due(ledger) == [arrival.alert.upstream_id]
    assert await take(ledger) == []


async def test_an_alert_is_delivered_only_when_every_channel_is(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, OPS)])
    await send(ledger, a_policy(PAGER))
    assert await states(ledger) == {"in_flight": 1}
    assert await due(ledger) == []
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"delivered": 1}
    assert len(await due(ledger)) == 1


async def test_two_channels_confirmed_in_one_commit_settle_the_alert_once(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, OPS) for _ in range(20)])
    await asyncio.gather(send(ledger, a_policy(PAGER)), send(ledger, a_policy(OPS)))
    totals = await ledger.ask(reading.read_totals)
    assert (totals["alerts.delivered"], totals["alerts.in_flight"]) == (20, 0)
    assert await states(ledger) == {"delivered": 20}


@pytest.mark.parametrize(
    ("policy", "after_one_of_two", "after_both"),
    [(MarkPolicy.DELIVERED, 0, 1), (MarkPolicy.ANY, 1, 1), (MarkPolicy.HANDLED, 0, 1), (MarkPolicy.NEVER, 0, 0)],
)
async def test_read_marks_follow_the_accounts_policy(
    ledger: Ledger, policy: MarkPolicy, after_one_of_two: int, after_both: int
) -> None:
    await ledger.record([an_arrival(PAGER, OPS, mark=policy)])
    await send(ledger, a_policy(PAGER))
    assert len(await due(ledger)) == after_one_of_two
    await send(ledger, a_policy(OPS))
    assert len(await due(ledger)) == after_both


@pytest.mark.parametrize(("policy", "marks"), [(MarkPolicy.DELIVERED, 0), (MarkPolicy.ANY, 0), (MarkPolicy.HANDLED, 1)])
async def test_what_a_rule_dropped_is_marked_only_as_handled(ledger: Ledger, policy: MarkPolicy, marks: int) -> None:
    await ledger.record([an_arrival(mark=policy)])
    assert len(await due(ledger)) == marks


async def test_what_cannot_be_marked_is_not(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, markable=False)])
    await send(ledger)
    assert await due(ledger) == []


async def test_a_failed_attempt_is_due_again_when_it_says(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    later = clock.now() + timedelta(seconds=3)
    await send(ledger, verdict=Verdict.RETRY, reason="http_503", due_at=later)
    claims = await ledger.claim(a_policy(), 10)
    assert (claims.claims, claims.next_due) == ((), later)
    await clock.advance(3)
    (claim,) = await take(ledger)
    assert (claim.attempts, claim.doubtful, claim.body) == (1, False, b"body")


async def test_the_body_of_the_first_attempt_is_kept_for_the_others(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, verdict=Verdict.RETRY, reason="http_503", due_at=clock.now())
    claims = await take(ledger)
    await begin(ledger, claims, b"another body")
    await ledger.settle(
        a_policy(),
        [outcome_of(claims[0], verdict=Verdict.RETRY, reason="x", due_at=clock.now())],
    )
    (again,) = await take(ledger)
    assert again.body == b"body"


async def test_a_dead_delivery_makes_its_alert_dead_and_leaves_it_unread(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, OPS)])
    await send(ledger, a_policy(PAGER), verdict=Verdict.MESSAGE_FAULT, reason="http_400", dead=True)
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"dead": 1}
    assert await due(ledger) == []


async def test_a_time_out_after_sending_leaves_the_delivery_in_doubt(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, verdict=Verdict.IN_DOUBT, reason="timeout", due_at=clock.now(), doubtful=True)
    (claim,) = await take(ledger)
    assert claim.doubtful


async def test_a_lease_that_ran_out_leaves_a_started_delivery_in_doubt(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER), an_arrival(PAGER)])
    first, _never_started = await take(ledger, a_policy(lease=30))
    await begin(ledger, [first], policy=a_policy(lease=30))
    await clock.advance(29)
    assert await take(ledger) == []
    await clock.advance(1)
    again = await take(ledger)
    assert {claim.message.delivery_id: claim.doubtful for claim in again}[first.message.delivery_id] is True
    assert sum(claim.doubtful for claim in again) == 1


async def test_a_claim_that_was_lost_meanwhile_is_not_sent(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    claims = await take(ledger, a_policy(lease=30))
    await ledger.unclaim([claim.message.delivery_id for claim in claims])
    assert await begin(ledger, claims) == [False]
    await clock.advance(0)


async def test_a_claim_whose_lease_ran_out_cannot_be_started(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    stalled = await take(ledger, a_policy(lease=30))
    await clock.advance(30)
    assert await begin(ledger, stalled) == [False]
    assert await begin(ledger, await take(ledger)) == [True]


async def test_a_lane_is_told_when_the_lease_of_a_lost_claim_ends(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    await take(ledger, a_policy(lease=30))
    asked = await ledger.claim(a_policy(), 10)
    assert (asked.claims, asked.next_due) == ((), clock.now() + timedelta(seconds=30))


async def test_a_success_is_taken_even_after_its_lease(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    (slow,) = await take(ledger)
    await begin(ledger, [slow])
    await clock.advance(100)
    (again,) = await take(ledger)  # another has it now
    await ledger.settle(a_policy(), [outcome_of(slow)])
    assert await states(ledger) == {"delivered": 1}
    assert await begin(ledger, [again]) == [False]


async def test_a_failure_is_not_taken_once_a_later_attempt_has_begun(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    (slow,) = await take(ledger)
    await begin(ledger, [slow])
    await clock.advance(100)
    (again,) = await take(ledger)
    await begin(ledger, [again])
    await ledger.settle(a_policy(), [outcome_of(slow, verdict=Verdict.MESSAGE_FAULT, reason="http_400", dead=True)])
    assert await states(ledger) == {"in_flight": 1}
    await ledger.settle(a_policy(), [outcome_of(again)])
    assert await states(ledger) == {"delivered": 1}


async def test_what_was_given_back_is_due_at_once(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    claims = await take(ledger)
    await ledger.unclaim([claim.message.delivery_id for claim in claims])
    (again,) = await take(ledger)
    assert (again.attempts, again.doubtful) == (0, False)


async def test_a_question_sees_one_moment_though_alerts_arrive_while_it_is_answered(ledger: Ledger) -> None:
    loop = asyncio.get_running_loop()
    await ledger.record([an_arrival(PAGER)])

    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(alerts)).scalar_one()

    def look(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        asyncio.run_coroutine_threadsafe(ledger.record([an_arrival(PAGER)]), loop).result(10)
        return before, count(connection)

    assert await ledger.ask(look) == (1, 1)
    assert await ledger.ask(count) == 2


# --- the channel as a whole --------------------------------------------------------------------------------------------


async def test_retry_after_holds_for_the_whole_channel(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(2)])
    claims = await take(ledger, limit=1)
    await begin(ledger, claims)
    until = clock.now() + timedelta(seconds=20)
    outcome = outcome_of(
        claims[0],
        verdict=Verdict.RETRY,
        reason="http_429",
        due_at=until,
        blocked_until=until,
    )
    await ledger.settle(a_policy(), [outcome])
    await clock.advance(19.9)
    blocked = await ledger.claim(a_policy(), 10)
    assert (blocked.claims, blocked.next_due) == ((), until)
    await clock.advance(0.1)
    assert len(await take(ledger)) == 2


async def test_a_channel_at_fault_is_probed_by_one_delivery_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    policy = a_policy(initial_backoff=1, max_backoff=60)
    claims = await take(ledger, policy, limit=1)
    for pause in (1, 2, 4):
        await begin(ledger, claims)
        outcome = outcome_of(
            claims[0],
            verdict=Verdict.CHANNEL_FAULT,
            reason="http_401",
            due_at=clock.now(),
        )
        await ledger.settle(policy, [outcome])
        await clock.advance(pause - 0.1)
        assert await take(ledger, policy) == []
        await clock.advance(0.1)
        claims = await take(ledger, policy)
        assert len(claims) == 1
        assert await take(ledger, policy) == []  # one probe at a time
    await begin(ledger, claims)
    await ledger.settle(policy, [outcome_of(claims[0])])
    assert len(await take(ledger, policy)) == 2


async def test_what_was_claimed_is_given_back_where_the_channel_may_not_be_sent_to_any_more(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    failing, *ready = await take(ledger)
    await begin(ledger, [failing])
    until = clock.now() + timedelta(seconds=20)
    await ledger.settle(a_policy(), [outcome_of(failing, verdict=Verdict.RETRY, due_at=until, blocked_until=until)])
    ours, claims = await ledger.advance(a_policy(), [claim.start(b"body") for claim in ready], 10)
    assert (ours, claims.claims, claims.next_due) == ([False, False], (), until)
    await clock.advance(20)
    again = await take(ledger)
    assert [claim.attempts for claim in again] == [0, 0, 1]


async def test_the_same_claim_is_not_begun_twice(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    (claim,) = await take(ledger)
    assert await begin(ledger, [claim]) == [True]
    assert await begin(ledger, [claim]) == [False]


async def test_five_failures_in_a_row_open_the_breaker(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(6)])
    for _ in range(5):
        claims = await take(ledger, limit=1)
        assert len(claims) == 1
        await begin(ledger, claims)
        outcome = outcome_of(claims[0], verdict=Verdict.RETRY, reason="http_500", due_at=clock.now())
        await ledger.settle(a_policy(), [outcome])
    assert await take(ledger) == []
    (channel,) = await ledger.ask(reading.read_channels)
    assert channel["broken_since"] is not None
    assert channel["last_error"].startswith("http_500")


async def test_what_was_under_way_when_the_breaker_opened_is_no_further_evidence(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(64)])
    policy = a_policy(initial_backoff=1, max_backoff=300)
    claims = await take(ledger, policy, limit=64)
    await begin(ledger, claims)
    failed = [outcome_of(claim, verdict=Verdict.RETRY, reason="http_503", due_at=clock.now()) for claim in claims[:32]]
    await ledger.settle(policy, failed)
    assert (await ledger.claim(policy, 10)).next_due == clock.now() + timedelta(seconds=1)
    await ledger.settle(policy, [outcome_of(claim) for claim in claims[32:]])
    assert len(await take(ledger, policy)) == 32  # it works again


async def test_a_pause_that_was_asked_for_holds_though_another_send_succeeds(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    first, second = await take(ledger, limit=2)
    await begin(ledger, [first, second])
    until = clock.now() + timedelta(seconds=20)
    asked = outcome_of(first, verdict=Verdict.RETRY, reason="http_429", due_at=until, blocked_until=until)
    await ledger.settle(a_policy(), [asked, outcome_of(second)])
    blocked = await ledger.claim(a_policy(), 10)
    assert (blocked.claims, blocked.next_due) == ((), until)


async def test_nothing_is_asked_again_at_once_while_a_probe_is_under_way(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(rate=RateLimit(per_second=10, burst=10, max_delay=3600), lease=60)
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    claims = await take(ledger, policy, limit=1)
    await begin(ledger, claims, policy=policy)
    fault = outcome_of(claims[0], verdict=Verdict.CHANNEL_FAULT, reason="http_401", due_at=clock.now())
    await ledger.settle(policy, [fault])
    await clock.advance(1)
    assert len(await take(ledger, policy)) == 1  # the probe
    asked = await ledger.claim(policy, 10)
    assert (asked.claims, asked.next_due) == ((), clock.now() + timedelta(seconds=60))  # its lease's end


async def test_a_rate_limit_lets_no_more_through_than_its_bucket_holds(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(rate=RateLimit(per_second=2, burst=3, max_delay=3600))
    await ledger.record([an_arrival(PAGER) for _ in range(10)])
    assert len(await take(ledger, policy)) == 3
    empty = await ledger.claim(policy, 10)
    assert empty.claims == ()
    assert empty.next_due == clock.now() + timedelta(seconds=0.5)
    await clock.advance(0.5)
    assert len(await take(ledger, policy)) == 1
    await clock.advance(60)
    assert len(await take(ledger, policy)) == 3


async def test_what_waited_too_long_behind_a_rate_limit_goes_out_as_digests(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(rate=RateLimit(per_second=1, burst=1, max_delay=30), max_alerts=4)
    recorded = ids(await ledger.record([an_arrival(PAGER) for _ in range(10)]))
    named: list[str] = []
    kinds = []
    for _ in range(4):
        for claim in await send(ledger, policy):
            named += [alert.id for alert in claim.message.alerts]
            kinds.append((claim.message.kind, len(claim.message.alerts)))
        await clock.advance(31)
    assert named == recorded
    assert kinds == [
        (DeliveryKind.ALERT, 1),
        (DeliveryKind.DIGEST, 4),
        (DeliveryKind.DIGEST, 4),
        (DeliveryKind.ALERT, 1),
    ]
    assert await states(ledger) == {"delivered": 10}


async def test_late_groups_go_out_in_digests_too(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(rate=RateLimit(per_second=1, burst=1, max_delay=30), max_alerts=5)
    recorded = [
        ids(await ledger.record([grouped(PAGER, key=f"g{number}", wait=0) for _ in range(2)])) for number in range(4)
    ]
    await clock.advance(31)
    (first,) = await send(ledger, policy)
    assert [alert.id for alert in first.message.alerts] == recorded[0] + recorded[1]  # a third group would not fit
    assert (first.message.kind, first.message.group_key) == (DeliveryKind.DIGEST, "")
    await clock.advance(1)
    await send(ledger, policy)
    assert await states(ledger) == {"delivered": 8}


async def test_what_a_channel_left_for_later_attempts_comes_back(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, remote="C0123")
    await ledger.record([an_arrival(PAGER)])
    (claim,) = await take(ledger)
    assert claim.remote == "C0123"


async def test_what_waits_for_a_channel_that_is_gone_is_dead_and_says_why(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER), an_arrival(PAGER, OPS), an_arrival(OPS)])
    assert await ledger.retire_channels([OPS]) == 2
    assert await states(ledger) == {"dead": 1, "in_flight": 2}  # one is still owed to the other channel
    (first, _) = await ledger.ask(lambda connection: reading.list_deliveries(connection, DeliveryState.DEAD, 10))
    assert first["reason"] == "channel_removed"
    assert await ledger.retire_channels([OPS]) == 0


# --- groups ----------------------------------------------------------------------------------------------------------


def grouped(*channels: ChannelKey, key: str = "g", wait: float = 10, interval: float = 60) -> Any:
    return an_arrival(
        *channels, destination={"group_key": key, "group_labels": {"a": "b"}, "wait": wait, "interval": interval}
    )


async def test_a_group_waits_for_company_and_goes_out_as_one_message(ledger: Ledger, clock: FakeClock) -> None:
    first = ids(await ledger.record([grouped(PAGER)]))
    assert await take(ledger) == []
    await clock.advance(9)
    second = ids(await ledger.record([grouped(PAGER)]))
    await clock.advance(1)
    (claim,) = await take(ledger)
    assert [alert.id for alert in claim.message.alerts] == first + second
    assert (claim.message.kind, claim.message.group_key, claim.message.group_labels) == (
        DeliveryKind.GROUP,
        "g",
        {"a": "b"},
    )


async def test_a_groups_next_message_waits_behind_the_one_under_way(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([grouped(PAGER, wait=0)])
    claims = await take(ledger, a_policy(lease=3600))
    await begin(ledger, claims, policy=a_policy(lease=3600))
    later = ids(await ledger.record([grouped(PAGER, wait=0)]))
    await clock.advance(600)
    assert await take(ledger) == []
    await ledger.settle(a_policy(), [outcome_of(claims[0])])
    assert await take(ledger) == []  # group_interval counts from the message just sent
    await clock.advance(60)
    (claim,) = await take(ledger)
    assert [alert.id for alert in claim.message.alerts] == later


async def test_a_group_goes_on_when_a_message_of_it_is_dead(ledger: Ledger) -> None:
    await ledger.record([grouped(PAGER, wait=0)])
    claims = await take(ledger)
    await begin(ledger, claims)
    await ledger.record([grouped(PAGER, wait=0)])
    dead = outcome_of(claims[0], verdict=Verdict.MESSAGE_FAULT, reason="http_400", dead=True)
    await ledger.settle(a_policy(), [dead])
    assert len(await take(ledger)) == 1


async def test_a_group_that_is_too_large_for_one_message_is_several_in_order(ledger: Ledger) -> None:
    recorded = ids(await ledger.record([grouped(PAGER, wait=0) for _ in range(7)]))
    named: list[str] = []
    parts = []
    for _ in range(3):
        (claim,) = await send(ledger, a_policy(max_alerts=3))
        named += [alert.id for alert in claim.message.alerts]
        parts.append((claim.message.part, claim.message.parts, len(claim.message.alerts)))
    assert named == recorded
    assert parts == [(1, 3, 3), (2, 3, 3), (3, 3, 1)]
    assert await states(ledger) == {"delivered": 7}


async def test_a_catch_up_digest_waits_until_the_catch_up_has_ended(ledger: Ledger, clock: FakeClock) -> None:
    recorded = ids(await ledger.record([an_arrival(PAGER, via=Via.CATCH_UP, digest=True) for _ in range(3)]))
    await clock.advance(3600)
    assert await take(ledger) == []
    ledger.work(PAGER).clear()
    await ledger.release_digest(VISION)
    assert ledger.work(PAGER).is_set()
    (claim,) = await take(ledger)
    assert claim.message.kind is DeliveryKind.DIGEST
    assert [alert.id for alert in claim.message.alerts] == recorded


async def test_a_catch_up_digest_of_an_account_that_is_gone_goes_out(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, via=Via.CATCH_UP, digest=True)])
    await ledger.release_abandoned_digests([VISION])
    assert await take(ledger) == []
    await ledger.release_abandoned_digests([])
    assert len(await take(ledger)) == 1


# --- read marks ------------------------------------------------------------------------------------------------------


def mark_record(alert_id: str, upstream_id: str, outcome: MarkOutcome, **values: Any) -> MarkRecord:
    return MarkRecord(alert_id=alert_id, result=MarkResult(upstream_id=upstream_id, outcome=outcome), **values)


async def test_a_read_mark_is_kept_until_the_vendor_confirms_it(ledger: Ledger, clock: FakeClock) -> None:
    arrival = an_arrival(PAGER)
    (alert_id,) = ids(await ledger.record([arrival]))
    await send(ledger)
    upstream_id = arrival.alert.upstream_id
    again = clock.now() + timedelta(seconds=5)
    await ledger.record_marks([mark_record(alert_id, upstream_id, MarkOutcome.RETRY, due_at=again)])
    asked = await ledger.due_marks(VISION, 10)
    assert (asked.marks, asked.next_due) == ((), again)
    await clock.advance(5)
    (mark,) = (await ledger.due_marks(VISION, 10)).marks
    assert mark.attempts == 1
    await ledger.record_marks([mark_record(alert_id, upstream_id, MarkOutcome.CONFIRMED)])
    assert await due(ledger) == []


async def test_an_item_that_is_unread_again_long_after_its_mark_is_noted_once_as_reopened(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrival = an_arrival(PAGER)
    (alert_id,) = ids(await ledger.record([arrival]))
    await send(ledger)
    await ledger.record_marks([mark_record(alert_id, arrival.alert.upstream_id, MarkOutcome.CONFIRMED)])
    await clock.advance(30)  # a list that was asked for before the mark may say so
    await ledger.known(VISION, [arrival.alert.upstream_id])
    await clock.advance(600)
    for _ in range(2):
        await ledger.known(VISION, [arrival.alert.upstream_id])
    story = await ledger.ask(lambda connection: reading.explain_alert(connection, alert_id))
    assert [event["kind"] for event in orjson.loads(orjson.dumps(story))["events"]] == ["reopened"]
    assert await take(ledger) == []
    assert await due(ledger) == []


# --- retention -------------------------------------------------------------------------------------------------------


async def test_retention_forgets_what_settled_alerts_said_but_not_that_they_were(
    ledger: Ledger, clock: FakeClock
) -> None:
    sent, dead = an_arrival(PAGER), an_arrival(PAGER)
    (sent_id,) = ids(await ledger.record([sent]))
    await send(ledger)
    (dead_id,) = ids(await ledger.record([dead]))
    await send(ledger, verdict=Verdict.MESSAGE_FAULT, reason="http_400", dead=True)
    (waiting_id,) = ids(await ledger.record([an_arrival(OPS)]))
    await clock.advance(3600)
    (young_id,) = ids(await ledger.record([an_arrival()]))
    assert await ledger.strip_contents(clock.now()) == 1
    assert await ledger.strip_contents(clock.now()) == 0
    every = (sent_id, dead_id, waiting_id, young_id)
    stories = await ledger.ask(lambda connection: [reading.explain_alert(connection, each) for each in every])
    told = {story["id"]: story["message"] for story in stories}
    assert told == {sent_id: None, dead_id: "", waiting_id: "", young_id: ""}
    assert await ledger.record([sent]) == [None]
    assert await states(ledger) == {"delivered": 1, "dead": 1, "in_flight": 1, "suppressed": 1}


# --- sources ---------------------------------------------------------------------------------------------------------


async def test_a_source_finds_its_position_again(ledger: Ledger, clock: FakeClock) -> None:
    assert await ledger.position(VISION) == Position()
    position = Position(started_at=clock.now(), connected_at=clock.now(), last_event_id="42")
    await ledger.save_position(VISION, position)
    assert await ledger.position(VISION) == position


async def test_what_happened_to_a_source_is_kept_but_not_for_ever(ledger: Ledger) -> None:
    for number in range(230):
        await ledger.note(VISION, SourceEvent(kind="gap", detail={"found": number}))
    events = await ledger.ask(lambda connection: reading.read_source_events(connection, 1000))
    assert len(events) == 200
    assert events[0]["detail"] == {"found": 229}


async def test_what_became_of_an_item_at_its_vendor_is_kept_with_its_alert(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    (alert_id,) = ids(await ledger.record([arrival]))
    known = StatusChange(upstream_id=arrival.alert.upstream_id, status="responded")
    await ledger.note_changes(VISION, [known, StatusChange(upstream_id="never seen", status="expired")])
    await send(ledger)
    await ledger.note_changes(VISION, [replace(known, status="completed")])
    story = await ledger.ask(lambda connection: reading.explain_alert(connection, alert_id))
    assert [event["detail"] for event in story["events"]] == [
        {"status": "responded", "before_sent": True},
        {"status": "completed", "before_sent": False},
    ]


# --- the file --------------------------------------------------------------------------------------------------------


async def test_a_second_process_is_kept_out(ledger: Ledger, ledger_url: str) -> None:
    await ledger.ping()
    with pytest.raises(LedgerInUseError, match="another process has this ledger open"):
        await Ledger.open(ledger_url, lambda _last: FakeClock())


async def test_everything_is_there_after_a_restart(ledger_url: str, clock: FakeClock) -> None:
    before = await Ledger.open(ledger_url, lambda _last: clock)
    await before.record([an_arrival(PAGER) for _ in range(3)])
    claims = await take(before, limit=2)
    await begin(before, claims[:1])
    await before.close()
    after = await Ledger.open(ledger_url, lambda _last: clock)
    try:
        again = await take(after)
        assert sorted(claim.doubtful for claim in again) == [False, False, True]
        assert len(ids(await after.record([an_arrival(PAGER)]))) == 1
    finally:
        await after.close()


async def test_the_clock_never_starts_before_what_the_ledger_knows(ledger_url: str, clock: FakeClock) -> None:
    before = await Ledger.open(ledger_url, lambda _last: clock)
    await before.record([an_arrival(PAGER)])
    await before.close()
    seen = []

    def make_clock(last: Any) -> FakeClock:
        seen.append(last)
        return clock

    after = await Ledger.open(ledger_url, make_clock)
    await after.close()
    assert seen == [clock.now()]

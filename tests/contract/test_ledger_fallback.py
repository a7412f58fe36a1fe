"""Stand-ins: who gets an alert where a channel is dead or does not get through, and what that settles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.model import ChannelKey, DeliveryKind, DeliveryState, MarkPolicy
from bellwire.records import Fallback, RateLimit
from ledger_rig import DEAD, TO_OPS, backed, deliveries, end, fail, marks, owed, send, states, story, take
from makers import OPS, PAGER, a_policy, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from fakes import FakeClock

DESK = ChannelKey(receiver="desk", kind="email", name="desk@example.com")
DESK_HOOK = ChannelKey(receiver="desk", kind="webhook")
TO_DESK = Fallback(receiver="desk", channels=(DESK, DESK_HOOK))


async def one(ledger: Ledger, *channels: ChannelKey, **values: Any) -> str:
    (alert_id,) = ids(await ledger.record([an_arrival(*(channels or (PAGER,)), **values)]))
    return alert_id


def grouped(*channels: ChannelKey) -> Any:
    return an_arrival(*channels, destination={"group_key": "g", "group_labels": {"a": "b"}, "interval": 60})


# --- dead ------------------------------------------------------------------------------------------------------------


async def test_what_dies_is_owed_to_the_fallback_by_a_delivery_that_knows_its_origin(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    (dead,) = await send(ledger, backed(), **DEAD)
    assert await states(ledger) == {"in_flight": 1}
    (claim,) = await take(ledger, a_policy(OPS))
    assert claim.message.kind is DeliveryKind.FALLBACK
    assert claim.message.origin == dead.message.delivery_id
    assert [alert.id for alert in claim.message.alerts] == [alert_id]


async def test_what_the_fallback_confirmed_is_covered_and_marked_like_any_delivery(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    await send(ledger, backed(), **DEAD)
    assert await marks(ledger) == []
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}
    assert len(await marks(ledger)) == 1
    assert await deliveries(ledger, DeliveryState.DEAD) == []  # it needs nobody any more
    (covered,) = await deliveries(ledger, DeliveryState.SUPPRESSED)
    assert covered["reason"] == "covered"


async def test_a_dead_fallback_leaves_the_alert_dead_and_does_not_chain(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    await send(ledger, backed(), **DEAD)
    back = a_policy(OPS, fallbacks=(Fallback(receiver="pager", channels=(PAGER,)), TO_DESK))
    await send(ledger, back, **DEAD)
    assert await owed(ledger, alert_id) == {"pager": "dead", "ops": "dead"}
    assert await states(ledger) == {"dead": 1}
    assert await marks(ledger) == []


async def test_every_channel_of_one_fallback_has_to_confirm(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    await send(ledger, backed(fallbacks=(TO_DESK,)), **DEAD)
    await send(ledger, a_policy(DESK))
    assert await states(ledger) == {"in_flight": 1}
    await send(ledger, a_policy(DESK_HOOK), **DEAD)
    assert await states(ledger) == {"dead": 1}
    assert (await owed(ledger, alert_id))["pager"] == "dead"


async def test_any_one_of_several_fallbacks_covers(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    await send(ledger, backed(fallbacks=(TO_DESK, TO_OPS)), **DEAD)
    await send(ledger, a_policy(OPS))
    assert (await owed(ledger, alert_id))["pager"] == "covered"
    assert await states(ledger) == {"in_flight": 1}  # the desk is owed it too, and is waited for
    await send(ledger, a_policy(DESK))
    await send(ledger, a_policy(DESK_HOOK))
    assert await states(ledger) == {"delivered": 1}


async def test_nobody_gets_an_alert_twice_and_who_has_it_covers_at_once(ledger: Ledger) -> None:
    alert_id = await one(ledger, PAGER, OPS)
    await send(ledger, a_policy(OPS))
    await send(ledger, backed(), **DEAD)
    assert await take(ledger, a_policy(OPS)) == []
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}


async def test_a_fallback_that_is_owed_the_alert_itself_covers_once_it_got_through(ledger: Ledger) -> None:
    alert_id = await one(ledger, PAGER, OPS)
    await send(ledger, backed(), **DEAD)
    assert len(await deliveries(ledger)) == 2
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}


async def test_a_group_falls_back_as_one_message_that_names_every_alert(ledger: Ledger) -> None:
    recorded = ids(await ledger.record([grouped(PAGER) for _ in range(3)]))
    await send(ledger, backed(), **DEAD)
    (claim,) = await send(ledger, a_policy(OPS))
    assert [alert.id for alert in claim.message.alerts] == recorded
    assert claim.message.group_labels == {"a": "b"}
    assert await states(ledger) == {"delivered": 3}


async def test_a_group_too_large_for_the_fallbacks_message_is_several_in_order(ledger: Ledger) -> None:
    recorded = ids(await ledger.record([grouped(PAGER) for _ in range(5)]))
    await send(ledger, backed(), **DEAD)
    named, parts = [], []
    for _ in range(3):
        (claim,) = await send(ledger, a_policy(OPS, max_alerts=2))
        named += [alert.id for alert in claim.message.alerts]
        parts.append((claim.message.part, claim.message.parts, claim.message.kind))
    assert named == recorded
    assert parts == [(n, 3, DeliveryKind.FALLBACK) for n in (1, 2, 3)]
    assert await states(ledger) == {"delivered": 5}


async def test_what_waits_for_a_removed_channel_falls_back(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    assert await ledger.retire_channels([OPS], {"pager": (TO_OPS,)}) == 1
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}


# --- late ------------------------------------------------------------------------------------------------------------


async def test_what_does_not_get_through_in_time_falls_back_to_the_second(ledger: Ledger, clock: FakeClock) -> None:
    await one(ledger)
    await fail(ledger, backed())
    asked = await ledger.fall_back([backed()])
    assert (asked.deliveries, asked.next_due) == (0, clock.now() + timedelta(seconds=600))
    await clock.advance(599.9)
    assert (await ledger.fall_back([backed()])).deliveries == 0
    await clock.advance(0.1)
    ledger.work(OPS).clear()
    assert (await ledger.fall_back([backed()])).deliveries == 1
    assert ledger.work(OPS).is_set()
    assert (await ledger.fall_back([backed()])).deliveries == 0


async def test_what_comes_while_nobody_looks_is_late_no_sooner_than_the_next_look(
    ledger: Ledger, clock: FakeClock
) -> None:
    looked = await ledger.fall_back([backed()])
    await clock.advance(1)
    await one(ledger)
    await clock.advance((looked.next_due - clock.now()).total_seconds())
    again = await ledger.fall_back([backed()])
    assert (again.deliveries, again.next_due) == (0, clock.now() + timedelta(seconds=1))
    await clock.advance(1)
    assert (await ledger.fall_back([backed()])).deliveries == 1


async def test_what_waits_though_covered_is_not_sent(ledger: Ledger, clock: FakeClock) -> None:
    alert_id = await one(ledger)
    await fail(ledger, backed())
    await clock.advance(600)
    await ledger.fall_back([backed()])
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}
    assert await take(ledger, backed()) == []


async def test_the_original_that_gets_through_after_all_is_sent(ledger: Ledger, clock: FakeClock) -> None:
    alert_id = await one(ledger)
    await clock.advance(600)
    await ledger.fall_back([backed()])
    await send(ledger, backed())
    assert await owed(ledger, alert_id) == {"pager": "sent", "ops": "open"}
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "sent", "ops": "sent"}


async def test_what_is_being_sent_is_not_covered_until_its_outcome_is_known(ledger: Ledger, clock: FakeClock) -> None:
    first, second, third = ids(await ledger.record([an_arrival(PAGER) for _ in range(3)]))
    claims = await take(ledger, backed(lease=3600))
    await clock.advance(600)
    await ledger.fall_back([backed()])
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"in_flight": 3}
    await end(ledger, backed(), claims[:1])
    await end(ledger, backed(), claims[1:2], verdict=Verdict.RETRY, reason="http_503", due_at=clock.now())
    in_doubt = {"verdict": Verdict.IN_DOUBT, "reason": "timeout", "doubtful": True}
    await end(ledger, backed(), claims[2:], due_at=clock.now(), **in_doubt)
    assert [(await owed(ledger, each))["pager"] for each in (first, second, third)] == ["sent", "covered", "open"]
    await fail(ledger, backed(), doubtful=True)
    assert await states(ledger) == {"in_flight": 1, "delivered": 2}  # an earlier attempt may have arrived
    await send(ledger, backed(), **DEAD)
    assert (await owed(ledger, third))["pager"] == "covered"
    assert await states(ledger) == {"delivered": 3}


async def test_a_message_whose_body_is_frozen_is_covered_whole_or_not_at_all(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([grouped(PAGER), grouped(PAGER, OPS)])
    await send(ledger, a_policy(OPS))  # it has the second one
    await fail(ledger, backed())
    await clock.advance(600)
    await ledger.fall_back([backed()])
    assert [each["state"] for each in await deliveries(ledger) if each["receiver"] == "pager"] == [
        DeliveryState.PENDING
    ]
    (claim,) = await send(ledger, a_policy(OPS))
    assert len(claim.message.alerts) == 1
    assert await states(ledger) == {"delivered": 2}
    assert await take(ledger, backed()) == []


async def test_a_group_goes_on_behind_what_is_covered(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([grouped(PAGER)])
    await fail(ledger, backed())
    await clock.advance(600)
    await ledger.fall_back([backed()])
    later = ids(await ledger.record([grouped(PAGER)]))
    (again,) = await fail(ledger, backed())
    assert again.body is not None  # the first one, for the other waits behind it
    await send(ledger, a_policy(OPS))
    (claim,) = await take(ledger, backed())
    assert [alert.id for alert in claim.message.alerts] == later


async def test_a_group_that_fell_back_takes_no_more_members(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([grouped(PAGER)])
    await clock.advance(600)
    await ledger.fall_back([backed()])
    later = await one(ledger, PAGER, destination={"group_key": "g", "interval": 60})
    await send(ledger, a_policy(OPS))
    assert (await owed(ledger, later)) == {"pager": "open"}
    await clock.advance(600)
    await ledger.fall_back([backed()])
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"delivered": 2}


async def test_a_long_backlog_falls_back_in_bounded_batches_in_order(ledger: Ledger, clock: FakeClock) -> None:
    recorded = ids(await ledger.record([an_arrival(PAGER) for _ in range(450)]))
    await clock.advance(600)
    numbers = []
    while (fell_back := await ledger.fall_back([backed()])).deliveries:
        numbers.append(fell_back.deliveries)
        if len(numbers) < 3:
            assert fell_back.next_due == clock.now()
    assert numbers == [200, 200, 50]
    claims = await take(ledger, a_policy(OPS), limit=1000)
    assert [claim.message.alerts[0].id for claim in claims] == recorded


async def test_fallbacks_behind_a_rate_limit_go_out_together_and_stay_fallbacks(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(5)])
    await send(ledger, backed(), **DEAD)
    await ledger.record([an_arrival(OPS) for _ in range(3)])
    await clock.advance(31)
    slow = a_policy(OPS, rate=RateLimit(per_second=1, burst=1, max_delay=30))
    kinds = []
    for _ in range(2):
        (claim,) = await send(ledger, slow)
        kinds.append((claim.message.kind, len(claim.message.alerts), claim.message.origin))
        await clock.advance(1)
    assert kinds == [(DeliveryKind.FALLBACK, 5, None), (DeliveryKind.DIGEST, 3, None)]
    assert await states(ledger) == {"delivered": 8}


async def test_a_digest_of_what_fell_back_and_what_did_not_still_falls_back(ledger: Ledger, clock: FakeClock) -> None:
    slow = backed(rate=RateLimit(per_second=1, burst=1, max_delay=30))
    old = await one(ledger)
    await clock.advance(580)
    young = await one(ledger)
    await clock.advance(20)
    await ledger.fall_back([slow])
    await clock.advance(31)
    (claim,) = await fail(ledger, slow)
    assert [alert.id for alert in claim.message.alerts] == [old, young]
    await clock.advance(549)
    assert (await ledger.fall_back([slow])).deliveries == 1
    assert await owed(ledger, young) == {"pager": "open", "ops": "open"}
    assert len([each for each in await deliveries(ledger) if each["receiver"] == "ops"]) == 2


async def test_a_fallback_is_the_one_that_is_configured_now(ledger: Ledger, clock: FakeClock) -> None:
    alert_id = await one(ledger)
    await clock.advance(600)
    assert (await ledger.fall_back([backed(fallback_after=3600.0)])).deliveries == 0
    await ledger.fall_back([backed(fallbacks=(replace(TO_DESK, channels=(DESK,)),))])
    assert await owed(ledger, alert_id) == {"pager": "open", "desk": "open"}


async def test_a_dead_alert_whose_policy_is_any_is_marked_once_the_fallback_has_it(ledger: Ledger) -> None:
    await one(ledger, mark=MarkPolicy.ANY)
    await send(ledger, backed(), **DEAD)
    assert await marks(ledger) == []
    await send(ledger, a_policy(OPS))
    assert len(await marks(ledger)) == 1


async def test_the_story_of_an_alert_names_the_origin_of_its_fallback(ledger: Ledger) -> None:
    alert_id = await one(ledger)
    await send(ledger, backed(), **DEAD)
    told = {each["receiver"]: each for each in (await story(ledger, alert_id))["deliveries"]}
    assert told["ops"]["origin"] == told["pager"]["id"]
    assert told["pager"]["origin"] is None

"""The ledger's contract for silences and inhibition, whatever database is under it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.tables import actions
from bellwire.model import DeliveryState, MarkPolicy, Suppression
from bellwire.records import Expiry, NewSilence
from bellwire.routing.matcher_parser import parse_matchers
from ledger_moves import begin, due, outcome_of, send, states, story, take, totals
from makers import OPS, PAGER, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.model import Alert
    from bellwire.records import Arrival
    from fakes import FakeClock


def of(team: str, **values: Any) -> Alert:
    return an_alert(labels={"account": "vision", "team": team}, **values)


async def hush(
    ledger: Ledger, clock: FakeClock, *matchers: str, after: float = 0, seconds: float = 3600, **values: Any
) -> str:
    start = clock.wall() + timedelta(seconds=after)
    every: dict[str, Any] = {"starts_at": start, "ends_at": start + timedelta(seconds=seconds)}
    every |= {"matchers": matchers or ('team="doors"',), "author": "mia", "comment": "being mended"}
    return await ledger.silences.add(NewSilence(**every | values))


async def test_what_a_silence_matches_is_suppressed_whole_and_says_by_which(ledger: Ledger, clock: FakeClock) -> None:
    silence = await hush(ledger, clock)
    quiet, loud = ids(
        await ledger.record([an_arrival(PAGER, OPS, alert=of("doors")), an_arrival(PAGER, alert=of("windows"))])
    )
    assert await states(ledger) == {"suppressed": 1, "in_flight": 1}
    told = await story(ledger, quiet)
    assert (told["suppressed"], told["suppressed_by"]["id"], told["obligations"]) == ("silenced", silence, [])
    (claim,) = await take(ledger)
    assert [alert.id for alert in claim.message.alerts] == [loud]


async def test_a_silence_holds_from_its_start_to_its_end_by_the_walls_clock(ledger: Ledger, clock: FakeClock) -> None:
    await hush(ledger, clock, after=60, seconds=60)
    sent = []
    for _ in range(4):
        sent.append(an_arrival(PAGER, alert=of("doors")))
        await ledger.record(sent[-1:])
        await clock.advance(40)
    named = {alert.upstream_id for claim in await take(ledger) for alert in claim.message.alerts}
    assert named == {sent[0].alert.upstream_id, sent[1].alert.upstream_id, sent[3].alert.upstream_id}


async def test_a_step_of_the_wall_ends_a_silence(ledger: Ledger, clock: FakeClock) -> None:
    await hush(ledger, clock, seconds=60)
    clock.step_wall(61)
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    assert len(await take(ledger)) == 1


@pytest.mark.parametrize(("policy", "marks"), [(MarkPolicy.DELIVERED, 0), (MarkPolicy.HANDLED, 1)])
async def test_what_is_silenced_is_marked_only_as_handled(
    ledger: Ledger, clock: FakeClock, policy: MarkPolicy, marks: int
) -> None:
    await ledger.record([an_arrival(PAGER, alert=of("doors"), mark=policy)])
    await hush(ledger, clock)
    await ledger.record([an_arrival(PAGER, alert=of("doors"), mark=policy)])
    assert len(await due(ledger)) == marks
    assert await take(ledger) == []
    assert len(await due(ledger)) == 2 * marks


async def test_a_new_silence_stops_what_waits_when_it_is_claimed(ledger: Ledger, clock: FakeClock) -> None:
    (alert_id,) = ids(await ledger.record([an_arrival(PAGER, OPS, alert=of("doors"))]))
    silence = await hush(ledger, clock)
    assert await take(ledger) == []
    assert await states(ledger) == {"in_flight": 1}  # the other channel has not asked yet
    assert await take(ledger, a_policy(OPS)) == []
    assert await states(ledger) == {"suppressed": 1}
    told = await story(ledger, alert_id)
    assert (told["suppressed"], told["suppressed_by"]["id"]) == ("silenced", silence)
    assert {(each["state"], each["reason"], each["detail"]) for each in told["obligations"]} == {
        ("suppressed", "silenced", silence)
    }
    assert [each["state"] for each in told["deliveries"]] == ["suppressed"] * 2
    assert (await totals(ledger))["deliveries.suppressed"] == 2


async def test_what_a_silence_stopped_is_not_revived_by_its_end(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    silence = await hush(ledger, clock)
    assert await take(ledger) == []
    assert await ledger.silences.expire(silence, "mia") is Expiry.EXPIRED
    assert await take(ledger) == []
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    assert len(await take(ledger)) == 1


async def test_of_a_group_only_what_is_silenced_is_left_out(ledger: Ledger, clock: FakeClock) -> None:
    group = {"group_key": "g", "interval": 0.0}
    arrivals = [an_arrival(PAGER, alert=of(team), destination=group) for team in ("doors", "windows", "doors")]
    _, loud, _ = ids(await ledger.record(arrivals))
    await hush(ledger, clock)
    (claim,) = await take(ledger)
    assert [alert.id for alert in claim.message.alerts] == [loud]
    assert await states(ledger) == {"suppressed": 2, "in_flight": 1}
    await begin(ledger, [claim])
    await ledger.settle(a_policy(), [outcome_of(claim)])
    assert await states(ledger) == {"suppressed": 2, "delivered": 1}


async def test_a_group_goes_on_after_a_delivery_of_it_was_silenced(ledger: Ledger, clock: FakeClock) -> None:
    group = {"group_key": "g", "interval": 0.0}
    await ledger.record([an_arrival(PAGER, alert=of("windows"), destination=group)])
    (first,) = await take(ledger)
    await ledger.record([an_arrival(PAGER, alert=of("doors"), destination=group)])
    await begin(ledger, [first])
    await hush(ledger, clock)
    await ledger.settle(a_policy(), [outcome_of(first)])
    assert await take(ledger) == []
    await ledger.record([an_arrival(PAGER, alert=of("windows"), destination=group)])
    assert len(await take(ledger)) == 1
    assert await states(ledger) == {"delivered": 1, "suppressed": 1, "in_flight": 1}


async def test_a_frozen_message_is_stopped_only_if_all_of_it_is_silenced(ledger: Ledger, clock: FakeClock) -> None:
    mixed, pure = {"group_key": "mixed"}, {"group_key": "pure"}
    await ledger.record(
        [an_arrival(PAGER, alert=of(team), destination=mixed) for team in ("doors", "windows")]
        + [an_arrival(PAGER, alert=of("doors"), destination=pure) for _ in range(2)]
    )
    await send(ledger, verdict=Verdict.RETRY, reason="http_503", due_at=clock.now())
    await hush(ledger, clock)
    (again,) = await take(ledger)
    assert (again.body, again.attempts) == (b"body", 1)
    assert await states(ledger) == {"in_flight": 2, "suppressed": 2}


async def test_what_is_in_doubt_is_resolved_though_it_is_silenced(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    await send(ledger, verdict=Verdict.IN_DOUBT, reason="timeout", due_at=clock.now(), doubtful=True)
    await hush(ledger, clock)
    (again,) = await take(ledger)
    assert again.doubtful


async def test_any_number_of_silenced_deliveries_hold_up_nothing(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER, alert=of("doors")) for _ in range(60)])
    (loud,) = ids(await ledger.record([an_arrival(PAGER, alert=of("windows"))]))
    await hush(ledger, clock)
    claims = []
    for _ in range(20):
        claims += await take(ledger, limit=1)
    assert [claim.message.alerts[0].id for claim in claims] == [loud]
    assert await states(ledger) == {"suppressed": 60, "in_flight": 1}


async def test_a_claim_that_found_only_silenced_ones_asks_to_be_repeated(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER, alert=of("doors")) for _ in range(60)])
    await hush(ledger, clock)
    work = ledger.work(PAGER)
    work.clear()
    assert await take(ledger, limit=1) == []
    assert work.is_set()


async def test_a_silence_that_nothing_can_parse_holds_up_nothing(ledger: Ledger, clock: FakeClock) -> None:
    await hush(ledger, clock, 'team=~"("', 'team="doors"')
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    assert len(await take(ledger)) == 1


async def test_silences_outlive_a_restart(ledger_url: str, clock: FakeClock) -> None:
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    await hush(ledger, clock)
    await ledger.close()
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    await ledger.record([an_arrival(PAGER, alert=of("doors"))])
    assert await states(ledger) == {"suppressed": 1}
    await ledger.close()


async def test_silences_are_listed_with_their_state_and_each_act_is_kept(ledger: Ledger, clock: FakeClock) -> None:
    first = await hush(ledger, clock)
    second = await hush(ledger, clock, after=60)
    third = await hush(ledger, clock)
    assert await ledger.silences.expire(third, "joe") is Expiry.EXPIRED
    assert await ledger.silences.expire(third, "joe") is Expiry.ENDED_BEFORE
    assert await ledger.silences.expire("01NOBODY", "joe") is Expiry.UNKNOWN
    assert [(each["id"], each["state"], each["expired_by"]) for each in await ledger.silences.every()] == [
        (second, "pending", None),
        (first, "active", None),
        (third, "expired", "joe"),
    ]
    kept = await ledger.ask(lambda connection: connection.execute(select(actions).order_by(actions.c.id)).all())
    assert [(row.who, row.what, row.detail["silence"]) for row in kept] == [
        ("mia", "silence_added", first),
        ("mia", "silence_added", second),
        ("mia", "silence_added", third),
        ("joe", "silence_expired", third),
    ]


async def test_however_many_have_ended_what_stands_is_listed_and_the_rest_page_by_page(
    ledger: Ledger, clock: FakeClock
) -> None:
    active = await hush(ledger, clock)
    pending = await hush(ledger, clock, after=1800)
    ended = [await hush(ledger, clock, seconds=60 - number) for number in range(5)]
    await clock.advance(60)
    listed = [each["id"] for each in await ledger.silences.every(2)]
    assert listed == [pending, active, *ended[:2]]
    ended.insert(0, await hush(ledger, clock))  # what ends meanwhile moves no page
    await ledger.silences.expire(ended[0], "joe")
    second = await ledger.silences.every(2, listed[-1])
    third = await ledger.silences.every(2, second[-1]["id"])
    assert [each["id"] for each in (*second, *third)] == ended[3:]
    assert await ledger.silences.every(2, ended[-1]) == []
    assert await ledger.silences.every(2, "01NOBODY") == []
    assert [each["id"] for each in await ledger.silences.every(0)] == [pending, active]


async def test_what_ended_at_the_same_time_is_listed_once_on_one_page_or_the_next(
    ledger: Ledger, clock: FakeClock
) -> None:
    ended = [await hush(ledger, clock, seconds=60) for _ in range(3)]
    await clock.advance(60)
    first = await ledger.silences.every(1)
    rest = await ledger.silences.every(9, first[-1]["id"])
    assert [each["id"] for each in (*first, *rest)] == ended[::-1]


async def test_a_preview_names_what_a_silence_would_meet(ledger: Ledger) -> None:
    arrivals = [an_arrival(PAGER, alert=of("doors", payload={"n": n})) for n in range(3)]
    *_, last = ids(await ledger.record(arrivals))
    found = await ledger.silences.preview(parse_matchers('team="doors", payload.n=2'))
    assert [(each["id"], each["state"]) for each in found] == [(last, "in_flight")]
    await send(ledger)
    await ledger.strip_contents(ledger.clock.now() + timedelta(days=1))
    assert len(await ledger.silences.preview(parse_matchers('team="doors"'))) == 3


async def test_retention_forgets_silences_that_ended_long_ago(ledger: Ledger, clock: FakeClock) -> None:
    await hush(ledger, clock, seconds=60)
    await clock.advance(600)
    await ledger.forget_passed(clock.now() - timedelta(seconds=541))
    assert len(await ledger.silences.every()) == 1
    await ledger.forget_passed(clock.now() - timedelta(seconds=539))
    assert await ledger.silences.every() == []


async def test_what_the_ledger_suppresses_is_counted(ledger: Ledger, clock: FakeClock) -> None:
    counted: list[dict[str, int]] = []
    ledger.on_suppressed = lambda numbers: counted.append(dict(numbers))
    await ledger.record([an_arrival(PAGER, OPS, alert=of("doors"))])
    await hush(ledger, clock)
    await ledger.record([an_arrival(PAGER, OPS, alert=of("doors"))])
    assert counted == [{"silenced": 1}]
    await take(ledger)
    assert counted == [{"silenced": 1}, {"silenced": 1}]


# --- inhibition ------------------------------------------------------------------------------------------------------


def outage(**values: Any) -> Arrival:
    return an_arrival(PAGER, casts=(("rule 0 vision", 600.0),), **values)


def under_it(**values: Any) -> Arrival:
    return an_arrival(PAGER, under=("another", "rule 0 vision"), **values)


async def test_what_falls_under_a_shadow_is_suppressed_by_the_alert_that_casts_it(ledger: Ledger) -> None:
    source, target, other = ids(await ledger.record([outage(), under_it(), an_arrival(PAGER)]))
    told = await story(ledger, target)
    assert (told["state"], told["suppressed"], told["suppressed_by"]["id"]) == ("suppressed", "inhibited", source)
    assert {alert.id for claim in await take(ledger) for alert in claim.message.alerts} == {source, other}


async def test_a_shadow_falls_on_later_batches_and_passes(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([outage()])
    await clock.advance(599)
    await ledger.record([under_it()])
    await clock.advance(1)
    await ledger.record([under_it()])
    assert await states(ledger) == {"in_flight": 2, "suppressed": 1}


async def test_a_shadow_falls_on_nothing_that_came_before(ledger: Ledger) -> None:
    await ledger.record([under_it(), outage()])
    assert await states(ledger) == {"in_flight": 2}


async def test_each_source_alert_makes_the_shadow_longer(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([outage()])
    await clock.advance(500)
    (second,) = ids(await ledger.record([outage()]))
    await clock.advance(500)
    (target,) = ids(await ledger.record([under_it()]))
    assert (await story(ledger, target))["suppressed_by"]["id"] == second


async def test_a_dropped_or_silenced_alert_casts_its_shadow_all_the_same(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(casts=(("rule 0 vision", 60.0),))])
    await ledger.record([under_it()])
    await clock.advance(60)
    await hush(ledger, clock)
    await ledger.record([outage(alert=of("doors"))])
    await ledger.record([under_it()])
    assert await states(ledger) == {"suppressed": 4}


async def test_a_known_alert_casts_nothing(ledger: Ledger, clock: FakeClock) -> None:
    arrival = outage()
    await ledger.record([arrival])
    await clock.advance(600)
    assert await ledger.record([arrival, under_it()]) != [None, None]
    assert await states(ledger) == {"in_flight": 2}


async def test_inhibition_comes_before_silence_and_after_drop(ledger: Ledger, clock: FakeClock) -> None:
    await hush(ledger, clock)
    await ledger.record([outage()])
    both, dropped = ids(
        await ledger.record([under_it(alert=of("doors")), an_arrival(alert=of("doors"), under=("rule 0 vision",))])
    )
    assert (await story(ledger, both))["suppressed"] == "inhibited"
    assert (await story(ledger, dropped))["suppressed"] == Suppression.DROPPED


async def test_retention_forgets_shadows_that_have_passed(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([outage()])
    await ledger.forget_passed(clock.now())
    await ledger.record([under_it()])
    await clock.advance(600)
    await ledger.forget_passed(clock.now())
    await ledger.record([under_it()])
    assert await states(ledger) == {"in_flight": 2, "suppressed": 1}
    assert (await totals(ledger))[f"deliveries.{DeliveryState.PENDING}"] == 2

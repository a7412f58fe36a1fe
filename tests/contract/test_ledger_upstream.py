"""What someone read at the vendor before it was sent: suppressed, unless Bellwire marked it, or it may have gone out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import Verdict
from bellwire.model import AccountKey, MarkOutcome, MarkPolicy, MarkResult
from bellwire.records import MarkRecord
from ledger_rig import DEAD, backed, fail, owed, send, states, story, take
from makers import OPS, PAGER, VISION, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import Arrival
    from fakes import FakeClock

TWIN = AccountKey(name="vision-again", base_url=VISION.base_url)


async def read(ledger: Ledger, *arrivals: Arrival, account: AccountKey = VISION) -> int:
    return await ledger.read_upstream(account, [each.alert.upstream_id for each in arrivals], "list")


async def test_what_was_read_before_it_was_sent_is_suppressed_and_says_so(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    (alert_id,) = ids(await ledger.record([arrival]))
    assert await ledger.in_flight(VISION) == {arrival.alert.upstream_id}
    assert await read(ledger, arrival) == 1
    assert await states(ledger) == {"suppressed": 1}
    told = await story(ledger, alert_id)
    assert told["suppressed"] == "read_upstream"
    assert [(event["kind"], event["detail"]) for event in told["events"]] == [("read_upstream", {"found_by": "list"})]
    assert await take(ledger, a_policy(PAGER)) == []
    assert await ledger.in_flight(VISION) == set()
    assert await read(ledger, arrival) == 0


async def test_what_is_being_sent_or_in_doubt_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    doubtful, failed, sending = (an_arrival(PAGER) for _ in range(3))
    later = clock.now() + timedelta(hours=1)
    await ledger.record([doubtful])
    in_doubt = {"verdict": Verdict.IN_DOUBT, "reason": "timeout", "doubtful": True}
    await send(ledger, a_policy(PAGER), **in_doubt, due_at=later)
    await ledger.record([failed])
    await fail(ledger, a_policy(PAGER), due_at=later)
    await ledger.record([sending])
    assert len(await take(ledger, a_policy(PAGER))) == 1
    assert await read(ledger, doubtful, failed, sending) == 1
    assert await ledger.in_flight(VISION) == {doubtful.alert.upstream_id, sending.alert.upstream_id}


async def test_one_channel_has_it_and_the_other_need_not(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER, OPS)
    (alert_id,) = ids(await ledger.record([arrival]))
    await send(ledger, a_policy(OPS))
    await read(ledger, arrival)
    assert await owed(ledger, alert_id) == {"pager": "suppressed", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}


async def test_marks_that_bellwire_made_itself_never_count(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER, OPS, mark=MarkPolicy.ANY)
    (alert_id,) = ids(await ledger.record([arrival]))
    await send(ledger, a_policy(OPS))  # which owes the mark
    assert await read(ledger, arrival) == 0
    result = MarkResult(upstream_id=arrival.alert.upstream_id, outcome=MarkOutcome.CONFIRMED)
    await ledger.record_marks([MarkRecord(alert_id=alert_id, result=result)])
    assert await read(ledger, arrival) == 0
    assert await owed(ledger, alert_id) == {"pager": "open", "ops": "sent"}


async def test_nor_do_those_that_it_made_for_another_account_of_the_same_inbox(ledger: Ledger) -> None:
    alert = an_alert(upstream_id="shared")
    await ledger.record([an_arrival(OPS, alert=alert)])
    twin = an_arrival(PAGER, alert=alert, account=TWIN)
    await ledger.record([twin])
    assert await read(ledger, twin, account=TWIN) == 1
    await send(ledger, a_policy(OPS))
    again = an_arrival(PAGER, alert=an_alert(upstream_id="shared too"), account=TWIN)
    await ledger.record([an_arrival(OPS, alert=again.alert)])
    await send(ledger, a_policy(OPS))
    await ledger.record([again])
    assert await read(ledger, again, account=TWIN) == 0


async def test_of_a_frozen_message_all_is_stopped_or_nothing(ledger: Ledger) -> None:
    first, second = (an_arrival(PAGER, destination={"group_key": "g"}) for _ in range(2))
    await ledger.record([first, second])
    await fail(ledger, a_policy(PAGER))
    assert await read(ledger, first) == 0
    assert await read(ledger, first, second) == 2
    assert await states(ledger) == {"suppressed": 2}


async def test_what_stands_in_is_stopped_too_and_what_is_dead_stays_dead(ledger: Ledger) -> None:
    arrival = an_arrival(PAGER)
    (alert_id,) = ids(await ledger.record([arrival]))
    await send(ledger, backed(), **DEAD)
    assert await read(ledger, arrival) == 1
    assert await owed(ledger, alert_id) == {"pager": "dead", "ops": "suppressed"}
    assert await states(ledger) == {"dead": 1}


async def test_what_was_read_elsewhere_is_counted_once(ledger: Ledger) -> None:
    counted: list[dict[str, int]] = []
    ledger.on_suppressed = lambda numbers: counted.append(dict(numbers))
    arrival = an_arrival(PAGER, OPS)
    await ledger.record([arrival])
    await read(ledger, arrival)
    await read(ledger, arrival)
    assert counted == [{"read_upstream": 2}]


async def test_the_next_message_of_its_group_is_looked_for_at_once(ledger: Ledger, clock: FakeClock) -> None:
    group = {"group_key": "g", "group_labels": {}}
    first, policy, work = an_arrival(PAGER, destination=group), a_policy(PAGER), ledger.work(PAGER)
    await ledger.record([first])
    await fail(ledger, policy, due_at=clock.now() + timedelta(seconds=300))
    await ledger.record([an_arrival(PAGER, destination=group)])
    await ledger.ping()
    work.clear()
    assert await read(ledger, first) == 1
    assert work.is_set()
    assert len(await take(ledger, policy)) == 1

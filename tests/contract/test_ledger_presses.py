"""What people do about a message that was sent: its items are marked, what is like it is silenced, and it is kept who."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.ledger.acting import read_actions
from bellwire.ledger.pressing import MARKED, SILENCED, Marked, Order
from bellwire.model import MarkOutcome, MarkPolicy, MarkResult, Suppression
from bellwire.records import MarkRecord, NewSilence
from ledger_moves import begin, due, send, states, story, take
from makers import OPS, PAGER, VISION, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import AccountKey
    from fakes import FakeClock

SLACK = a_policy(OPS)
NEVER: dict[str, Any] = {"mark": MarkPolicy.NEVER}
DANA = "dana (U1) in Slack"


def order(delivery: str, **values: Any) -> Order:
    return Order(**{"delivery": delivery, "who": DANA, "user": "U1"} | values)


async def sent(ledger: Ledger, number: int = 1, **values: Any) -> tuple[str, list[str]]:
    """Send so many alerts in one message; return its id, and theirs."""
    destination = {"group_key": "g", "group_labels": {}, "interval": 0}
    arrivals = [an_arrival(OPS, destination=destination, **(NEVER | values)) for _ in range(number)]
    alert_ids = ids(await ledger.record(arrivals))
    (claim,) = await send(ledger, SLACK)
    return claim.message.delivery_id, alert_ids


async def test_a_person_may_have_marked_what_the_policy_never_does(ledger: Ledger) -> None:
    delivery, alert_ids = await sent(ledger, 3)
    assert await due(ledger) == []
    owed: list[AccountKey] = []
    ledger.on_marks_owed = owed.append

    result = await ledger.presses.mark_read(order(delivery))

    assert result == Marked(asked={"vision": 3}, before=0, unmarkable=0, unsettled=0)
    assert len(await due(ledger)) == 3
    assert owed == [VISION]
    assert await states(ledger) == {"delivered": 3}
    for alert_id in alert_ids:
        (event,) = (await story(ledger, alert_id))["events"]
        assert (event["kind"], event["detail"]["by"]) == (MARKED, DANA)
    (action,) = await ledger.ask(lambda connection: read_actions(connection, 10))
    assert (action["who"], action["what"]) == (DANA, "alerts_marked")
    assert action["detail"] == {"delivery": delivery, "alerts": 3}


async def test_asking_twice_marks_once(ledger: Ledger) -> None:
    delivery, _ = await sent(ledger, 2)
    await ledger.presses.mark_read(order(delivery))

    again = await ledger.presses.mark_read(order(delivery))

    assert again == Marked(asked={}, before=2, unmarkable=0, unsettled=0)
    assert len(await due(ledger)) == 2
    assert len(await ledger.presses.deeds(delivery)) == 1


async def test_a_mark_that_had_failed_for_good_is_made_again(ledger: Ledger) -> None:
    delivery, (alert_id,) = await sent(ledger)
    await ledger.presses.mark_read(order(delivery))
    (mark,) = (await ledger.due_marks(VISION, 10)).marks
    failed = MarkResult(upstream_id=mark.upstream_id, outcome=MarkOutcome.FAILED, detail="HTTP 422")
    await ledger.record_marks([MarkRecord(alert_id=alert_id, result=failed)])
    assert await due(ledger) == []

    result = await ledger.presses.mark_read(order(delivery))

    assert result.asked == {"vision": 1}
    assert await due(ledger) == [mark.upstream_id]
    assert await states(ledger) == {"delivered": 1}


async def test_what_has_no_id_at_its_vendor_is_counted_apart(ledger: Ledger) -> None:
    delivery, _ = await sent(ledger, markable=False)

    assert await ledger.presses.mark_read(order(delivery)) == Marked(asked={}, before=0, unmarkable=1, unsettled=0)
    assert await ledger.presses.deeds(delivery) == []


async def test_what_died_is_not_marked_before_someone_gives_it_up(ledger: Ledger) -> None:
    await ledger.record([an_arrival(OPS)])
    dead = {"verdict": Verdict.MESSAGE_FAULT, "reason": "slack_no_text", "dead": True}
    (claim,) = await send(ledger, SLACK, **dead)

    result = await ledger.presses.mark_read(order(claim.message.delivery_id))

    assert result == Marked(asked={}, before=0, unmarkable=0, unsettled=1)
    assert await states(ledger) == {"dead": 1}


async def test_what_another_channel_still_owes_may_be_marked_once_it_reached_this_one(ledger: Ledger) -> None:
    await ledger.record([an_arrival(OPS, PAGER)])
    (claim,) = await send(ledger, SLACK)

    result = await ledger.presses.mark_read(order(claim.message.delivery_id))

    assert result.asked == {"vision": 1}
    assert await states(ledger) == {"in_flight": 1}
    assert len(await take(ledger, a_policy(PAGER))) == 1


async def test_a_silence_holds_back_what_comes_and_says_who_wanted_it(ledger: Ledger, clock: FakeClock) -> None:
    delivery, (alert_id,) = await sent(ledger)
    silence = NewSilence(
        matchers=('type="alert"',),
        starts_at=clock.wall(),
        ends_at=clock.wall() + timedelta(hours=1),
        author=DANA,
        comment="a button",
    )

    (silence_id,) = await ledger.presses.silence(order(delivery, silences=(silence,)))

    like = an_alert(labels={"account": "vision", "type": "alert"})
    (silenced,) = ids(await ledger.record([an_arrival(OPS, alert=like)]))
    assert await take(ledger, SLACK) == []
    assert (await story(ledger, silenced))["suppressed_by"]["author"] == DANA
    assert (await story(ledger, silenced))["suppressed"] is Suppression.SILENCED
    (deed,) = await ledger.presses.deeds(delivery)
    assert (deed.kind, deed.detail["silences"], deed.detail["user"]) == (SILENCED, [silence_id], "U1")
    assert [event["kind"] for event in (await story(ledger, alert_id))["events"]] == [SILENCED]


async def test_a_silence_that_was_just_made_is_not_made_again(ledger: Ledger, clock: FakeClock) -> None:
    delivery, _ = await sent(ledger)
    made = []
    for minutes in (0, 0.5, 30):
        await clock.advance(60 * minutes)
        ends_at = clock.wall() + timedelta(hours=1)
        silence = NewSilence(
            matchers=('type="alert"', 'title="a\\"b"'),
            starts_at=clock.wall(),
            ends_at=ends_at,
            author=DANA,
            comment="c",
        )
        made += await ledger.presses.silence(order(delivery, silences=(silence,)))

    assert made[0] == made[1] != made[2]


async def test_a_message_says_where_it_went_and_what_it_named(ledger: Ledger) -> None:
    delivery, alert_ids = await sent(ledger, 2)

    found = await ledger.presses.look(delivery)

    assert found is not None
    assert (found[0], [alert.id for alert in found[1]]) == (OPS, alert_ids)
    assert await ledger.presses.look("01JNOSUCHDELIVERY000000000") is None
    assert await ledger.presses.deeds("01JNOSUCHDELIVERY000000000") == []


async def test_a_press_that_comes_before_the_outcome_is_written_marks_nothing(ledger: Ledger) -> None:
    await ledger.record([an_arrival(OPS)])
    (claim,) = await take(ledger, SLACK)
    await begin(ledger, [claim], policy=SLACK)

    result = await ledger.presses.mark_read(order(claim.message.delivery_id))

    assert (result.asked, result.unsettled) == ({}, 1)
    assert await states(ledger) == {"in_flight": 1}

"""Dead letters: sent again, sent elsewhere, given up; and what that settles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.ledger.acting import read_actions
from bellwire.ledger.letters import answer_of
from bellwire.model import ChannelKey, DeliveryKind, DeliveryState, MarkPolicy
from bellwire.records import LetterOrder, Letters
from ledger_rig import DEAD, backed, deliveries, end, fail, marks, owed, send, states, story, take
from makers import OPS, PAGER, a_policy, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import Letter
    from fakes import FakeClock

SECOND = ChannelKey(receiver="desk", kind="email", name="desk@example.com")
THIRD = ChannelKey(receiver="desk", kind="webhook")
RECEIVERS = {
    "pager": (a_policy(PAGER),),
    "ops": (a_policy(OPS, max_alerts=2),),
    "desk": (a_policy(SECOND), a_policy(THIRD)),
}
WHO = "alice"


async def died(ledger: Ledger, number: int = 1, *channels: ChannelKey, **values: Any) -> list[str]:
    """Record alerts that die at the pager; return their ids."""
    recorded = ids(await ledger.record([an_arrival(*(channels or (PAGER,)), **values) for _ in range(number)]))
    await send(ledger, a_policy(PAGER), **DEAD)
    return recorded


async def dead_ones(ledger: Ledger) -> list[str]:
    return [each["id"] for each in await deliveries(ledger, DeliveryState.DEAD)]


async def replay(ledger: Ledger, *delivery_ids: str, **values: Any) -> Letters:
    order = LetterOrder(deliveries=delivery_ids or None, who=WHO, **values)
    return await ledger.letters.replay(order, RECEIVERS)


async def abandon(ledger: Ledger, *delivery_ids: str, **values: Any) -> Letters:
    return await ledger.letters.abandon(LetterOrder(deliveries=delivery_ids, who=WHO, **values))


def replays_of(letters: Letters) -> list[str]:
    return [replay.id for letter in letters.letters for replay in letter.replays]


async def actions(ledger: Ledger) -> list[tuple[str, str]]:
    found = await ledger.ask(lambda connection: read_actions(connection, 100))
    return [(each["who"], each["what"]) for each in found[::-1]]


# --- replay ----------------------------------------------------------------------------------------------------------


async def test_a_replay_is_a_new_delivery_that_knows_its_origin(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger)
    (dead,) = await dead_ones(ledger)
    (new,) = replays_of(await replay(ledger, dead))
    assert await owed(ledger, alert_id) == {"pager": "open"}
    assert await states(ledger) == {"in_flight": 1}
    (claim,) = await take(ledger, a_policy(PAGER))
    assert (claim.message.delivery_id, claim.message.kind) == (new, DeliveryKind.REPLAY)
    assert (claim.message.origin, claim.attempts, claim.body) == (dead, 0, None)
    assert [alert.id for alert in claim.message.alerts] == [alert_id]
    await end(ledger, a_policy(PAGER), [claim])
    assert await states(ledger) == {"delivered": 1}
    assert len(await marks(ledger)) == 1
    told = {each["id"]: each["state"] for each in await deliveries(ledger)}
    assert told == {dead: DeliveryState.REPLAYED, new: DeliveryState.SENT}


async def test_a_replay_that_dies_is_dead_again_and_can_be_replayed(ledger: Ledger) -> None:
    await died(ledger)
    for _ in range(2):
        (dead,) = await dead_ones(ledger)
        await replay(ledger, dead)
        await send(ledger, backed(), **DEAD)
        assert await states(ledger) == {"dead": 1}
    assert await take(ledger, a_policy(OPS)) == []  # who replays does not ask the fallback
    await replay(ledger, *await dead_ones(ledger))
    await send(ledger, a_policy(PAGER))
    assert await states(ledger) == {"delivered": 1}


async def test_a_replayed_group_is_one_message_bounded_by_what_the_channel_takes_now(ledger: Ledger) -> None:
    recorded = await died(ledger, 5, destination={"group_key": "g", "group_labels": {"a": "b"}})
    (new,) = replays_of(await replay(ledger, *await dead_ones(ledger)))
    named: list[str] = []
    for part in (1, 2):
        (claim,) = await send(ledger, a_policy(PAGER, max_alerts=3))
        named += [alert.id for alert in claim.message.alerts]
        assert (claim.message.part, claim.message.parts, claim.message.group_labels) == (part, 2, {"a": "b"})
    assert named == recorded
    assert new in {each["id"] for each in await deliveries(ledger, DeliveryState.SENT)}


async def test_all_dead_ones_are_replayed_in_parts_and_each_once(ledger: Ledger) -> None:
    recorded = await died(ledger, 450)
    parts: list[Letters] = []
    after: str | None = ""
    until = None
    while after is not None:
        parts.append(await replay(ledger, after=after, until=until))
        after, until = parts[-1].after, parts[-1].until
        await send(ledger, a_policy(PAGER), **DEAD)  # what dies again is not taken again
    assert [len(part.letters) for part in parts] == [200, 200, 50]
    named = [alert_id for part in parts for letter in part.letters for alert_id in letter.alerts]
    assert named == recorded
    assert await states(ledger) == {"dead": 450}


async def test_dead_ones_are_chosen_by_receiver_and_age(ledger: Ledger, clock: FakeClock) -> None:
    await died(ledger)
    await clock.advance(3600)
    await ledger.record([an_arrival(PAGER), an_arrival(OPS)])
    await send(ledger, a_policy(PAGER), **DEAD)
    await send(ledger, a_policy(OPS), **DEAD)

    async def chosen(**values: Any) -> list[str]:
        return [str(letter.key) for letter in (await replay(ledger, dry=True, **values)).letters]

    assert await chosen() == ["pager/webhook", "pager/webhook", "ops/slack"]
    assert await chosen(receiver="ops") == ["ops/slack"]
    assert await chosen(since=60.0) == ["pager/webhook", "ops/slack"]
    assert await chosen(since=60.0, receiver="pager") == ["pager/webhook"]
    assert await chosen(receiver="nobody") == []


async def test_a_dry_order_says_what_it_would_do_and_does_nothing(ledger: Ledger) -> None:
    await died(ledger, 2)
    before = await deliveries(ledger)
    looked = await replay(ledger, dry=True, to="desk")
    assert [[str(each.key) for each in letter.replays] for letter in looked.letters] == [
        ["desk/email/desk@example.com", "desk/webhook"]
    ] * 2
    assert replays_of(looked) == [""] * 4
    await abandon(ledger, *await dead_ones(ledger), dry=True)
    assert await deliveries(ledger) == before
    assert await actions(ledger) == []


@pytest.mark.parametrize("do", [replay, abandon])
async def test_an_order_that_names_something_unknown_does_nothing(ledger: Ledger, do: Any) -> None:
    await died(ledger)
    (dead,) = await dead_ones(ledger)
    refused = await do(ledger, dead, "01NOSUCHDELIVERY")
    assert refused.unknown == ("there is no delivery 01NOSUCHDELIVERY",)
    assert await dead_ones(ledger) == [dead]


async def test_what_is_not_dead_is_refused_with_the_reason(ledger: Ledger) -> None:
    await died(ledger)
    await ledger.record([an_arrival(PAGER), an_arrival(OPS)])
    (dead,) = await dead_ones(ledger)
    (waiting,) = [each["id"] for each in await deliveries(ledger) if each["receiver"] == "ops"]
    (sending,) = [claim.message.delivery_id for claim in await take(ledger, a_policy(PAGER))]
    refused = await replay(ledger, dead, waiting, sending)
    assert sorted(refused.refused) == sorted([f"{waiting} still waits to be sent", f"{sending} is being sent"])
    assert await dead_ones(ledger) == [dead]
    await replay(ledger, dead)
    assert (await replay(ledger, dead)).refused == (f"{dead} was replayed: name its replay",)
    assert (await abandon(ledger, waiting)).refused == (f"{waiting} still waits to be sent",)


# --- to another receiver ---------------------------------------------------------------------------------------------


async def test_another_receiver_covers_what_is_dead_once_all_its_channels_have_it(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger)
    (dead,) = await dead_ones(ledger)
    assert len(replays_of(await replay(ledger, dead, to="desk"))) == 2
    await send(ledger, a_policy(SECOND))
    assert await states(ledger) == {"in_flight": 1}
    await send(ledger, a_policy(THIRD))
    assert await states(ledger) == {"delivered": 1}
    assert {each["state"] for each in (await story(ledger, alert_id))["obligations"]} == {"covered", "sent"}
    assert len(await marks(ledger)) == 1
    assert await dead_ones(ledger) == []


async def test_another_receiver_that_has_the_alert_gets_it_no_second_time(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger, 1, PAGER, OPS)
    await send(ledger, a_policy(OPS))
    letters = await replay(ledger, *await dead_ones(ledger), to="ops")
    assert replays_of(letters) == []
    assert await take(ledger, a_policy(OPS)) == []
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}


async def test_another_receiver_where_it_died_too_gets_it_again(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger, 1, PAGER, OPS)
    await send(ledger, a_policy(OPS), **DEAD)
    pager = [each["id"] for each in await deliveries(ledger, DeliveryState.DEAD) if each["receiver"] == "pager"]
    await replay(ledger, *pager, to="ops")
    assert await owed(ledger, alert_id) == {"pager": "dead", "ops": "open"}
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"delivered": 1}
    assert await dead_ones(ledger) == []


async def test_two_dead_deliveries_of_one_alert_reach_another_receiver_once(ledger: Ledger) -> None:
    (alert_id,) = ids(await ledger.record([an_arrival(SECOND, THIRD)]))
    for key in (SECOND, THIRD):
        await send(ledger, a_policy(key), **DEAD)
    letters = await replay(ledger, to="ops")
    assert (len(letters.letters), len(replays_of(letters))) == (2, 1)
    (claim,) = await send(ledger, a_policy(OPS))
    assert [alert.id for alert in claim.message.alerts] == [alert_id]
    assert await states(ledger) == {"delivered": 1}


async def test_what_is_dead_at_the_other_receiver_itself_is_simply_replayed(ledger: Ledger) -> None:
    await died(ledger, 1, PAGER, OPS)
    await send(ledger, a_policy(OPS), **DEAD)
    await replay(ledger, to="ops")
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"delivered": 1}
    assert await dead_ones(ledger) == []


async def test_what_a_removed_channel_left_is_replayed_only_elsewhere(ledger: Ledger) -> None:
    gone = ChannelKey(receiver="gone", kind="webhook")
    (alert_id,) = ids(await ledger.record([an_arrival(gone)]))
    await ledger.retire_channels([OPS])
    (dead,) = await dead_ones(ledger)
    (reason,) = (await replay(ledger, dead)).refused
    assert "gone/webhook, which is in the configuration no more: --to" in reason
    await died(ledger)
    assert [letter.skipped for letter in [await replay(ledger)]] == [1]
    await replay(ledger, dead, to="ops")
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"gone": "covered", "ops": "sent"}


async def test_a_receiver_that_there_is_not_is_named_with_the_nearest(ledger: Ledger) -> None:
    await died(ledger)
    assert (await replay(ledger, to="opps")).misnamed == ("there is no receiver opps: did you mean ops?",)


# --- again, though it was sent ---------------------------------------------------------------------------------------


async def test_what_was_sent_is_sent_again_by_id_and_nothing_depends_on_it(ledger: Ledger) -> None:
    (alert_id,) = ids(await ledger.record([an_arrival(PAGER)]))
    await send(ledger, a_policy(PAGER))
    (sent,) = [each["id"] for each in await deliveries(ledger)]
    (new,) = replays_of(await replay(ledger, sent))
    assert await states(ledger) == {"delivered": 1}
    (claim,) = await take(ledger, a_policy(PAGER))
    assert (claim.message.delivery_id, claim.message.kind, claim.message.origin) == (new, DeliveryKind.REPLAY, sent)
    assert [alert.id for alert in claim.message.alerts] == [alert_id]
    await end(ledger, a_policy(PAGER), [claim], **DEAD)
    assert await states(ledger) == {"delivered": 1}
    assert await dead_ones(ledger) == [new]
    await replay(ledger, new)
    (again,) = await send(ledger, a_policy(PAGER))
    assert (again.message.origin, [alert.id for alert in again.message.alerts]) == (sent, [alert_id])
    assert await dead_ones(ledger) == []
    shown = {each["id"] for each in (await story(ledger, alert_id))["deliveries"]}
    assert shown == {sent, new, again.message.delivery_id}


async def test_what_a_stand_in_covered_is_sent_by_id_and_stays_covered(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger)
    (dead,) = await dead_ones(ledger)
    await replay(ledger, dead, to="ops")
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    await replay(ledger, dead)
    (claim,) = await take(ledger, a_policy(PAGER))
    assert [alert.id for alert in claim.message.alerts] == [alert_id]
    assert (claim.message.kind, claim.message.origin) == (DeliveryKind.REPLAY, dead)
    await end(ledger, a_policy(PAGER), [claim], **DEAD)
    assert await owed(ledger, alert_id) == {"pager": "covered", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}


async def test_what_is_sent_again_elsewhere_fits_into_messages_there(ledger: Ledger) -> None:
    group = {"group_key": "g"}
    recorded = ids(await ledger.record([an_arrival(PAGER, destination=group) for _ in range(5)]))
    (claim,) = await send(ledger, a_policy(PAGER))
    assert len(replays_of(await replay(ledger, claim.message.delivery_id, to="ops"))) == 3
    named: list[str] = []
    for part in (1, 2, 3):
        (claim,) = await send(ledger, a_policy(OPS, max_alerts=2))
        named += [alert.id for alert in claim.message.alerts]
        assert (claim.message.part, claim.message.parts) == (part, 3)
    assert named == recorded


async def test_what_is_no_longer_kept_cannot_be_sent_again(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    (claim,) = await send(ledger, a_policy(PAGER))
    await clock.advance(10)
    assert await ledger.strip_contents(clock.now()) == 1
    (reason,) = (await replay(ledger, claim.message.delivery_id)).refused
    assert reason.endswith("what its alerts said is no longer kept")


# --- abandon ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "marked"),
    [(MarkPolicy.DELIVERED, 1), (MarkPolicy.ANY, 1), (MarkPolicy.HANDLED, 1), (MarkPolicy.NEVER, 0)],
)
async def test_what_is_abandoned_is_suppressed_and_marked_unless_never(
    ledger: Ledger, policy: MarkPolicy, marked: int
) -> None:
    (alert_id,) = await died(ledger, mark=policy)
    (dead,) = await dead_ones(ledger)
    (letter,) = (await abandon(ledger, dead)).letters
    assert (letter.id, letter.alerts, letter.reason) == (dead, (alert_id,), "http_400")
    assert await states(ledger) == {"suppressed": 1}
    assert (await story(ledger, alert_id))["suppressed"] == "abandoned"
    assert len(await marks(ledger)) == marked
    (delivery,) = await deliveries(ledger)
    assert (delivery["state"], delivery["reason"]) == (DeliveryState.SUPPRESSED, "abandoned")


async def test_an_abandoned_delivery_of_an_alert_that_went_elsewhere_leaves_it_delivered(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger, 1, PAGER, OPS)
    await abandon(ledger, *await dead_ones(ledger))
    assert await states(ledger) == {"in_flight": 1}
    assert await marks(ledger) == []
    await send(ledger, a_policy(OPS))
    assert await owed(ledger, alert_id) == {"pager": "suppressed", "ops": "sent"}
    assert await states(ledger) == {"delivered": 1}
    assert len(await marks(ledger)) == 1


async def test_a_message_that_owes_nothing_is_abandoned_by_itself(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    (claim,) = await send(ledger, a_policy(PAGER))
    await replay(ledger, claim.message.delivery_id)
    await send(ledger, a_policy(PAGER), **DEAD)
    (again,) = await dead_ones(ledger)
    assert (await abandon(ledger, again)).letters[0].alerts == ()
    assert await dead_ones(ledger) == []
    assert await states(ledger) == {"delivered": 1}


# --- telling ---------------------------------------------------------------------------------------------------------


async def test_who_did_it_is_kept_and_told_with_the_alert(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger)
    (dead,) = await dead_ones(ledger)
    (new,) = replays_of(await replay(ledger, dead))
    await send(ledger, a_policy(PAGER), **DEAD)
    await abandon(ledger, new)
    assert await actions(ledger) == [(WHO, "delivery_replayed"), (WHO, "delivery_abandoned")]
    told = await story(ledger, alert_id)
    assert [(event["kind"], event["detail"]["by"]) for event in told["events"]] == [
        ("delivery_replayed", WHO),
        ("delivery_abandoned", WHO),
    ]
    assert [(each["id"], each["origin"]) for each in told["deliveries"]] == [(dead, None), (new, dead)]


async def test_an_answer_is_made_of_plain_values(ledger: Ledger) -> None:
    (alert_id,) = await died(ledger)
    assert alert_id
    (dead,) = await dead_ones(ledger)
    answer = answer_of(await replay(ledger, dead))
    (letter,) = answer["deliveries"]
    (new,) = letter["replays"]
    place = {"receiver": "pager", "channel": "webhook", "name": ""}
    assert new == place | {"id": new["id"], "alerts": 1}
    assert letter == place | {"id": dead, "reason": "http_400", "alerts": 1, "replays": [new]}
    counts = {key: answer[key] for key in ("alerts", "skipped", "next", "misnamed", "unknown", "refused")}
    assert counts == {"alerts": 1, "skipped": 0, "next": None, "misnamed": [], "unknown": [], "refused": []}


async def test_a_replay_that_waits_is_retried_like_any_delivery(ledger: Ledger) -> None:
    await died(ledger)
    letters: tuple[Letter, ...] = (await replay(ledger)).letters
    assert len(letters) == 1
    await fail(ledger, a_policy(PAGER))
    await send(ledger, a_policy(PAGER))
    assert await states(ledger) == {"delivered": 1}


async def test_what_is_given_up_and_what_is_covered_is_counted(ledger: Ledger) -> None:
    counted: Counter[str] = Counter()
    ledger.on_suppressed = counted.update
    await died(ledger, 2)
    first, second = await dead_ones(ledger)
    await abandon(ledger, first, dry=True)
    assert counted == {}
    await abandon(ledger, first)
    assert counted == {"abandoned": 1}
    await replay(ledger, second, to="ops")
    await send(ledger, a_policy(OPS))
    assert counted == {"abandoned": 1, "covered": 1}

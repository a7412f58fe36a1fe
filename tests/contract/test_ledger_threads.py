"""What a channel leaves with a group is given back with the group's later messages, until the group ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.errors import Verdict
from bellwire.ledger.tables import groups
from ledger_moves import begin, outcome_of, send, take
from makers import OPS, a_policy, an_arrival

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bellwire.ledger.ledger import Ledger
    from bellwire.records import Arrival, Claim
    from fakes import FakeClock

DAY = 86_400.0
SLACK = a_policy(OPS)


def grouped(key: str = "g", interval: float = 60.0) -> Arrival:
    return an_arrival(OPS, destination={"group_key": key, "group_labels": {"view": key}, "interval": interval})


async def sent(ledger: Ledger, *arrivals: Arrival, **outcome: Any) -> Claim:
    """Record alerts, and send the one message that they make."""
    await ledger.record(arrivals)
    (claim,) = await send(ledger, SLACK, **outcome)
    return claim


async def test_a_follow_up_is_given_what_the_message_before_it_left(ledger: Ledger, clock: FakeClock) -> None:
    first = await sent(ledger, grouped(), remote="C1", group="thread 1")
    await clock.advance(60)
    second = await sent(ledger, grouped(), remote="C1", group="thread 2")
    await clock.advance(60)
    third = await sent(ledger, grouped(), remote="C1")
    await clock.advance(60)
    fourth = await sent(ledger, grouped())

    assert [each.group for each in (first, second, third, fourth)] == ["", "thread 1", "thread 2", "thread 2"]


async def test_what_stands_alone_is_of_no_group_and_groups_know_nothing_of_each_other(ledger: Ledger) -> None:
    await sent(ledger, grouped("g"), remote="C1", group="thread of g")

    assert (await sent(ledger, an_arrival(OPS), remote="C1")).group is None
    assert (await sent(ledger, grouped("h"), remote="C1", group="thread of h")).group == ""


async def test_it_is_forgotten_a_day_after_the_last_message(ledger: Ledger, clock: FakeClock) -> None:
    await sent(ledger, grouped(), remote="C1", group="thread")
    await clock.advance(DAY - 1)
    assert (await sent(ledger, grouped(), remote="C1", group="thread")).group == "thread"
    await clock.advance(DAY)

    assert (await sent(ledger, grouped(), remote="C1", group="another")).group == ""


async def test_a_follow_up_that_is_tried_again_after_the_end_still_belongs_to_its_thread(
    ledger: Ledger, clock: FakeClock
) -> None:
    await sent(ledger, grouped(), remote="C1", group="thread")
    await clock.advance(DAY - 1)
    lost = {"verdict": Verdict.IN_DOUBT, "reason": "timeout", "doubtful": True, "due_at": clock.now()}
    await sent(ledger, grouped(), **lost)
    await clock.advance(10)

    (claim,) = await take(ledger, SLACK)
    assert (claim.doubtful, claim.group) == (True, "thread")


async def test_a_failure_leaves_the_group_as_it_was(ledger: Ledger, clock: FakeClock) -> None:
    await sent(ledger, grouped(), remote="C1", group="thread")
    await clock.advance(60)
    failed = {"verdict": Verdict.MESSAGE_FAULT, "reason": "slack_invalid_blocks", "dead": True, "group": "wrong"}
    await sent(ledger, grouped(), **failed)

    assert (await sent(ledger, grouped())).group == "thread"


async def test_the_parts_of_what_is_too_large_follow_the_first_one(ledger: Ledger) -> None:
    small = a_policy(OPS, max_alerts=2)
    await ledger.record([grouped() for _ in range(5)])
    given = []
    for number in range(3):
        (claim,) = await take(ledger, small)
        await begin(ledger, [claim], policy=small)
        await ledger.settle(small, [outcome_of(claim, remote="C1", group=f"after part {number + 1}")])
        given.append(claim.group)

    assert given == ["", "after part 1", "after part 2"]


async def test_a_digest_is_no_follow_up_of_the_one_before_it(ledger: Ledger, clock: FakeClock) -> None:
    daily = {"digest": "0 8 * * *"}
    await ledger.record([an_arrival(OPS, destination=daily)])
    await clock.advance(DAY)
    await send(ledger, SLACK, remote="C1", group="yesterday's")
    await ledger.record([an_arrival(OPS, destination=daily)])
    await clock.advance(DAY - 2 * 3600)

    (claim,) = await take(ledger, SLACK)
    assert claim.group == ""


async def test_retention_forgets_what_was_left_with_groups_that_are_over(ledger: Ledger, clock: FakeClock) -> None:
    await sent(ledger, grouped("old"), remote="C1", group="thread of old")
    await clock.advance(2 * DAY)
    await sent(ledger, grouped("new"), remote="C1", group="thread of new")
    await ledger.forget_passed(clock.now())  # whatever the retention: a thread lasts a day

    assert await ledger.ask(remotes) == {"old": "", "new": "thread of new"}


def remotes(connection: Connection) -> dict[str, str]:
    return {row.group_key: row.remote for row in connection.execute(select(groups))}

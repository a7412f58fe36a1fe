"""The contract of the ledger's part in Bellwire's own troubles, whatever database is under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.ledger import reading
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.troubles import read_troubles
from bellwire.model import DeliveryKind, MarkOutcome, MarkPolicy, MarkResult, TroubleKind
from bellwire.records import Claim, MarkRecord, Outcome, RateLimit, Start
from bellwire.trouble_records import Telling, TroubleBegun, TroubleEnded, TroubleNews
from makers import OPS, PAGER, VISION, a_policy, an_alert, an_arrival

if TYPE_CHECKING:
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy
    from fakes import FakeClock

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def begun(subject: str = "pager/webhook", **values: Any) -> TroubleBegun:
    every: dict[str, Any] = {
        "kind": TroubleKind.CHANNEL_BROKEN,
        "subject": subject,
        "began_at": TEN,
        "telling": Telling(title=f"{subject} does not get through", text="http_503"),
    }
    return TroubleBegun(**every | values)


def ended(subject: str = "pager/webhook", **values: Any) -> TroubleEnded:
    every: dict[str, Any] = {
        "kind": TroubleKind.CHANNEL_BROKEN,
        "subject": subject,
        "ended_at": TEN + timedelta(minutes=19),
        "telling": Telling(title=f"{subject} gets through again"),
    }
    return TroubleEnded(**every | values)


async def note(
    ledger: Ledger, *changes: TroubleBegun | TroubleEnded, channels: tuple[ChannelKey, ...] = (OPS,)
) -> None:
    news = TroubleNews(
        begun=tuple(each for each in changes if isinstance(each, TroubleBegun)),
        ended=tuple(each for each in changes if isinstance(each, TroubleEnded)),
        channels=channels,
    )
    await ledger.note_troubles(news)


async def next_message(ledger: Ledger, policy: ChannelPolicy | None = None) -> Claim | None:
    claims = (await ledger.messages.claim(policy or a_policy(OPS), 10)).claims
    return claims[0] if claims else None


async def tell(ledger: Ledger, policy: ChannelPolicy | None = None, **outcome: Any) -> str | None:
    """Attempt the next message with this outcome; return its title."""
    policy = policy or a_policy(OPS)
    claim = await next_message(ledger, policy)
    if claim is None:
        return None
    message_id = claim.message.delivery_id
    assert await ledger.messages.start(
        policy, [Start(delivery_id=message_id, attempts=claim.attempts, body=claim.body or b"body")]
    ) == [True]
    await ledger.messages.settle(policy, [Outcome(delivery_id=message_id, attempt=claim.attempts + 1, **outcome)])
    return claim.message.alerts[0].title


async def untold(ledger: Ledger) -> list[int]:
    return [trouble["untold"] for trouble in await ledger.ask(read_troubles)]


async def test_a_trouble_is_told_once_and_once_when_it_is_over(ledger: Ledger) -> None:
    await note(ledger, begun())
    await note(ledger, begun())
    assert await tell(ledger) == "pager/webhook does not get through"
    assert await tell(ledger) is None
    await note(ledger, ended())
    await note(ledger, ended())
    assert await tell(ledger) == "pager/webhook gets through again"
    assert await tell(ledger) is None
    assert await ledger.ask(read_troubles) == []


async def test_a_message_has_the_shape_of_any_other_and_says_what_it_is(ledger: Ledger) -> None:
    await note(ledger, begun())
    claim = await next_message(ledger)
    assert claim is not None
    message = claim.message
    (told,) = message.alerts
    assert (message.kind, message.receiver, told.api, told.type) == (
        DeliveryKind.META,
        "ops",
        "bellwire",
        "channel_broken",
    )
    assert told.labels["trouble"] == "began"
    assert (told.payload["subject"], told.payload["began_at"]) == ("pager/webhook", "2026-11-22T10:00:00Z")


async def test_a_trouble_that_ended_before_it_was_told_is_told_in_one_message(ledger: Ledger) -> None:
    await note(ledger, begun())
    await note(ledger, ended())
    assert await tell(ledger) == "pager/webhook gets through again"
    assert await tell(ledger) is None


async def test_a_message_that_may_have_arrived_is_sent_again_under_its_id_before_the_next_one(ledger: Ledger) -> None:
    await note(ledger, begun())
    first = await next_message(ledger)
    assert first is not None
    start = Start(delivery_id=first.message.delivery_id, attempts=0, body=b"frozen")
    assert await ledger.messages.start(a_policy(OPS), [start]) == [True]
    await note(ledger, ended())
    again = await next_message(ledger)  # the outcome was never written: the process is gone
    assert again is not None
    assert (again.message.delivery_id, again.body, again.attempts, again.doubtful) == (
        first.message.delivery_id,
        b"frozen",
        1,
        True,
    )


async def test_troubles_and_their_messages_outlive_the_process(ledger_url: str, clock: FakeClock) -> None:
    before = await Ledger.open(ledger_url, lambda _last: clock)
    await note(before, begun())
    first = await next_message(before)
    await before.close()
    after = await Ledger.open(ledger_url, lambda _last: clock)
    try:
        await note(after, begun())  # it is still there
        second = await next_message(after)
        assert first is not None
        assert second is not None
        assert first.message.delivery_id == second.message.delivery_id
        assert await tell(after) is not None
        assert await tell(after) is None
    finally:
        await after.close()


async def test_a_channel_in_trouble_is_left_alone_as_its_verdicts_say(ledger: Ledger, clock: FakeClock) -> None:
    await note(ledger, begun("account"))
    retry: dict[str, Any] = {
        "verdict": Verdict.RETRY,
        "reason": "http_503",
        "due_at": clock.now() + timedelta(seconds=4),
    }
    assert await tell(ledger, **retry) is not None
    assert await next_message(ledger) is None
    await clock.advance(4)
    blocked = clock.now() + timedelta(seconds=60)
    assert await tell(ledger, **(retry | {"due_at": clock.now(), "blocked_until": blocked})) is not None
    await clock.advance(59)
    assert await next_message(ledger) is None
    assert (await ledger.claim(a_policy(OPS), 1)).next_due == blocked  # the alerts of the channel wait, too
    await clock.advance(1)
    # A channel at fault has a breaker for deliveries; messages about troubles pause by themselves.
    assert await tell(ledger, verdict=Verdict.CHANNEL_FAULT, reason="http_403", due_at=clock.now()) is not None
    assert await next_message(ledger) is None
    await clock.advance(300)
    assert await tell(ledger) is not None
    assert await untold(ledger) == [0]


async def test_a_message_that_no_channel_takes_ends_there_and_causes_nothing(ledger: Ledger) -> None:
    await note(ledger, begun())
    assert await tell(ledger, verdict=Verdict.MESSAGE_FAULT, reason="http_422", dead=True) is not None
    assert await tell(ledger) is None
    sight = await ledger.look_for_troubles()
    assert (len(sight.open), sight.broken, sight.tallies) == (1, (), ())
    assert await ledger.ask(reading.read_totals) == {}


async def test_messages_come_out_of_the_channels_own_tokens(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(OPS, rate=RateLimit(per_second=1.0, burst=1, max_delay=30.0))
    await note(ledger, begun("one"), begun("two"))
    assert await tell(ledger, policy) is not None
    await ledger.record([an_arrival(OPS)])
    assert (await ledger.claim(policy, 1)).claims == ()
    assert await next_message(ledger, policy) is None
    await clock.advance(1)
    assert await tell(ledger, policy) is not None


async def test_a_new_meta_receiver_hears_of_what_is_not_over_and_the_old_one_no_more(ledger: Ledger) -> None:
    await note(ledger, begun())
    await note(ledger, channels=(PAGER,))
    assert await tell(ledger, a_policy(PAGER)) == "pager/webhook does not get through"
    assert await next_message(ledger) is None
    await note(ledger, ended(), channels=(PAGER,))
    assert await tell(ledger, a_policy(PAGER)) == "pager/webhook gets through again"
    assert await next_message(ledger) is None


async def test_without_a_meta_receiver_a_trouble_is_kept_for_the_status_page(ledger: Ledger) -> None:
    await note(ledger, begun(), channels=())
    (trouble,) = await ledger.ask(read_troubles)
    assert (trouble["kind"], trouble["subject"], trouble["untold"]) == ("channel_broken", "pager/webhook", 0)


async def test_five_thousand_dead_deliveries_are_one_trouble_with_a_number(ledger: Ledger) -> None:
    policy, total = a_policy(PAGER), 5000
    await ledger.record([an_arrival(PAGER) for _ in range(total)])
    while claims := (await ledger.claim(policy, 1000)).claims:
        ids = [claim.message.delivery_id for claim in claims]
        await ledger.start(policy, [Start(delivery_id=each, attempts=0, body=b"x") for each in ids])
        dead: dict[str, Any] = {"verdict": Verdict.MESSAGE_FAULT, "reason": "http_400", "dead": True}
        await ledger.settle(policy, [Outcome(delivery_id=each, attempt=1, **dead) for each in ids])
        (tally,) = (await ledger.look_for_troubles()).tallies
        assert (tally.kind, tally.subject, tally.example) == (TroubleKind.DELIVERIES_DEAD, "pager/webhook", "http_400")
        assert tally.number == len(ids)
        telling = Telling(title="deliveries died")
        kind, subject = tally.kind, tally.subject
        is_open = bool((await ledger.look_for_troubles()).open)
        first = TroubleBegun(kind=kind, subject=subject, began_at=TEN, telling=telling, tally=tally)
        await ledger.note_troubles(
            TroubleNews(begun=() if is_open else (first,), grown=(tally,) if is_open else (), channels=(OPS,))
        )
    (trouble,) = (await ledger.look_for_troubles()).open
    assert trouble.number == total
    assert await tell(ledger) == "deliveries died"
    assert await tell(ledger) is None
    assert await ledger.ask(reading.read_totals) == {"alerts.received": total, "alerts.in_flight": 0} | {
        "alerts.dead": total,
        "deliveries.pending": 0,
        "deliveries.sending": 0,
        "deliveries.dead": total,
    }


async def test_read_marks_that_failed_for_good_are_counted_by_account(ledger: Ledger) -> None:
    arrival = an_arrival(mark=MarkPolicy.HANDLED)
    await ledger.record([arrival])
    (mark,) = (await ledger.due_marks(VISION, 10)).marks
    failed = MarkResult(upstream_id=mark.upstream_id, outcome=MarkOutcome.FAILED, detail="404 and still listed")
    await ledger.record_marks([MarkRecord(alert_id=mark.alert_id, result=failed)])
    (tally,) = (await ledger.look_for_troubles()).tallies
    assert (tally.kind, tally.subject, tally.number, tally.example) == (
        TroubleKind.READ_MARKS_FAILED,
        "vision",
        1,
        "404 and still listed",
    )


async def test_the_breaker_of_a_channel_is_seen(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    policy = a_policy(PAGER)
    (claim,) = (await ledger.claim(policy, 1)).claims
    await ledger.start(policy, [Start(delivery_id=claim.message.delivery_id, attempts=0, body=b"x")])
    refused: dict[str, Any] = {"verdict": Verdict.CHANNEL_FAULT, "reason": "http_401", "detail": "401 Unauthorized"}
    await ledger.settle(policy, [Outcome(delivery_id=claim.message.delivery_id, attempt=1, **refused)])
    (broken,) = (await ledger.look_for_troubles()).broken
    assert (broken.key, broken.error) == (PAGER, "http_401: 401 Unauthorized")


async def test_what_is_over_is_forgotten_in_time_but_not_while_it_is_untold(ledger: Ledger) -> None:
    await note(ledger, begun("told"), ended("told"))
    assert await tell(ledger) is not None
    await note(ledger, begun("untold"), ended("untold"))
    assert await ledger.forget_troubles(TEN) == 0
    assert await ledger.forget_troubles(TEN + timedelta(hours=1)) == 1
    assert await tell(ledger) == "untold gets through again"
    assert await ledger.forget_troubles(TEN + timedelta(hours=1)) == 1


async def test_the_last_arrival_of_an_account_is_known_after_a_restart(ledger: Ledger) -> None:
    assert await ledger.last_arrival(VISION) is None
    await ledger.record([an_arrival(alert=an_alert(received_at=TEN))])
    await ledger.record([an_arrival(alert=an_alert(received_at=TEN + timedelta(minutes=5)))])
    assert await ledger.last_arrival(VISION) == TEN + timedelta(minutes=5)

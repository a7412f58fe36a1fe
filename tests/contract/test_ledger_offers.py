"""What is only offered is taken by its attempt, if nothing else has become of it; what might change is claimed first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.model import DeliveryKind, DeliveryState
from bellwire.records import Fallback, RateLimit
from ledger_rig import DEAD, deliveries, end, fail, send, states, take
from makers import OPS, PAGER, VISION, a_policy, an_alert, an_arrival, ids, in_a_group

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import ChannelPolicy, Claim
    from fakes import FakeClock


async def offers(ledger: Ledger, *offered: str, policy: ChannelPolicy | None = None, limit: int = 10) -> list[Claim]:
    """Return what is offered or taken, beside what is on offer already."""
    _, claims = await ledger.advance(policy or a_policy(), [], limit, offered)
    return list(claims.claims)


async def begin(ledger: Ledger, claims: list[Claim], policy: ChannelPolicy | None = None) -> list[bool]:
    """Begin an attempt at each; return which were ours."""
    ours, _ = await ledger.advance(policy or a_policy(), [claim.start(b"body") for claim in claims], 0, ())
    return ours


def names(claims: list[Claim]) -> list[str]:
    return [claim.message.delivery_id for claim in claims]


async def test_an_offer_changes_nothing_and_its_attempt_takes_it(ledger: Ledger) -> None:
    (alert_id,) = ids(await ledger.record([an_arrival(PAGER, alert=an_alert(payload={"a": [1, "x"]}))]))
    (offer,) = await offers(ledger)
    assert offer.offered_at is not None
    assert [alert.id for alert in offer.message.alerts] == [alert_id]
    assert [each["state"] for each in await deliveries(ledger)] == [DeliveryState.PENDING]

    assert await begin(ledger, [offer]) == [True]
    (row,) = await deliveries(ledger)
    assert (row["state"], row["attempts"]) == (DeliveryState.SENDING, 1)
    await end(ledger, a_policy(), [offer])
    assert await states(ledger) == {"delivered": 1}


async def test_what_is_on_offer_is_not_offered_again_and_others_take_its_place(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(5)])
    first = await offers(ledger, limit=2)
    second = await offers(ledger, *names(first), limit=2)
    third = await offers(ledger, *names(first), *names(second))
    assert len({*names(first), *names(second), *names(third)}) == 5


async def test_an_offer_is_taken_once(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    first, second = await offers(ledger), await offers(ledger)
    assert names(first) == names(second)
    assert await begin(ledger, first) == [True]
    assert await begin(ledger, second) == [False]


async def test_what_was_read_at_its_vendor_is_not_begun(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER, alert=an_alert(upstream_id="i"))])
    (offer,) = await offers(ledger)
    assert await ledger.read_upstream(VISION, ["i"], "a list") == 1
    assert await begin(ledger, [offer]) == [False]
    assert await states(ledger) == {"suppressed": 1}


async def test_an_offer_holds_for_a_moment_only(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER)])
    offered = await offers(ledger)
    await clock.advance(2)  # a silence may have come, a window closed
    assert await begin(ledger, offered) == [False]
    again = await offers(ledger)
    assert names(again) == names(offered)
    assert await begin(ledger, again) == [True]


async def test_an_offer_that_has_become_a_digest_meanwhile_is_not_begun(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(5)])
    await clock.advance(31)
    limited: Any = a_policy(rate=RateLimit(per_second=1, burst=1, max_delay=30))
    offered = await offers(ledger)
    digest = (await ledger.claim(limited, 10)).claims
    await ledger.unclaim(names(list(digest)))
    assert await begin(ledger, offered) == [False] * 5
    assert [each["kind"] for each in await deliveries(ledger, DeliveryState.PENDING)] == [DeliveryKind.DIGEST]


async def test_a_pause_that_came_after_the_offer_holds(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(2)])
    offered = await offers(ledger)
    until = clock.now() + timedelta(seconds=20)
    await ledger.pause(PAGER, until)
    assert await begin(ledger, offered) == [False, False]
    assert [each["attempts"] for each in await deliveries(ledger)] == [0, 0]
    await clock.advance(20)
    assert names(await offers(ledger)) == names(offered)


async def test_a_retry_and_a_group_are_taken(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER), in_a_group(1, PAGER)])
    first, group = await take(ledger, a_policy())
    await end(ledger, a_policy(), [group])
    await end(ledger, a_policy(), [first], verdict=Verdict.RETRY, reason="http_503", due_at=ledger.clock.now())
    await ledger.record([in_a_group(1, PAGER)])
    claims = await offers(ledger)
    assert [(claim.offered_at is None, claim.attempts) for claim in claims] == [(True, 1), (True, 0)]
    assert await begin(ledger, claims) == [True, True]


async def test_stand_ins_are_taken(ledger: Ledger) -> None:
    backed = a_policy(fallbacks=(Fallback(receiver="ops", channels=(OPS,)),))
    await ledger.record([an_arrival(PAGER)])
    await send(ledger, backed, **DEAD)
    (claim,) = await offers(ledger, policy=a_policy(OPS))
    assert (claim.kind, claim.offered_at is None) == (DeliveryKind.FALLBACK, True)


async def test_a_broken_channel_takes_its_probe(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(initial_backoff=1.0)
    await ledger.record([an_arrival(PAGER)])
    await fail(ledger, policy, verdict=Verdict.CHANNEL_FAULT, reason="http_401")
    await ledger.record([an_arrival(PAGER)])
    await clock.advance(1)
    (probe,) = await offers(ledger, policy=policy)
    assert (probe.offered_at is None, probe.probe) == (True, True)


async def test_a_token_is_taken_together_with_its_delivery(ledger: Ledger) -> None:
    policy: Any = a_policy(rate=RateLimit(per_second=1, burst=2, max_delay=30))
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    assert [claim.offered_at is None for claim in await offers(ledger, policy=policy)] == [True, True]


async def test_without_a_word_of_offers_everything_is_taken(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER)])
    _, claims = await ledger.advance(a_policy(), [], 10)
    assert [claim.offered_at is None for claim in claims.claims] == [True]


async def test_what_cannot_be_kept_as_it_is_comes_from_the_database(ledger: Ledger) -> None:
    payload = {"big": 2**80, "half": "\ud800"}
    plain = an_alert()
    await ledger.record([an_arrival(PAGER, alert=an_alert(payload=payload)), an_arrival(PAGER, alert=plain)])
    first, second = await offers(ledger)
    assert first.message.alerts[0].payload == {"big": str(2**80), "half": "?"}
    assert second.message.alerts[0].payload == plain.payload

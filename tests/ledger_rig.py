"""What tests do to a ledger in dispatch's place, and what they ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.errors import Verdict
from bellwire.ledger import auditing, reading
from bellwire.records import Fallback, Outcome
from makers import OPS, PAGER, VISION, a_policy

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import DeliveryState
    from bellwire.records import ChannelPolicy, Claim

Answer = dict[str, Any]

DEAD: dict[str, Any] = {"verdict": Verdict.MESSAGE_FAULT, "reason": "http_400", "dead": True}
"""The outcome of a message that will never be taken."""

TO_OPS = Fallback(receiver="ops", channels=(OPS,))


def backed(**values: Any) -> ChannelPolicy:
    """Return the pager's policy, with ops as its fallback after ten minutes."""
    return a_policy(PAGER, **{"fallbacks": (TO_OPS,), "fallback_after": 600.0} | values)


async def take(ledger: Ledger, policy: ChannelPolicy, limit: int = 1000) -> list[Claim]:
    """Claim what is due, and begin to send it."""
    claims = list((await ledger.claim(policy, limit)).claims)
    starts = [claim.start(claim.body or b"body") for claim in claims]
    assert all(await ledger.start(policy, starts))
    return claims


async def end(ledger: Ledger, policy: ChannelPolicy, claims: list[Claim], **outcome: Any) -> None:
    """Record the same outcome for each; a success, unless something else is said."""
    outcomes = [
        Outcome(delivery_id=claim.message.delivery_id, attempt=claim.attempts + 1, **outcome) for claim in claims
    ]
    await ledger.settle(policy, outcomes)


async def send(ledger: Ledger, policy: ChannelPolicy, **outcome: Any) -> list[Claim]:
    """Claim what is due, begin to send it, and record the same outcome for each."""
    claims = await take(ledger, policy)
    await end(ledger, policy, claims, **outcome)
    return claims


async def fail(ledger: Ledger, policy: ChannelPolicy, **outcome: Any) -> list[Claim]:
    """Send what is due, and fail in a way that lets it be tried again at once."""
    failed = {"verdict": Verdict.RETRY, "reason": "http_503", "due_at": ledger.clock.now()}
    return await send(ledger, policy, **failed | outcome)


async def states(ledger: Ledger) -> dict[str, int]:
    """Return how many alerts are in each state that any is in; whatever else must add up is held to."""
    audit = await ledger.ask(auditing.audit_ledger)
    assert audit["unaccounted"] == 0, audit["faults"]
    return {state: number for state, number in audit["states"].items() if number}


async def marks(ledger: Ledger) -> list[str]:
    """Return the items whose read marks are due."""
    return [mark.upstream_id for mark in (await ledger.due_marks(VISION, 100)).marks]


async def story(ledger: Ledger, alert_id: str) -> Answer:
    """Return all that there is to tell of an alert."""
    return await ledger.ask(lambda connection: reading.explain_alert(connection, alert_id))


async def owed(ledger: Ledger, alert_id: str) -> dict[str, str]:
    """Return the state of what is owed to each receiver."""
    return {each["receiver"]: each["state"].value for each in (await story(ledger, alert_id))["obligations"]}


async def deliveries(ledger: Ledger, state: DeliveryState | None = None) -> list[Answer]:
    """Return the deliveries, the oldest first."""
    found = await ledger.ask(lambda connection: reading.list_deliveries(connection, state, 1000))
    return found[::-1]

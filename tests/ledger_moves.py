"""What the ledger's contract tests do again and again: take what is due, attempt it, settle it, look at what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.ledger import auditing, reading
from bellwire.records import Claim, Outcome
from makers import VISION, a_policy

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import ChannelPolicy


async def take(ledger: Ledger, policy: ChannelPolicy | None = None, limit: int = 100) -> list[Claim]:
    return list((await ledger.claim(policy or a_policy(), limit)).claims)


async def begin(
    ledger: Ledger, claims: list[Claim], body: bytes = b"body", policy: ChannelPolicy | None = None
) -> list[bool]:
    starts = [claim.start(claim.body or body) for claim in claims]
    return await ledger.start(policy or a_policy(), starts)


def outcome_of(claim: Claim, **values: Any) -> Outcome:
    return Outcome(delivery_id=claim.message.delivery_id, attempt=claim.attempts + 1, **values)


async def send(ledger: Ledger, policy: ChannelPolicy | None = None, **outcome: Any) -> list[Claim]:
    """Take what is due, attempt it, and record the same outcome for each."""
    policy = policy or a_policy()
    claims = await take(ledger, policy)
    await begin(ledger, claims, policy=policy)
    await ledger.settle(policy, [outcome_of(claim, **outcome) for claim in claims])
    return claims


async def states(ledger: Ledger) -> dict[str, int]:
    audit = await ledger.ask(auditing.audit_ledger)
    assert audit["unaccounted"] == 0, audit["faults"]
    return {state: number for state, number in audit["states"].items() if number}


async def due(ledger: Ledger) -> list[str]:
    return [mark.upstream_id for mark in (await ledger.due_marks(VISION, 100)).marks]


async def story(ledger: Ledger, alert_id: str) -> dict[str, Any]:
    """Return the whole story of one alert."""
    return await ledger.ask(lambda connection: reading.explain_alert(connection, alert_id))


async def totals(ledger: Ledger) -> dict[str, int]:
    """Return the totals that are not 0."""
    return {name: number for name, number in (await ledger.ask(reading.read_totals)).items() if number}

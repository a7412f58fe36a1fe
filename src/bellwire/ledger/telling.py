"""Messages about troubles, handed out as deliveries are: attempts are written before they are made, outcomes after.

`TroubleMessages` is the ledger as the dispatch of such messages sees it. A channel's messages go out one at a time, in
order; they share its tokens and the pause that the other side asked for, but neither open nor obey its breaker: a
trouble that cannot be told waits here, and makes no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.errors import Verdict
from bellwire.ledger.breaking import CHANNEL, pause_channels
from bellwire.ledger.bucket import Bucket
from bellwire.ledger.tables import WAITING, channels, trouble_messages, troubles
from bellwire.ledger.troubles import note_troubles, subject_of
from bellwire.model import Alert, DeliveryKind, DeliveryState, Message, Severity
from bellwire.records import Claim, Claims, Settled
from bellwire.trouble_records import Telling

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.ledger.writer import Writer
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Outcome, Start
    from bellwire.trouble_records import TroubleNews

OURSELVES = "bellwire"
"""The account and API that messages about troubles name."""


class TroubleMessages:
    """Implements `bellwire.ports.DispatchLedger` over the messages about troubles."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._work: dict[ChannelKey, asyncio.Event] = {}

    async def note(self, news: TroubleNews) -> None:
        """Write what changed about troubles; what is to be told of it is due at once."""
        await self._writer.run(note_troubles, news)
        for key in news.channels:
            self.work(key).set()

    async def claim(self, policy: ChannelPolicy, limit: int) -> Claims:
        """Return the channel's next message, if it is due."""
        del limit
        return await self._writer.run(claim_messages, policy)

    async def start(self, policy: ChannelPolicy, starts: Sequence[Start]) -> list[bool]:
        """Write attempts before they are made."""
        del policy
        return await self._writer.run(start_messages, starts)

    async def advance(
        self, policy: ChannelPolicy, starts: Sequence[Start], limit: int, offered: Collection[str] | None
    ) -> tuple[list[bool], Claims]:
        """Write attempts before they are made; if there is room, return the channel's next message."""
        del offered
        ours = await self.start(policy, starts) if starts else []
        return ours, await self.claim(policy, limit) if limit else Claims()

    async def settle(self, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> list[Settled]:
        """Write outcomes."""
        await self._writer.run(settle_messages, (policy, outcomes), first=True)
        self.work(policy.key).set()  # the next one may go
        return [Settled() for _ in outcomes]

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        """Do nothing: what was attempted is in doubt from the moment that the attempt was written."""
        del delivery_ids

    async def pause(self, channel: ChannelKey, until: datetime) -> None:
        """Hand out nothing of the channel until then, alerts neither."""
        await self._writer.run(pause_channels, (channel, until))

    def work(self, channel: ChannelKey) -> asyncio.Event:
        """Return the event that says that the channel may have messages."""
        return self._work.setdefault(channel, asyncio.Event())


def claim_messages(tx: Transaction, policies: Sequence[ChannelPolicy]) -> list[Claims]:
    """Return for each channel the message that comes next, if it is due."""
    return [_claim(tx, policy) for policy in policies]


def _claim(tx: Transaction, policy: ChannelPolicy) -> Claims:
    channel_id = tx.channel_id(policy.key)
    waiting = select(trouble_messages).where(WAITING, trouble_messages.c.channel_id == channel_id)
    row = tx.connection.execute(waiting.order_by(trouble_messages.c.id).limit(1)).one_or_none()
    if row is None:
        return Claims()
    channel = CHANNEL.first(tx.connection, {"key": channel_id})
    due = max(row.due_at, channel.blocked_until or row.due_at)
    if due > tx.now:
        return Claims(next_due=due)
    if policy.rate:
        bucket = Bucket(policy.rate, channel, tx.now)
        if not bucket.whole:
            return Claims(next_due=bucket.next_at)
        bucket.spend(tx, channel_id, 1)
    trouble = tx.connection.execute(select(troubles).where(troubles.c.id == row.trouble_id)).one()
    claim = Claim(
        message=message_of(row.id, policy.key.receiver, _about(row, trouble), Telling(title=row.title, text=row.text)),
        kind=DeliveryKind.META,
        attempts=row.attempts,
        first_attempt_at=row.first_attempt_at,
        doubtful=row.doubtful,
        body=row.body,
        remote=channel.remote,
    )
    return Claims(claims=(claim,))


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """The trouble that a message is about; ``ended_at`` is None in the message that it began. Times are the wall's."""

    id: str
    kind: str
    subject: str
    began_at: datetime
    ended_at: datetime | None = None
    number: int = 0


def message_of(message_id: str, receiver: str, about: About, telling: Telling) -> Message:
    """Return the message in the shape that every channel knows: one alert, which no vendor sent and no ledger owes."""
    severity, state = (Severity.INFO, "ended") if about.ended_at else (Severity.ERROR, "began")
    at = about.ended_at or about.began_at
    labels = {"account": OURSELVES, "api": OURSELVES, "type": about.kind, "severity": severity.text, "trouble": state}
    payload = {
        "trouble": about.id,
        "kind": about.kind,
        "subject": about.subject,
        "state": state,
        "number": about.number,
        "began_at": _text(about.began_at),
        "ended_at": _text(about.ended_at),
    }
    told = Alert(
        id=about.id,
        account=OURSELVES,
        api=OURSELVES,
        upstream_id=about.id,
        type=about.kind,
        severity=severity,
        title=telling.title,
        message=telling.text,
        url=None,
        created_at=at,
        received_at=at,
        labels=labels | ({"subject": about.subject} if about.subject else {}),
        payload=payload,
    )
    return Message(delivery_id=message_id, kind=DeliveryKind.META, receiver=receiver, alerts=(told,))


def _about(row: AnyRow, trouble: AnyRow) -> About:
    return About(
        id=trouble.id,
        kind=trouble.kind,
        subject=subject_of(trouble.key),
        began_at=trouble.began_at,
        ended_at=(trouble.ended_at or trouble.began_at) if row.end else None,
        number=trouble.number,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def start_messages(tx: Transaction, batches: Sequence[Sequence[Start]]) -> list[list[bool]]:
    """Write each attempt, and the frozen body with the first; False where there is nothing to send any more."""
    return [[_start(tx, start) for start in starts] for starts in batches]


def _start(tx: Transaction, start: Start) -> bool:
    row = _waiting(tx, start.delivery_id)
    if row is None:
        return False
    values: dict[str, Any] = {"attempts": row.attempts + 1, "doubtful": True, "state": DeliveryState.PENDING}
    if row.attempts == 0:
        values |= {"first_attempt_at": tx.now, "body": start.body}
    tx.connection.execute(trouble_messages.update().where(trouble_messages.c.id == row.id).values(values))
    return True


def settle_messages(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Outcome]]]) -> list[None]:
    """Write outcomes. A message that its channel will never take is dead, and that is the end of it."""
    for policy, outcomes in batches:
        for outcome in outcomes:
            row = _waiting(tx, outcome.delivery_id)
            if row is not None and (outcome.verdict is None or outcome.attempt == row.attempts):
                values = _after(outcome, policy, tx.now)
                tx.connection.execute(trouble_messages.update().where(trouble_messages.c.id == row.id).values(values))
                _note_channel(tx, policy.key, outcome)
    return [None] * len(batches)


def _waiting(tx: Transaction, message_id: str) -> AnyRow | None:
    query = select(trouble_messages).where(WAITING, trouble_messages.c.id == message_id)
    return tx.connection.execute(query).one_or_none()


def _after(outcome: Outcome, policy: ChannelPolicy, now: datetime) -> dict[str, Any]:
    if outcome.verdict is None:
        return {"state": DeliveryState.SENT, "finished_at": now, "doubtful": False, "reason": None, "body": None}
    if outcome.dead or outcome.verdict == Verdict.MESSAGE_FAULT:
        return {"state": DeliveryState.DEAD, "finished_at": now, "doubtful": False, "reason": outcome.reason}
    due_at = outcome.due_at or now
    if outcome.verdict == Verdict.CHANNEL_FAULT:  # for deliveries the breaker makes the pause
        backoff = min(policy.max_backoff, policy.initial_backoff * 2.0 ** min(outcome.attempt, 64))
        due_at = max(due_at, now + timedelta(seconds=backoff))
    return {"due_at": due_at, "doubtful": outcome.doubtful, "reason": outcome.reason}


def _note_channel(tx: Transaction, key: ChannelKey, outcome: Outcome) -> None:
    """Keep what the other side said of the channel as a whole."""
    if outcome.blocked_until:
        pause_channels(tx, [(key, outcome.blocked_until)])
    if outcome.remote:
        unknown = channels.c.id == tx.channel_id(key), channels.c.remote == ""
        tx.connection.execute(channels.update().where(*unknown).values(remote=outcome.remote))

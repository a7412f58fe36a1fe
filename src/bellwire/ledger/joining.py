"""Into which delivery an alert goes: one of its own, its group's, a digest, or one that waits until a window opens.

What waits is an open delivery: it takes members until it is claimed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.ledger.grouping import group_ends
from bellwire.ledger.prepared import Insertion
from bellwire.ledger.tables import UNFINISHED, alert_contents, channels, deliveries, groups
from bellwire.ledger.timing import NOT_YET, by_our_clock, is_muted, next_digest, opens_at, stored
from bellwire.model import DeliveryKind, DeliveryState
from bellwire.routing.record import load

if TYPE_CHECKING:
    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey, Destination, Muting

Row = dict[str, Any]

_DELIVERIES = Insertion(deliveries)

HELD, COLLECTING, REPEATING = "held", "digest", "repeat"
"""What a pending delivery waits for, as its ``reason``: a window, a digest's time, what becomes of one like it."""


def catch_up_group(account: AccountKey) -> str:
    """Return the group of an account's catch-up digests; no route's group is called so."""
    return f"catch_up {account.name} {account.base_url}"


def destination_of(tx: Transaction, alert_id: str, channel_id: int) -> Destination | None:
    """Return where the alert was routed for this channel, as it was decided when it came."""
    receiver = tx.connection.execute(select(channels.c.receiver).where(channels.c.id == channel_id)).scalar_one()
    query = select(alert_contents.c.decision).where(alert_contents.c.alert_id == alert_id)
    decision = tx.connection.execute(query).scalar_one_or_none()
    if decision is None:
        return None
    return next((each for each in load(decision).destinations if each.receiver == receiver), None)


class Joining:
    """The deliveries that take members in this transaction, found or begun. `write` them before anything asks for them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._begun: list[Row] = []
        self._open: dict[tuple[int, str], str] = {}

    def place(self, channel_id: int, destination: Destination, account: AccountKey | None = None) -> str | None:
        """Return the delivery for an alert that may go by window, digest and group; None if a window drops it.

        ``account`` puts it into that account's catch-up digest, unless it waits for something else anyway.
        """
        muting = destination.muting
        if muting is not None and is_muted(self._tx, muting):
            return self.held(channel_id, destination, muting) if muting.hold else None
        if destination.digest:
            return self._collecting(channel_id, destination)
        if account is not None:
            return self._catch_up(channel_id, account)
        if destination.group_key:
            return self._member(channel_id, destination)
        return self.alone(channel_id, muting)

    def alone(self, channel_id: int, muting: Muting | None = None) -> str:
        """Return a delivery of its own for one alert."""
        return self._begin(channel_id, DeliveryKind.ALERT, due_at=self._tx.now, open=False, muting=stored(muting))

    def held(self, channel_id: int, destination: Destination, muting: Muting) -> str:
        """Return the digest of what the route and group hold until the window opens."""
        moment = opens_at(self._tx, muting)
        return self._digest(f"hold {_place(destination)}", channel_id, destination, moment, HELD)

    def wait(self, channel_id: int) -> str:
        """Return a delivery that keeps a repeat's place until it is known what becomes of the first one."""
        return self._begin(
            channel_id, DeliveryKind.ALERT, due_at=NOT_YET, open=False, head=False, wanted_at=None, reason=REPEATING
        )

    def write(self) -> None:
        """Write what was begun."""
        if self._begun:
            _DELIVERIES.run(self._tx.connection, self._begun)
            self._begun = []

    def _catch_up(self, channel_id: int, account: AccountKey) -> str:
        """Return the account's catch-up digest for the channel, which waits until the catch-up has ended."""
        return self._join(channel_id, catch_up_group(account), lambda: {"kind": DeliveryKind.DIGEST, "due_at": NOT_YET})

    def _member(self, channel_id: int, destination: Destination) -> str:
        """Return the group's open delivery for the channel."""
        return self._join(
            channel_id,
            destination.group_key,
            lambda: {
                "kind": DeliveryKind.GROUP,
                "due_at": self._due(channel_id, destination),
                "group_labels": dict(destination.group_labels),
                "group_interval": destination.interval,
                "muting": stored(destination.muting),
            },
        )

    def _collecting(self, channel_id: int, destination: Destination) -> str:
        moment = next_digest(self._tx, destination.digest)
        return self._digest(f"digest {_place(destination)}", channel_id, destination, moment, COLLECTING)

    def _digest(
        self, group_key: str, channel_id: int, destination: Destination, wall_due_at: datetime, reason: str
    ) -> str:
        return self._join(
            channel_id,
            group_key,
            lambda: {
                "kind": DeliveryKind.DIGEST,
                "due_at": by_our_clock(self._tx, wall_due_at),
                "wall_due_at": wall_due_at,
                "group_labels": dict(destination.group_labels),
                "muting": stored(destination.muting),
                "reason": reason,
            },
        )

    def _join(self, channel_id: int, group_key: str, make: Any) -> str:
        key = (channel_id, group_key)
        if key not in self._open:
            found = self._find(*key)
            if found is None:
                found = self._begin(channel_id, group_key=group_key, head=not self._busy(*key), **make())
            self._open[key] = found
        return self._open[key]

    def _find(self, channel_id: int, group_key: str) -> str | None:
        query = select(deliveries.c.id).where(
            UNFINISHED, deliveries.c.channel_id == channel_id, deliveries.c.group_key == group_key, deliveries.c.open
        )
        return self._tx.connection.execute(query).scalars().first()

    def _busy(self, channel_id: int, group_key: str) -> bool:
        query = select(deliveries.c.id).where(
            UNFINISHED, deliveries.c.channel_id == channel_id, deliveries.c.group_key == group_key
        )
        return self._tx.connection.execute(query.limit(1)).first() is not None

    def _due(self, channel_id: int, destination: Destination) -> datetime:
        query = select(groups.c.last_message_at).where(
            groups.c.channel_id == channel_id, groups.c.group_key == destination.group_key
        )
        last: datetime | None = self._tx.connection.execute(query).scalar_one_or_none()
        now, interval = self._tx.now, timedelta(seconds=destination.interval)
        if last is None or now >= group_ends(last, interval):
            return now + timedelta(seconds=destination.wait)
        return max(now, last + interval)

    def _begin(self, channel_id: int, kind: DeliveryKind, *, due_at: datetime, **values: Any) -> str:
        delivery_id = self._tx.new_id()
        row = {
            "id": delivery_id,
            "channel_id": channel_id,
            "kind": kind,
            "state": DeliveryState.PENDING,
            "group_key": "",
            "group_labels": {},
            "group_interval": 0.0,
            "head": True,
            "open": True,
            "part": 1,
            "parts": 1,
            "due_at": due_at,
            "wanted_at": due_at,
            "wall_due_at": None,
            "attempts": 0,
            "doubtful": False,
            "created_at": self._tx.now,
            "reason": None,
            "muting": None,
        }
        self._begun.append(row | values)
        self._tx.count("deliveries.pending")
        return delivery_id


def _place(destination: Destination) -> str:
    """Return the group, or the route of an alert that stands alone: nothing of it is sent at once, so it is one digest."""
    return destination.group_key or destination.place or destination.route

"""Inhibition: an alert casts shadows, and what falls under one that has not passed is suppressed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bellwire.ledger.tables import shadows
from bellwire.ledger.transaction import in_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.records import Arrival

_FOUND = select(shadows).where(shadows.c.key.in_(bindparam("keys", expanding=True)))
_MOVE = (
    shadows.update()
    .where(shadows.c.key == bindparam("old"))
    .values(until=bindparam("to_until"), alert_id=bindparam("to_alert"))
)


class Shadows:
    """The shadows that a batch of arrivals may meet, and those that it casts: an earlier arrival's fall on later ones."""

    def __init__(self, tx: Transaction, arrivals: Sequence[Arrival]) -> None:
        self._tx = tx
        self._cast: dict[str, tuple[datetime, str]] = {}
        keys = {key for each in arrivals for key in each.under} | {key for each in arrivals for key, _ in each.casts}
        self._known: dict[str, tuple[datetime, str]] = {}
        for some in in_chunks(sorted(keys)):
            for row in tx.connection.execute(_FOUND, {"keys": some}):
                self._known[row.key] = (row.until, row.alert_id)

    def over(self, arrival: Arrival) -> str | None:
        """Return the id of an alert whose shadow the arrival falls under, None if there is none."""
        for key in arrival.under:
            until, alert_id = self._cast.get(key) or self._known.get(key) or (self._tx.now, "")
            if until > self._tx.now:
                return alert_id
        return None

    def cast(self, arrival: Arrival, alert_id: str) -> None:
        """Cast the arrival's shadows, whatever became of it. Of two alike the one that lasts longer stays."""
        for key, seconds in arrival.casts:
            until = self._tx.now + timedelta(seconds=seconds)
            if until >= (self._cast.get(key) or self._known.get(key) or (until, ""))[0]:
                self._cast[key] = (until, alert_id)

    def write(self) -> None:
        """Write what was cast."""
        moved: list[dict[str, Any]] = []
        new: list[dict[str, Any]] = []
        for key, (until, alert_id) in self._cast.items():
            if key in self._known:
                moved.append({"old": key, "to_until": until, "to_alert": alert_id})
            else:
                new.append({"key": key, "until": until, "alert_id": alert_id})
        if moved:
            self._tx.connection.execute(_MOVE, moved)
        if new:
            self._tx.connection.execute(shadows.insert(), new)

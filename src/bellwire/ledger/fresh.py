"""Alerts that were recorded lately, as they came: what is sent at once need not be read and parsed again.

What is owed, and to whom, is always asked of the database; what an alert says never changes once it is recorded. Where
more waits than fits, the oldest are kept, which are sent first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bellwire.model import Alert

_MOST = 2_000_000  # bytes of payloads: some 5 MB of objects
_LEAST = 500  # bytes that an alert counts for, whatever its payload
_PATIENCE = 5_000  # alerts that find no room before what is kept gives way: it is stuck


class FreshAlerts:
    """Keeps alerts until they are settled, as many as fit. For the writer's thread alone."""

    def __init__(self, most: int = _MOST, patience: int = _PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._alerts: dict[str, tuple[Alert, int]] = {}
        self._bytes = 0
        self._refused = 0  # since one of those that are kept was settled

    def __len__(self) -> int:
        return len(self._alerts)

    def keep(self, alert: Alert, alert_id: str, size: int) -> None:
        """Keep an alert under the id that it got, if there is room; ``size`` is its payload's, in bytes."""
        counted = size + _LEAST
        if self._bytes + counted > self._most:
            self._refused += 1
            if self._refused > self._patience:
                self.clear()
            return
        self._alerts[alert_id] = replace(alert, id=alert_id), counted
        self._bytes += counted

    def get(self, alert_id: str) -> Alert | None:
        """Return an alert, None if it is not kept."""
        kept = self._alerts.get(alert_id)
        return None if kept is None else kept[0]

    def forget(self, alert_ids: Iterable[str]) -> None:
        """Keep these no longer, if they are kept."""
        for alert_id in alert_ids:
            if kept := self._alerts.pop(alert_id, None):
                self._bytes -= kept[1]
                self._refused = 0

    def clear(self) -> None:
        """Keep none."""
        self._alerts.clear()
        self._bytes = self._refused = 0

"""What the web asks of the rest of Bellwire. Whoever composes the daemon gives it one of these.

Answers are made of plain values that turn into JSON as they are; their shapes are those of `bellwire.web.schemas`. Times
are `datetime` in UTC, states are enumerations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from bellwire.model import DeliveryState

Answer: TypeAlias = dict[str, Any]

MAX_STORIES = 20
"""How many alerts one vendor's id may name before the rest is left out."""


class View(Protocol):
    """The daemon, as it may be looked at. No call but `reload` changes anything, and none is held up by the writer."""

    async def overview(self) -> Answer:
        """Return how things stand now.

        ``now`` (by the wall clock), ``started_at``, ``version``; ``accounts``, a list in the order of the configuration,
        each with ``name api base_url state since last_item_at last_error reconnects missed lag paused`` (``since``,
        ``last_item_at``, ``last_error`` and ``lag``, in seconds, may be None); ``channels`` as
        `bellwire.ledger.reading.read_channels` has them; ``totals`` as `totals` has them; ``events``, the last 20 of
        `read_source_events`.
        """
        ...

    async def totals(self) -> dict[str, int]:
        """Return the ledger's totals: ``alerts.received``, ``alerts.<state>``, ``deliveries.<state>`` and so on."""
        ...

    async def recent_alerts(self, limit: int, before: str | None = None) -> list[Answer]:
        """Return the newest alerts, those with an id below ``before`` if it is given."""
        ...

    async def explain(self, reference: str) -> list[Answer]:
        """Return the whole story of each alert that ``reference`` names: an alert's id, or a vendor's.

        Accounts may share a vendor's id, so it may be several: at most `MAX_STORIES`, the newest first.
        """
        ...

    async def deliveries(self, state: DeliveryState | None, limit: int) -> list[Answer]:
        """Return the newest deliveries, of one state or of all."""
        ...

    async def audit(self) -> Answer:
        """Return the balance of `bellwire.ledger.auditing.audit_ledger`. Reads the whole ledger: ask seldom."""
        ...

    async def readiness(self) -> list[str]:
        """Return why Bellwire is not ready, a sentence each; empty if it is."""
        ...

    async def reload(self) -> None:
        """Change to the configuration as it is now, all or nothing. Raises `ConfigError`: then nothing has changed."""
        ...

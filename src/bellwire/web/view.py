"""What the web asks of the rest of Bellwire. Whoever composes the daemon gives it one of these.

Answers are made of plain values that turn into JSON as they are; their shapes are those of `bellwire.web.schemas`. Times
are `datetime` in UTC, states are enumerations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.model import AlertState, DeliveryState
    from bellwire.records import Expiry, LetterOrder, NewSilence
    from bellwire.routing.matchers import Matcher

Answer: TypeAlias = dict[str, Any]

MAX_STORIES = 20
"""How many alerts one vendor's id may name before the rest is left out."""


class SilenceView(Protocol):
    """The silences, as they may be looked at and changed. Shapes are those of `bellwire.ledger.silences`."""

    async def every(self, ended: int, before: str | None = None) -> list[Answer]:
        """Return all that hold or will, and then the last ``ended`` of those that did.

        ``before`` is the id of one that has ended: only those that ended before it are returned.
        """
        ...

    async def preview(self, matchers: Sequence[Matcher]) -> list[Answer]:
        """Return which alerts in flight, and which of the newest, a silence with these matchers would meet."""
        ...

    async def add(self, silence: NewSilence) -> str:
        """Write it, and return its id."""
        ...

    async def expire(self, silence_id: str, who: str, how: str = "") -> Expiry:
        """End it now, for ``who``, who came in ``how``."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertQuery:
    """Which alerts to look for: see `bellwire.ledger.searching.Search`, whose fields these are."""

    matchers: tuple[Matcher, ...] = ()
    state: AlertState | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50


class InsightView(Protocol):
    """What people look into more closely: alerts searched for, messages, routes, the configuration, what people did."""

    async def search(self, query: AlertQuery) -> Answer:
        """Return ``alerts``, the newest that match, and ``next``: the id to go on before, None if there are no more."""
        ...

    async def previews(self, alert_id: str) -> list[Answer]:
        """Return the alert's message as each channel that it was owed to would send it now.

        ``receiver channel name``, ``body`` (bytes, as the channel rendered it; None where it could not) and ``error``.
        """
        ...

    async def counts(self) -> Answer:
        """Return ``totals`` as `View.totals` has them, and ``confirmed`` as `bellwire.metrics.Metrics.confirmed` has it."""
        ...

    async def routes(self) -> Answer:
        """Return ``routes`` as `bellwire.rehearsal.tree.describe` has them, and ``tally``: what went where of late.

        That is as `bellwire.ledger.tallying.tally_routes` has it.
        """
        ...

    async def try_alert(self, labels: Mapping[str, str], at: datetime | None) -> Answer:
        """Return what would become of an alert with these labels at a time (None: now).

        ``at title severity type account api labels``, ``routing`` with ``suppressed errors steps destinations`` (each with
        ``standing until why repeats`` besides), ``inhibited_by``, ``silenced_by`` and ``note``, None or a sentence.
        Raises `BellwireError` where no alert could have such labels.
        """
        ...

    async def configuration(self) -> Answer:
        """Return ``yaml``, without secrets, ``reloaded_at`` and ``failure``: why the last reload failed, None if it did not."""
        ...

    async def actions(self, limit: int) -> list[Answer]:
        """Return what people did, as `bellwire.ledger.acting.read_actions` has it."""
        ...


class View(Protocol):
    """The daemon, as it may be looked at. No call but `reload` changes anything, and none is held up by the writer."""

    @property
    def dry_run(self) -> bool:
        """Whether nothing is sent, and nothing marked as read, for as long as it runs."""
        ...

    @property
    def silences(self) -> SilenceView:
        """What people do not want to hear of."""
        ...

    @property
    def insight(self) -> InsightView:
        """What takes a closer look."""
        ...

    async def overview(self) -> Answer:
        """Return how things stand now.

        ``now`` (by the wall clock), ``started_at``, ``version``; ``accounts``, a list in the order of the configuration,
        each with ``name api base_url state since last_item_at last_error reconnects missed lag paused`` (``since``,
        ``last_item_at``, ``last_error`` and ``lag``, in seconds, may be None), and ``unread`` at the vendor, if it said how
        many; ``channels`` as
        `bellwire.ledger.reading.read_channels` has them; ``totals`` as `totals` has them; ``events``, the last 20 of
        `read_source_events`; ``troubles``, those of `bellwire.ledger.troubles.read_troubles`; ``heartbeat``, None or
        ``last_success_at``, ``failing`` and ``withheld``; ``slack_apps``, a list with ``receivers connected_at error`` of each
        connection for buttons; ``notes``, sentences about channels that work, but not as well as they could; ``dry_run``.
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

    async def deliveries(
        self, state: DeliveryState | None, limit: int, *, receiver: str | None = None, before: str | None = None
    ) -> list[Answer]:
        """Return the newest deliveries, of one state or of all, of one receiver or of all; ``before`` is an id."""
        ...

    async def audit(self, *, vendors: bool = False) -> Answer:
        """Return the balance of `bellwire.ledger.auditing.balance_of`. Reads the whole ledger: ask seldom.

        With it comes ``vendors``: for each account what `bellwire.crosscheck.cross_check` found, if it was asked for.
        """
        ...

    async def readiness(self, seen: Answer | None = None) -> list[str]:
        """Return why Bellwire is not ready, a sentence each; empty if it is.

        ``seen`` is an `overview` of just now: its accounts are not looked at again then, which costs most of it.
        """
        ...

    async def replay(self, order: LetterOrder) -> Answer:
        """Send again what the order names. Returns what `bellwire.ledger.letters.answer_of` has."""
        ...

    async def abandon(self, order: LetterOrder) -> Answer:
        """Give up what the order names. Returns the same."""
        ...

    async def reload(self, who: str, how: str = "") -> None:
        """Change to the configuration as it is now, all or nothing. Raises `ConfigError`: then nothing has changed.

        ``who`` asks for it, who came in ``how``.
        """
        ...

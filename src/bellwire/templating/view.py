"""What templates see of a message and its alerts: values alone, with no way from them to anything else."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bellwire.model import Alert, Message, Severity
from bellwire.templating.escaping import clean
from bellwire.templating.ranking import RANKED, ranked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

LONGEST_TEXT = 100_000  # characters of one text of an alert
_TITLE = 1_000  # of a title or a label

MARKS = {Severity.INFO: "🔵", Severity.WARNING: "🟡", Severity.ERROR: "🟠", Severity.CRITICAL: "🔴"}

NAMES = (
    "alert",
    "alerts",
    "delivery_id",
    "errors",
    "external_url",
    "group_labels",
    "kind",
    "mark",
    "origin",
    "part",
    "parts",
    "receiver",
    "severity",
    "severity_rank",
    "suppressed",
)
"""The names that every template knows."""


def link_of(alert: Alert) -> str | None:
    """Return the alert's address if it is one that may be followed: http or https, with nothing that ends a link early."""
    url = alert.url
    if not url or len(url) > 2000 or not url.startswith(("https://", "http://")):  # noqa: PLR2004 - what clients take
        return None
    return None if re.search(r"[\s<>|\"'\\\x00-\x1f\x7f-\x9f]", clean(url)) or clean(url) != url else url


def page_of(alert: Alert, external_url: str | None) -> str:
    """Return the address of the alert's page, empty where Bellwire has none that others can reach."""
    return f"{external_url.rstrip('/')}/alerts/{alert.id}" if external_url and alert.id else ""


def whole_of(alert: Alert, external_url: str | None = None) -> str:
    """Return where the whole of an alert can be seen."""
    return page_of(alert, external_url) or f"`bellwire explain {alert.id}`"


def worst(alerts: Iterable[Alert]) -> Severity:
    """Return the highest severity among the alerts; info if there are none."""
    return max((alert.severity for alert in alerts), default=Severity.INFO)


class AlertView:
    """One alert. A text that is missing is empty; one that is very long is cut, and says so."""

    FIELDS = frozenset(
        {"id", "account", "api", "upstream_id", "type", "severity", "severity_rank", "mark", "title", "message", "url"}
        | {"created_at", "received_at", "labels", "payload", "page", "whole"}
    )

    def __init__(self, alert: Alert, external_url: str | None) -> None:
        self._alert = alert
        self.id = alert.id
        self.severity = RANKED[alert.severity]
        self.severity_rank = int(alert.severity)
        self.mark = MARKS[alert.severity]
        self.created_at: datetime = alert.created_at
        self.received_at: datetime = alert.received_at
        self.payload: Any = alert.payload
        self.page = page_of(alert, external_url)
        self.whole = whole_of(alert, external_url)

    @cached_property
    def account(self) -> str:
        """The account's name."""
        return self._cut(self._alert.account, _TITLE)

    @cached_property
    def api(self) -> str:
        """The vendor's API."""
        return self._cut(self._alert.api, _TITLE)

    @cached_property
    def type(self) -> str:
        """The kind of notification."""
        return self._cut(self._alert.type, _TITLE)

    @cached_property
    def upstream_id(self) -> str:
        """The vendor's id."""
        return self._cut(self._alert.upstream_id, _TITLE)

    @cached_property
    def title(self) -> str:
        """The title."""
        return self._cut(self._alert.title, _TITLE)

    @cached_property
    def message(self) -> str:
        """The message."""
        return self._cut(self._alert.message, LONGEST_TEXT)

    @cached_property
    def url(self) -> str:
        """The vendor's address, empty unless it may be followed."""
        return link_of(self._alert) or ""

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels."""
        return ranked({name: self._cut(value, _TITLE) for name, value in self._alert.labels.items()})

    def _cut(self, text: str, limit: int) -> str:
        return text if len(text) <= limit else f"{text[:limit]} … [cut, {len(text):,} characters; whole: {self.whole}]"


def view_of(message: Message, external_url: str | None) -> Mapping[str, Any]:
    """Return the values of `NAMES`. ``alert`` is the first of the alerts."""
    alerts = [AlertView(alert, external_url) for alert in message.alerts]
    severity = worst(message.alerts)
    return {
        "alert": alerts[0] if alerts else None,
        "alerts": alerts,
        "delivery_id": message.delivery_id,
        "errors": list(message.errors),
        "external_url": external_url or "",
        "group_labels": ranked(message.group_labels),
        "kind": message.kind.value,
        "mark": MARKS[severity],
        "origin": message.origin or "",
        "part": message.part,
        "parts": message.parts,
        "receiver": message.receiver,
        "severity": RANKED[severity],
        "severity_rank": int(severity),
        "suppressed": message.suppressed,
    }

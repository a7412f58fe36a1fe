"""Values for tests, with what a test does not care about filled in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.model import (
    AccountKey,
    Alert,
    ChannelKey,
    Decision,
    Destination,
    MarkPolicy,
    Severity,
    Suppression,
    Via,
)
from bellwire.records import Arrival, ChannelPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

VISION = AccountKey(name="vision", base_url="https://vision.example")
PAGER = ChannelKey(receiver="pager", kind="webhook")
OPS = ChannelKey(receiver="ops", kind="slack")

_numbers = itertools.count(1)


def an_alert(**values: Any) -> Alert:
    number = next(_numbers)
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    every: dict[str, Any] = {
        "account": VISION.name,
        "api": "visual_layer",
        "upstream_id": f"item-{number}",
        "type": "alert",
        "severity": Severity.WARNING,
        "title": f"Scratches: {number} new results in Doors",
        "message": "",
        "url": None,
        "created_at": now - timedelta(seconds=2),
        "received_at": now,
        "labels": {"account": VISION.name, "severity": "warning"},
        "payload": {"id": f"item-{number}"},
    }
    return Alert(**every | values)


def an_arrival(
    *channels: ChannelKey,
    alert: Alert | None = None,
    destination: dict[str, Any] | None = None,
    suppressed: Suppression | None = None,
    **values: Any,
) -> Arrival:
    """Return an arrival that is owed to each of ``channels`` (by one destination each)."""
    destinations = tuple(
        Destination(**{"receiver": key.receiver, "route": "route"} | (destination or {})) for key in channels
    )
    if not channels and suppressed is None:
        suppressed = Suppression.DROPPED
    every: dict[str, Any] = {
        "account": VISION,
        "alert": alert or an_alert(),
        "decision": Decision(destinations=destinations, suppressed=suppressed),
        "channels": tuple((key,) for key in channels),
        "mark": MarkPolicy.DELIVERED,
        "markable": True,
        "via": Via.STREAM,
    }
    return Arrival(**every | values)


def in_a_group(number: int, *channels: ChannelKey, **values: Any) -> Arrival:
    """Return an arrival in a group of its own, due at once: what might be joined is claimed before it is sent."""
    return an_arrival(*channels, destination={"group_key": f"g{number:02}", "group_labels": {}}, **values)


def a_policy(key: ChannelKey = PAGER, **values: Any) -> ChannelPolicy:
    return ChannelPolicy(key=key, **values)


def ids(arrivals: Sequence[str | None]) -> list[str]:
    """Return the ids of alerts that were all new."""
    assert None not in arrivals
    return [each for each in arrivals if each is not None]

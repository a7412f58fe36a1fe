"""The routing tree as plain values, inheritance resolved: for people and for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bellwire.config.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.routing.tree import Route

ALONE = ["..."]


def describe(route: Route, parent: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield each route with all that holds for it, parents before children. ``receiver`` None drops."""
    yield {
        "route": route.path,
        "parent": parent,
        "receiver": route.receiver,
        "matchers": [str(one) for one in route.matchers],
        "continue": route.continues,
        "group_by": list(ALONE if route.grouping.alone else route.grouping.by),
        "group_wait": duration(route.grouping.wait),
        "group_interval": duration(route.grouping.interval),
        "active_time_intervals": list(route.muting.active),
        "mute_time_intervals": list(route.muting.mute),
        "muted": "hold" if route.muting.hold else "drop",
        "suppress_repeats": duration(route.repeats_within),
        "dedupe_by": list(route.dedupe_by),
        "digest": route.digest or None,
    }
    for child in route.children:
        yield from describe(child, route.path)


def duration(seconds: float) -> str:
    """Return seconds as the configuration writes them."""
    return format_duration(timedelta(seconds=seconds))

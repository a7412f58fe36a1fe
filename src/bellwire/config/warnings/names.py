"""Receivers and time intervals that nothing names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config, RouteConfig


def check_names(config: Config) -> Iterator[Finding]:
    """Yield what is defined and never used."""
    routes = list(_routes(config.route))
    named = {route.receiver for route in routes} | {config.meta_receiver}
    named |= {name for receiver in config.receivers for name in receiver.fallback if name != receiver.name}
    for at, receiver in enumerate(config.receivers):
        if receiver.name not in named:
            message = f"nothing names {receiver.name}: no route, no fallback, not meta_receiver; it gets nothing"
            yield Finding(("receivers", at, "name"), message)
    used = {name for route in routes for name in (*route.active_time_intervals, *route.mute_time_intervals)}
    for at, interval in enumerate(config.time_intervals):
        if interval.name not in used:
            yield Finding(("time_intervals", at, "name"), f"no route names {interval.name}: it does nothing")


def _routes(route: RouteConfig) -> Iterator[RouteConfig]:
    yield route
    for child in route.routes:
        yield from _routes(child)

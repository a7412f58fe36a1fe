"""The routing tree, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.printing import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Described = dict[str, Any]


def draw(routes: Sequence[Described]) -> Iterator[str]:
    """Yield the lines of the tree that `bellwire.rehearsal.tree.describe` described."""
    yield from _draw(routes[0], None, routes, "", "")


def _draw(
    route: Described, parent: Described | None, routes: Sequence[Described], first: str, further: str
) -> Iterator[str]:
    yield f"{_dim(first)}{_head(route, parent)}"
    children = [each for each in routes if each["parent"] == route["route"]]
    margin = f"{further}{'│  ' if children else '   '}"
    for line in _details(route, parent):
        yield _dim(f"{margin}{line}")
    for child in children:
        last = child is children[-1]
        yield from _draw(
            child, route, routes, f"{further}{'└─ ' if last else '├─ '}", f"{further}{'   ' if last else '│  '}"
        )


def _head(route: Described, parent: Described | None) -> str:
    matchers = "  ".join(plain(one) for one in route["matchers"])
    what = matchers or ("every alert" if parent is None or route["continue"] else "everything else")
    arrow = click.style("→", dim=True)
    more = click.style("  and goes on", fg="cyan") if route["continue"] else ""
    if route["receiver"] is None:
        return f"{what} {arrow} {click.style('dropped', fg='yellow')}{more}"
    return f"{what} {arrow} {click.style(plain(route['receiver']), bold=True)}{more}"


def _details(route: Described, parent: Described | None) -> Iterator[str]:
    """Yield what holds for this route beside receiver and matchers; below the root, only what differs from above."""

    def changed(*keys: str) -> bool:
        return parent is None or any(route[key] != parent[key] for key in keys)

    if route["receiver"] is None:
        return
    if changed("group_by", "group_wait", "group_interval"):
        yield _grouping(route)
    windows = [
        f"{words} {', '.join(map(plain, route[key]))}"
        for key, words in (("active_time_intervals", "only within"), ("mute_time_intervals", "not within"))
        if route[key]
    ]
    if changed("active_time_intervals", "mute_time_intervals", "muted"):
        if windows:
            yield f"{', '.join(windows)}: {'held' if route['muted'] == 'hold' else 'dropped'} meanwhile"
        elif parent is not None:
            yield "at any time"
    if changed("suppress_repeats", "dedupe_by") and (route["suppress_repeats"] != "0s" or parent is not None):
        yield _repeats(route)
    if changed("digest") and (route["digest"] or parent is not None):
        yield f'one digest at "{plain(route["digest"])}"' if route["digest"] else "no digest"


def _grouping(route: Described) -> str:
    if route["group_by"] == ["..."]:
        return "each alert alone"
    by = ", ".join(map(plain, route["group_by"]))
    pace = [] if route["group_wait"] == "0s" else [f"after {route['group_wait']}"]
    pace += [] if route["group_interval"] == "0s" else [f"at most every {route['group_interval']}"]
    return f"{f'grouped by {by}' if by else 'all in one group'}{': ' if pace else ''}{', '.join(pace)}"


def _repeats(route: Described) -> str:
    if route["suppress_repeats"] == "0s":
        return "repeats are sent"
    return f"no repeats within {route['suppress_repeats']}, alike by {', '.join(map(plain, route['dedupe_by']))}"


def _dim(text: str) -> str:
    return click.style(text, dim=True) if text else ""

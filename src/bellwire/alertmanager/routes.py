"""The routing tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.alertmanager.matching import Seen, UntranslatableError, matchers_of
from bellwire.alertmanager.yaml_out import Comment, Items, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from bellwire.alertmanager.source import Node

_WINDOWS = ("mute_time_intervals", "active_time_intervals")
_REPEAT = (
    "repeat_interval: {value} is left out. There it sends an alert that still fires once more; Bellwire sends each "
    "notification once. (suppress_repeats here is the opposite: it keeps alike alerts back.)"
)
_DROPPING = (
    "{name}, the receiver here, delivers nothing. A root must name one that does, so this one stands in, and the last "
    "route below drops what no other takes."
)
_LEFT_OUT = (
    "The route in line {line} is left out, with all below it: {error}. What it took goes to the routes after it, or to this "
    "one: write it anew."
)
_HOLD = "there, what still fires is sent when the window opens: the same as `hold` here"


class Tree:
    """Translates the routes of one file. ``silent`` are the receivers that deliver nothing."""

    def __init__(self, receivers: Collection[str], silent: Collection[str], seen: Seen) -> None:
        self._receivers = receivers
        self._silent = silent
        self._seen = seen
        self._told: set[str] = set()

    def root(self, node: Node) -> Table:
        """Return the root, with the defaults that Alertmanager has and we have otherwise."""
        made = Table()
        name = node.get("receiver")
        drops = name is not None and name.text in self._silent
        if name is not None and drops and self._receivers:
            made.put("receiver", next(iter(self._receivers)), _DROPPING.format(name=name.text))
        elif name is not None:
            made.put("receiver", name.text)
        else:
            node.refuse("the root route must name a receiver")
        self._grouping(node, made)
        for key, value in (("group_by", Items()), ("group_wait", "30s"), ("group_interval", "5m")):
            if key not in made.keys:
                made.put(key, value, f"Alertmanager's default for {key}")
        children = self._routes(node, made, frozenset())
        if drops:
            children.append(Table([("receiver", None)]))
        if children:
            made.put("routes", children)
        self._rest(node, made)
        return made

    def _route(self, node: Node, inherited: frozenset[str]) -> Table:
        """Return a route. ``inherited`` are the windows of ours that hold here unless the route says otherwise."""
        made = Table()
        matchers = matchers_of(node, self._seen)
        if matchers:
            made.put("matchers", matchers)
        name = node.get("receiver")
        if name is not None:
            made.put("receiver", None if name.text in self._silent else name.text)
        if (further := node.get("continue")) is not None and further.flag:
            made.put("continue", value=True)
        self._grouping(node, made)
        windows = self._windows(node, made, inherited)
        if children := self._routes(node, made, windows):
            made.put("routes", children)
        self._rest(node, made)
        return made

    def _routes(self, node: Node, made: Table, inherited: frozenset[str]) -> Items:
        """Return the routes below; the parent is told of those that are left out, in order not to take more than they did."""
        found = Items()
        for child in node.list("routes"):
            try:
                found.append(self._route(child, inherited))
            except UntranslatableError as error:
                made.note(_LEFT_OUT.format(line=child.line, error=error))
        return found

    def _grouping(self, node: Node, made: Table) -> None:
        if node.get("group_by") is not None:
            names = [each.text for each in node.list("group_by")]
            self._seen.names.update(dict.fromkeys(name for name in names if name != "..."))
            made.put("group_by", Items(names))
        for key in ("group_wait", "group_interval"):
            if (value := node.get(key)) is not None:
                made.put(key, value.duration)
        if (repeat := node.get("repeat_interval")) is not None:
            first = "repeat" not in self._told
            self._told.add("repeat")
            made.note(_REPEAT.format(value=repeat.text) if first else f"repeat_interval: {repeat.text} is left out")

    def _windows(self, node: Node, made: Table, inherited: frozenset[str]) -> frozenset[str]:
        """Put in the windows. Here they are inherited and there not, so that a route without must say so."""
        given = {key: [each.text for each in node.list(key)] for key in _WINDOWS}
        for key, names in given.items():
            if names:
                made.put(key, Items(names))
            elif key in inherited:
                made.put(key, Items(), f"Alertmanager's routes do not inherit {key}")
        held = frozenset(key for key, names in given.items() if names)
        if held:
            made.put("muted", "hold", *([] if "hold" in self._told else [_HOLD]))
            self._told.add("hold")
        return held

    def _rest(self, node: Node, made: Table) -> None:
        for key, value in node.rest():
            made.append(Comment(f"{key} (line {value.line}) has no equivalent"))

"""Receivers, each with its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.alertmanager import channels
from bellwire.alertmanager.services import service
from bellwire.alertmanager.yaml_out import Items, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bellwire.alertmanager.source import Node

_OURS: Mapping[str, Callable[[Node, Mapping[str, Node]], Table]] = {
    "slack_configs": channels.slack,
    "webhook_configs": channels.webhook,
    "email_configs": channels.email,
}


def receivers_of(nodes: list[Node], defaults: Mapping[str, Node]) -> tuple[dict[str, Table], dict[str, Node]]:
    """Return the receivers by name, and those that deliver nothing."""
    made: dict[str, Table] = {}
    silent: dict[str, Node] = {}
    for node in nodes:
        found = node.get("name")
        if found is None:
            node.refuse("a receiver needs a name")
        receiver = _receiver(found.text, node, defaults)
        if len(receiver.keys) > 1:
            made[found.text] = receiver
        else:
            silent[found.text] = node
    return made, silent


def _receiver(name: str, node: Node, defaults: Mapping[str, Node]) -> Table:
    made = Table([("name", name)])
    others = Items()
    for kind, configs in node.rest():
        if not kind.endswith("_configs"):
            made.note(f"{kind} (line {configs.line}) has no equivalent")
        elif configs.value:
            translate = _OURS.get(kind)
            if translate is None:
                others += [service(kind, each, name, defaults) for each in configs.items()]
            else:
                made.put(kind, _named(Items(translate(each, defaults) for each in configs.items()), kind))
    if others:
        made.put("apprise_configs", _named(others, "apprise_configs"))
    return made


def _named(items: Items, kind: str) -> Items:
    """Name channels of one kind, where there are several."""
    tables = [item for item in items if isinstance(item, Table)]
    for number, table in enumerate(tables if len(tables) > 1 else [], 1):
        table.insert(0, ("name", f"{kind.removesuffix('_configs')}-{number}"))
    return items

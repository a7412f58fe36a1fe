"""What a matcher's name stands for: the text that an alert has under it.

Names are labels, but for these: ``title``, ``message`` and ``upstream_id`` are the alert's own, whatever labels a vendor
gave it; ``payload.PATH`` is the vendor's item: keys and list indexes between dots, numbers and booleans as JSON writes
them. What is missing, null or no scalar is the empty text, as a missing label is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from bellwire.model import Alert, Json

    Reader: TypeAlias = Callable[[Alert], str]

PAYLOAD = "payload."


def reader(name: str) -> Reader:
    """Return the function that reads ``name`` from an alert."""
    if name.startswith(PAYLOAD):
        return _payload_reader(name.removeprefix(PAYLOAD))
    return _OWN.get(name) or (lambda alert: alert.labels.get(name, ""))


_OWN: dict[str, Reader] = {
    "title": lambda alert: alert.title,
    "message": lambda alert: alert.message,
    "upstream_id": lambda alert: alert.upstream_id,
}
FIELDS = frozenset(_OWN)
"""Names that are the alert's own texts, and no labels: a label of that name is kept, and nothing in rules reads it."""


def _payload_reader(path: str) -> Reader:
    steps = [(key, int(key) if key.isascii() and key.isdigit() else None) for key in path.split(".")]

    def read(alert: Alert) -> str:
        node = alert.payload
        for key, index in steps:
            if isinstance(node, dict):
                node = node.get(key)
            elif isinstance(node, list) and index is not None and index < len(node):
                node = node[index]
            else:
                return ""
        return _scalar(node)

    return read


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = orjson.dumps(value).decode()
        return "" if text == "null" else text  # JSON has no NaN and no infinity
    return ""

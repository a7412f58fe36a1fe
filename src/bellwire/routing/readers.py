"""What a matcher's name stands for: the text that an alert has under it.

Names are labels. ``title``, ``message`` and ``upstream_id`` are the alert's own where no label has that name;
``payload.PATH`` is always the vendor's item: keys and list indexes between dots, numbers and booleans as JSON writes
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
    own = _OWN.get(name)
    if own is None:
        return lambda alert: alert.labels.get(name, "")
    return lambda alert: alert.labels[name] if name in alert.labels else own(alert)


_OWN: dict[str, Reader] = {
    "title": lambda alert: alert.title,
    "message": lambda alert: alert.message,
    "upstream_id": lambda alert: alert.upstream_id,
}


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

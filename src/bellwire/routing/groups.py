"""Which group an alert is in: a key that is the same for alerts of one place with the same values, and for no others."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from bellwire.routing.readers import reader
from bellwire.routing.regex import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from bellwire.model import Alert

    Group: TypeAlias = tuple[str, dict[str, str]]

KEY_LIMIT = 500  # characters; titles of alerts may be of any length, keys stand in indexes and messages


def grouper(place: str, names: tuple[str, ...]) -> Callable[[Alert], Group]:
    """Return the function from an alert to its group's key and labels, in the route at ``place``."""
    readers = [(name, reader(name)) for name in sorted(set(names))]

    def group(alert: Alert) -> Group:
        values = {name: read(alert) for name, read in readers}
        return _key(place, values), {name: encode(value).decode() for name, value in values.items()}

    return group


def keyer(place: str, names: tuple[str, ...]) -> Callable[[Alert], str]:
    """Return the function from an alert to the key that it shares with those of the same values, at ``place``."""
    readers = [(name, reader(name)) for name in sorted(set(names))]
    return lambda alert: _key(place, {name: read(alert) for name, read in readers})


def _key(place: str, values: dict[str, str]) -> str:
    key = f"{place}:{json.dumps(values, separators=(',', ':'))}"
    if len(key) <= KEY_LIMIT:
        return key
    return f"{place}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"

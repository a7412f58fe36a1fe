"""What someone writes to try an alert on the routes: its labels, and a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.moment import parse_moment
from bellwire.web.forms import Misunderstood

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_MOST = 200


def labels_of(lines: Sequence[str]) -> dict[str, str]:
    """Return labels written as ``name=value`` each. Raises `Misunderstood`."""
    found: dict[str, str] = {}
    for line in lines[:_MOST]:
        name, equals, value = line.strip().partition("=")
        if not name and not equals:
            continue
        if not name.strip() or not equals:
            message = "this is no label: write name=value"
            raise Misunderstood(message, line.strip(), 0)
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        found[name.strip()] = value
    return found


def time_of(text: str) -> datetime | None:
    """Return the time, in UTC if it does not say; None for no text. Raises `Misunderstood`."""
    if not text.strip():
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        message = f"at: {error}"
        raise Misunderstood(message, text, 0) from None

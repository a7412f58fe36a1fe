"""What someone who mistyped a name may have meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the nearest known name as a question, else all of them as a choice."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    if close:
        return f"did you mean {close[0]}?"
    return f"choose from {', '.join(sorted(known))}" if known else "there is none to choose from, remove it"

"""Values from the environment within the text of a value: ``${NAME}``, ``${NAME:-default}``, and ``$$`` for a dollar."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# the last alternative is what was meant as a reference and is none; a dollar before anything else stands for itself,
# because regular expressions end in one
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\{)")

MAX_LENGTH = 256 * 1024
"""Characters that references may bring into one text."""

_TOO_LONG = f"becomes longer than {MAX_LENGTH // 1024} KiB: name fewer or shorter variables"
_MALFORMED = "${ begins no reference: write ${NAME} or ${NAME:-default}, and $$ for a dollar"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpolated:
    """A text with its references replaced.

    ``whole`` is True if the text was one reference and nothing else. ``problems`` are (offset in the text as written,
    what is wrong), and ``unset`` are those of variables that there are not; the references they tell of were replaced by
    nothing.
    """

    text: str = field(repr=False)
    whole: bool
    problems: tuple[tuple[int, str], ...]
    unset: tuple[tuple[int, str], ...] = ()


def interpolate(text: str, environ: Mapping[str, str]) -> Interpolated:
    """Return ``text`` with every reference replaced. An empty variable counts as unset where there is a default."""
    problems: list[tuple[int, str]] = []
    unset: list[tuple[int, str]] = []
    room = MAX_LENGTH

    def replace(match: re.Match[str]) -> str:
        nonlocal room
        value = value_of(match) if room >= 0 else ""
        room -= len(value)
        return value

    def value_of(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match["name"], match["default"]
        if name is None:
            problems.append((match.start(), _MALFORMED))
            return ""
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            unset.append((match.start(), _unset(name)))
            return ""
        return value

    whole = _REFERENCE.fullmatch(text)
    replaced = _REFERENCE.sub(replace, text)
    if room < 0:
        problems.append((0, _TOO_LONG))
    return Interpolated(
        text=replaced, whole=bool(whole and whole["name"]), problems=tuple(problems), unset=tuple(unset)
    )


def _unset(name: str) -> str:
    return f"the environment variable {name} is not set: set it, or write ${{{name}:-default}}"

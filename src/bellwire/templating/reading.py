"""How filters read what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Undefined

from bellwire.errors import TemplateError
from bellwire.templating.budget import ITEMS, budget
from bellwire.templating.view import AlertView

Value = Any

_LONGEST_PATH = 200  # characters


class FilterError(TemplateError):
    """A filter cannot make anything of what it was given."""


def look_up(value: Value, attribute: str | int | None) -> Value:
    """Return the value at a path such as ``labels.team``, empty text where there is none."""
    if attribute is None:
        return value
    path = str(attribute)
    if len(path) > _LONGEST_PATH:
        raise FilterError(f"a path has at most {_LONGEST_PATH} characters")  # noqa: EM102, TRY003 - told once
    budget().step()
    for part in path.split("."):
        if isinstance(value, AlertView):
            if part not in AlertView.FIELDS:
                raise FilterError(f"an alert has no {str(part)!r}: choose from {', '.join(sorted(AlertView.FIELDS))}")  # noqa: EM102, TRY003 - told once
            value = getattr(value, part)
        elif isinstance(value, Mapping):
            value = value.get(part, "")
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part[:6]) < len(value):
            value = value[int(part[:6])]
        else:
            value = ""
    return value


def items_of(value: Value) -> list[Value]:
    """Return what a loop over the value would meet."""
    if isinstance(value, Undefined) or value is None:
        return []
    if isinstance(value, str) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
        raise FilterError(f"takes a {type(value).__name__.lower()} for a list: give it one")  # noqa: EM102, TRY003 - told once
    if len(value) > ITEMS:
        raise FilterError(f"takes a list of more than {ITEMS:,} items: use a shorter one")  # noqa: EM102, TRY003 - told once
    return list(value)


def within(number: Value, most: int, what: str) -> int:
    """Return a whole number from 0 to ``most``; ``what`` says what it is for."""
    count = int(number)
    if not 0 <= count <= most:
        raise FilterError(f"{what} must be from 0 to {most:,}")  # noqa: EM102, TRY003 - told once
    return count

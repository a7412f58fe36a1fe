"""The filters and tests of templates. Each asks before it makes something large; the sandbox counts what they return.

Names and parameters are Jinja2's where it has such a filter. Left out is what marks text as safe, what needs the clock or
dice, and what could reach further than the values it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined

from bellwire.model import Severity
from bellwire.templating import prose
from bellwire.templating.budget import budget
from bellwire.templating.ranking import Ranked, rank_of
from bellwire.templating.reading import FilterError, Value, items_of, look_up, within
from bellwire.templating.show import text_of
from bellwire.templating.view import AlertView


def _order(value: Value) -> Any:
    """Return what sorts anything beside anything."""
    if isinstance(value, bool | int | float):
        return (0, value, "")
    if isinstance(value, Ranked):
        return (1, rank_of(value), str(value))
    return (1, 0, value.timestamp() if isinstance(value, datetime) else text_of(value).casefold())


def _first(value: Value) -> Value:
    return next(iter(value if isinstance(value, str) else items_of(value)), "")


def _last(value: Value) -> Value:
    return (value if isinstance(value, str) else items_of(value) or [""])[-1:][0]


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str) else len(items_of(value))


def _sort(value: Value, reverse: bool = False, attribute: str | None = None) -> list[Value]:  # noqa: FBT001, FBT002 - Jinja2's
    return sorted(items_of(value), key=lambda item: _order(look_up(item, attribute)), reverse=bool(reverse))


def _unique(value: Value, attribute: str | None = None) -> list[Value]:
    return list({_order(look_up(item, attribute)): item for item in reversed(items_of(value))}.values())[::-1]


def _map(value: Value, attribute: str) -> list[Value]:
    return [look_up(item, attribute) for item in items_of(value)]


def _chosen(*, wanted: bool, by_attribute: bool) -> Callable[..., list[Value]]:
    def choose(value: Value, *arguments: Value) -> list[Value]:
        attribute, rest = (arguments[0], arguments[1:]) if by_attribute else (None, arguments)
        name, parameters = (str(rest[0]), rest[1:]) if rest else ("true", ())
        if name not in TESTS:
            raise FilterError(f"there is no test {name[:80]!r}: choose from {', '.join(sorted(TESTS))}")  # noqa: EM102, TRY003 - told once
        found = []
        for item in items_of(value):
            budget().look()
            if bool(TESTS[name](look_up(item, attribute), *parameters)) is wanted:
                found.append(item)
        return found

    return choose


def _groupby(value: Value, attribute: str) -> list[Value]:
    ordered = _sort(value, attribute=attribute)
    groups = groupby(ordered, key=lambda item: _order(look_up(item, attribute)))
    listed = [list(members) for _, members in groups]
    return [(look_up(members[0], attribute), members) for members in listed]


def _batch(value: Value, size: int) -> list[Value]:
    items, size = items_of(value), max(1, int(size))
    return [items[at : at + size] for at in range(0, len(items), size)]


def _dictsort(value: Value) -> list[Value]:
    if not isinstance(value, Mapping):
        raise FilterError("dictsort takes a mapping, such as alert.labels")  # noqa: EM101, TRY003 - told once
    return sorted(value.items(), key=lambda pair: _order(pair[0]))


def _number(value: Value, default: float = 0) -> Value:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _int(value: Value, default: int = 0) -> Value:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _sum(value: Value, attribute: str | None = None) -> Value:
    return sum(_number(look_up(item, attribute)) for item in items_of(value))


def _default(value: Value, instead: Value = "", boolean: bool = False) -> Value:  # noqa: FBT001, FBT002 - Jinja2's signature
    empty = not value if boolean else isinstance(value, Undefined) or value is None or value == ""
    return instead if empty else value


def at_least(value: Value, severity: str) -> bool:
    """Return whether a severity, or that of an alert, is this one or worse."""
    least = rank_of(severity)
    found = Severity.of(text_of(value.severity if isinstance(value, AlertView) else value))
    return found is not None and found >= least


FILTERS: dict[str, Callable[..., Value]] = {
    "abs": abs,
    "batch": _batch,
    "capitalize": lambda value: text_of(value).capitalize(),
    "center": prose.center,
    "count": _length,
    "d": _default,
    "default": _default,
    "dictsort": _dictsort,
    "first": _first,
    "float": _number,
    "format": prose.format_text,
    "groupby": _groupby,
    "indent": prose.indent,
    "int": _int,
    "items": lambda value: list(value.items()) if isinstance(value, Mapping) else [],
    "join": prose.join,
    "last": _last,
    "length": _length,
    "list": items_of,
    "ljust": prose.ljust,
    "lower": lambda value: text_of(value).lower(),
    "map": _map,
    "max": lambda value: max(items_of(value), key=_order, default=""),
    "min": lambda value: min(items_of(value), key=_order, default=""),
    "reject": _chosen(wanted=False, by_attribute=False),
    "rejectattr": _chosen(wanted=False, by_attribute=True),
    "replace": prose.replace,
    "reverse": lambda value: items_of(value)[::-1],
    "rjust": prose.rjust,
    "round": lambda value, digits=0: round(float(value), within(digits, 20, "the digits of round")),
    "select": _chosen(wanted=True, by_attribute=False),
    "selectattr": _chosen(wanted=True, by_attribute=True),
    "sort": _sort,
    "string": text_of,
    "sum": _sum,
    "title": lambda value: text_of(value).title(),
    "tojson": prose.tojson,
    "trim": lambda value: text_of(value).strip(),
    "truncate": prose.truncate,
    "unique": _unique,
    "upper": lambda value: text_of(value).upper(),
    "urlencode": lambda value: quote(text_of(value), safe=""),
    "wordwrap": prose.wordwrap,
}

TESTS: dict[str, Callable[..., bool]] = {
    "at_least": at_least,
    "defined": lambda value: not isinstance(value, Undefined),
    "divisibleby": lambda value, by: value % by == 0,
    "eq": lambda value, other: value == other,
    "equalto": lambda value, other: value == other,
    "even": lambda value: value % 2 == 0,
    "false": lambda value: not value,
    "ge": lambda value, other: value >= other,
    "gt": lambda value, other: value > other,
    "in": lambda value, others: value in others,
    "le": lambda value, other: value <= other,
    "lt": lambda value, other: value < other,
    "mapping": lambda value: isinstance(value, Mapping),
    "ne": lambda value, other: value != other,
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": lambda value: value % 2 == 1,
    "sequence": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "true": bool,
    "undefined": lambda value: isinstance(value, Undefined),
}

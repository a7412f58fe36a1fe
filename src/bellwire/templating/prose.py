"""The filters that make text."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from bellwire.templating.budget import budget
from bellwire.templating.reading import FilterError, Value, items_of, look_up, within
from bellwire.templating.show import json_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDEST = 1_000  # characters of padding, indentation or a line
_CONVERSION = re.compile(r"%(?:%|[-+ #0]*(?P<width>\d*)(?:\.(?P<precision>\d*))?[sdifeEgGxXo])")
_MOST_DIGITS = 200
_LONGEST_WRAPPED = 100_000
_STRFTIME = re.compile(r"%(?:-?[aAbBdHIjmMpSUwWyY]|[fuVGzZ%])")


def replace(value: Value, old: str, new: Value, count: int | None = None) -> str:
    """Return the text with ``new`` for each ``old``."""
    text, new = text_of(value), text_of(new)
    if not old:
        raise FilterError("replace needs some text to look for")  # noqa: EM101, TRY003 - told once
    found = text.count(old)
    budget().room(len(text) * (6 if isinstance(new, Markup) else 1) + found * 6 * len(new))
    if isinstance(new, Markup) and not isinstance(text, Markup):
        text = new.escape(text)
    return text.replace(old, new, -1 if count is None else int(count))


def truncate(value: Value, length: int = 255, end: str = "…") -> str:
    """Return the beginning of the text, in at most ``length`` characters."""
    text = text_of(value)
    return text if len(text) <= length else text[: max(0, int(length) - len(end))].rstrip() + end


def indent(value: Value, width: int = 4, first: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja2's signature
    """Return the text with its lines indented, the first one only if asked for."""
    text, blanks = text_of(value), " " * within(width, _WIDEST, "the width of indent")
    budget().room(len(text) + (text.count("\n") + 1) * len(blanks))
    return type(text)((blanks if first else "") + str(text).replace("\n", "\n" + blanks))


def center(value: Value, width: int = 80) -> str:
    """Return the text between blanks."""
    return text_of(value).center(within(width, _WIDEST, "the width of center"))


def ljust(value: Value, width: int = 80) -> str:
    """Return the text before blanks."""
    return text_of(value).ljust(within(width, _WIDEST, "the width of ljust"))


def rjust(value: Value, width: int = 80) -> str:
    """Return the text behind blanks."""
    return text_of(value).rjust(within(width, _WIDEST, "the width of rjust"))


def wordwrap(value: Value, width: int = 79) -> str:
    """Return the text in lines of at most ``width`` characters where words allow it."""
    text, width = text_of(value), max(1, within(width, _WIDEST, "the width of wordwrap"))
    if len(text) > _LONGEST_WRAPPED:
        raise FilterError(f"wordwrap takes at most {_LONGEST_WRAPPED:,} characters: truncate the text before")  # noqa: EM102, TRY003 - told once
    lines = [wrapped for line in str(text).splitlines() for wrapped in _wrap(line, width)]
    return type(text)("\n".join(lines))


def _wrap(line: str, width: int) -> list[str]:
    lines, current = [], ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    return [*lines, current]


def join(value: Value, separator: Value = "", attribute: str | None = None) -> str:
    """Return the items as one text."""
    pieces = [text_of(look_up(item, attribute)) for item in items_of(value)]
    separator = text_of(separator)
    budget().room(sum(map(len, pieces)) + len(separator) * len(pieces))
    return joined([separator, *pieces], lambda texts: texts[0].join(texts[1:]))


def joined(texts: list[str], join: Callable[[list[str]], str]) -> str:
    """Return the texts joined; where one is safe, the others are escaped for its form."""
    form = next((type(text) for text in texts if isinstance(text, Markup)), None)
    return form(join([form.escape(text) for text in texts])) if form else join(texts)


def formatted(value: Value, arguments: tuple[Value, ...]) -> str:
    """Return ``value % arguments`` for the conversions that make no more than they are given."""
    pattern = text_of(value)
    budget().room(len(pattern))
    rest = _CONVERSION.sub("", pattern)
    widths = [
        int(number[:9])
        for found in _CONVERSION.finditer(pattern)
        for number in found.group("width", "precision")
        if number
    ]
    if "%" in rest or max(widths, default=0) > _MOST_DIGITS:
        raise FilterError(f"a format takes %s, %d, %f and their like, at most {_MOST_DIGITS} wide")  # noqa: EM102, TRY003 - told once
    given = tuple(each if isinstance(each, int | float) else text_of(each) for each in arguments)
    budget().room(sum(len(each) if isinstance(each, str) else 400 for each in given) * 6)
    form = next((type(each) for each in given if isinstance(each, Markup)), None)
    if form and not isinstance(pattern, Markup):
        pattern = form.escape(pattern)
    made: str = pattern % given
    return made


def format_text(value: Value, *arguments: Value) -> str:
    """Return the text with its conversions filled in."""
    return formatted(value, arguments)


def tojson(value: Value, indent: int | None = None) -> str:
    """Return the value as JSON."""
    return json_of(value, None if indent is None else within(indent, 8, "the indent of tojson"))


# --- time ----------------------------------------------------------------------------------------------------------


@cache
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def time_filter(default_zone: str) -> Callable[..., str]:
    """Return the filter ``time``: a time, or one in ISO 8601 as vendors write them, in a zone."""

    def time(value: Value, pattern: str = "%Y-%m-%d %H:%M:%S %Z", zone: str = default_zone) -> str:
        where = _zone(str(zone)) if len(zone) < _MOST_DIGITS else None
        if where is None:
            raise FilterError(f"{str(zone)[:80]!r} is no time zone: write one such as Europe/Paris")  # noqa: EM102, TRY003 - told once
        if "%" in _STRFTIME.sub("", pattern) or len(pattern) > _MOST_DIGITS:
            raise FilterError("a time's format takes %Y %m %d %H %M %S %Z and their like")  # noqa: EM101, TRY003 - told once
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value[:40])
            except ValueError:
                return text_of(value)
        if not isinstance(value, datetime):
            return text_of(value)
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(where).strftime(pattern)

    return time

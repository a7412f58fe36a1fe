"""YAML with comments, written so that people like to go on with it, and so that our loader reads back what was meant."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

from bellwire.config.scalar import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 110
_INLINE = 80  # characters of a list in one line
_BARE = re.compile(r"[A-Za-z0-9_/][\w./+-]*(?: [\w./+-]+)*", re.ASCII)
_OTHERS_TYPES = frozenset({"y", "n", "yes", "no", "on", "off"})  # in the YAML of other programs
_REFERENCES = re.compile(r"\$(?=[${])")


@dataclass(frozen=True, slots=True)
class Comment:
    """A line (or more) of its own."""

    text: str


class Reference(str):
    """The name of an environment variable, whose value is meant."""

    __slots__ = ()


Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Union[Scalar, "Table", "Items"]


class Table(list["tuple[str, Value] | Comment"]):
    """A mapping in its order, with comments between its keys."""

    def put(self, key: str, value: Value, *notes: str) -> None:
        """Add a key, with comments above it."""
        self.extend(Comment(note) for note in notes)
        self.append((key, value))

    def note(self, text: str) -> None:
        """Add a comment."""
        self.append(Comment(text))

    @property
    def keys(self) -> set[str]:
        """Return the keys that it has."""
        return {entry[0] for entry in self if isinstance(entry, tuple)}


class Items(list["Value | Comment"]):
    """A list, with comments between its items."""


def write(table: Table) -> str:
    """Return the text of a document, with room between its parts."""
    lines: list[str] = []
    commented = True
    for entry in table:
        if not commented:
            lines.append("")
        lines += _table(Table([entry]), "")
        commented = isinstance(entry, Comment)
    return "".join(f"{line}\n" for line in lines)


def scalar(value: Scalar) -> str:
    """Return one value as our loader reads it; a dollar that would begin a reference is doubled."""
    if value is None:
        return "null"
    if isinstance(value, Reference):
        return f"${{{value}}}"
    if not isinstance(value, str):
        return json.dumps(value)
    text = _REFERENCES.sub("$$", value)
    if _BARE.fullmatch(text) and isinstance(resolve(text), str) and text.lower() not in _OTHERS_TYPES:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text)


def _table(table: Table, indent: str) -> Iterator[str]:
    for entry in table:
        if isinstance(entry, Comment):
            yield from _comment(entry, indent)
        else:
            yield from _pair(*entry, indent)


def _pair(key: str, value: Value, indent: str) -> Iterator[str]:
    name = scalar(key)
    if isinstance(value, Table) and value:
        yield f"{indent}{name}:"
        yield from _table(value, f"{indent}  ")
    elif isinstance(value, Items) and (inline := _inline(value)) is None:
        yield f"{indent}{name}:"
        yield from _items(value, f"{indent}  ")
    elif isinstance(value, Items):
        yield f"{indent}{name}: {inline}"
    else:
        yield f"{indent}{name}: {'{}' if isinstance(value, Table) else scalar(value)}"


def _items(items: Items, indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Comment):
            yield from _comment(item, indent)
        elif isinstance(item, Table):
            first = next((at for at, entry in enumerate(item) if not isinstance(entry, Comment)), len(item))
            yield from _table(Table(item[:first]), indent)  # a comment before the first key stands above the dash
            lines = list(_table(Table(item[first:]), f"{indent}  ")) or [f"{indent}  {{}}"]
            yield f"{indent}- {lines[0].lstrip()}"
            yield from lines[1:]
        elif not isinstance(item, Items):
            yield f"{indent}- {scalar(item)}"


def _inline(items: Items) -> str | None:
    """Return a list of short scalars in one line, None if it is no such list."""
    parts = []
    for item in items:
        if isinstance(item, Comment | Table | Items):
            return None
        parts.append(scalar(item))
    line = f"[{', '.join(parts)}]"
    return line if len(line) <= _INLINE else None


def _comment(comment: Comment, indent: str) -> Iterator[str]:
    for line in comment.text.splitlines() or [""]:
        lead = f"{indent}# "
        yield from textwrap.wrap(
            line, _WIDTH, initial_indent=lead, subsequent_indent=lead, break_long_words=False, break_on_hyphens=False
        ) or [lead.rstrip()]

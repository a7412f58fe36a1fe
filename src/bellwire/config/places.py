"""Where each value of the configuration came from, so that every fault can say so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bellwire.errors import ConfigError, Fault

Loc: TypeAlias = tuple[str | int, ...]
"""The way to a value from the root: keys and indices, as in pydantic's errors."""

_WORD = re.compile(r"[\w-]+")


def path_text(loc: Loc) -> str:
    """Return ``loc`` as people write it: ``accounts[1].labels["a b"]``."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _WORD.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a value or key begins, from 1.

    ``text_column`` is where the characters of a text begin, behind its quote, if the file holds them as they are. A text of
    several lines that the file holds as they are (after ``|``) begins in ``text_line``, each line in ``text_column``.
    """

    file: str
    line: int
    column: int
    text_column: int | None = None
    text_line: int | None = None


@dataclass(kw_only=True, slots=True)
class Document:
    """The configuration as it was read, before it is a `Config`, with the place of everything in it.

    ``data`` is what YAML says, and what was replaced since. ``texts`` are scalars as they were written, and
    ``interpolated`` those into which an environment variable went. ``broken`` are places where a fault was reported and
    something stands in for the value, so that nothing more is said about them. ``renamed`` leads from a secret to the
    key that named its file. ``unset`` are the faults of values that name environment variables which are not set.
    ``unread`` says of secrets that nobody asked for why they cannot be read. Its ``repr`` shows no value.
    """

    file: str
    data: Any = field(default=None, repr=False)
    keys: dict[Loc, Place] = field(default_factory=dict, repr=False)
    values: dict[Loc, Place] = field(default_factory=dict, repr=False)
    texts: dict[Loc, str] = field(default_factory=dict, repr=False)
    interpolated: set[Loc] = field(default_factory=set, repr=False)
    renamed: dict[Loc, Loc] = field(default_factory=dict, repr=False)
    broken: set[Loc] = field(default_factory=set, repr=False)
    faults: list[Fault] = field(default_factory=list)
    unset: dict[Loc, list[Fault]] = field(default_factory=dict)
    unread: list[Fault] = field(default_factory=list)

    def report(
        self, loc: Loc, message: str, *, offset: int | None = None, key: bool = False, quote: bool = False
    ) -> None:
        """Note a fault of the value at ``loc`` (or of its key), ``offset`` characters into it if that can be told.

        ``quote`` shows the value, too: for rules, never for what may hold a secret.
        """
        loc = self._as_written(loc)
        place = self._place(loc, key=key)
        text = self.texts.get(loc, "")
        if offset is not None and text.endswith("\n"):
            offset = min(offset, len(text.rstrip("\n")))  # a block ends with its last line, not after it
        line, column = place.line, place.column
        if offset is not None and place.text_column is not None:
            before = text[:offset] if place.text_line is not None else ""
            line = (place.text_line or line) + before.count("\n")
            column = place.text_column + offset - (before.rfind("\n") + 1)
        quoted = quote and offset is not None and loc not in self.interpolated
        excerpt, shown_at = _line_of(text, offset or 0) if quoted else ("", 0)
        self.faults.append(
            Fault(
                file=place.file,
                line=line,
                column=column,
                path=path_text(loc),
                message=message,
                excerpt=excerpt if excerpt.isprintable() else "",
                offset=shown_at,
            )
        )

    def leave_unread(self, loc: Loc, message: str) -> None:
        """Note why the secret at ``loc`` cannot be read, which is no fault for whoever does not need it."""
        self.report(loc, message)
        self.unread.append(self.faults.pop())

    def leave_unset(self, loc: Loc) -> None:
        """Take it for no fault that the secret at ``loc`` names variables which are not set: nobody needs it."""
        for fault in self.unset.pop(loc):
            self.faults.remove(fault)
            self.unread.append(fault)

    def is_broken(self, loc: Loc) -> bool:
        """Return whether the value at ``loc``, or one that holds it, was already reported."""
        return any(loc[:length] in self.broken for length in range(len(loc) + 1))

    def at(self, loc: Loc) -> Any:
        """Return the value at ``loc``; KeyError, IndexError or TypeError if there is none."""
        value = self.data
        for part in loc:
            value = value[part]
        return value

    def error(self) -> ConfigError:
        """Return all faults in the order of the file, each once; those of environment variables come last."""
        ordered = sorted(set(self.faults), key=lambda fault: (fault.file != self.file, fault.file, *_order(fault)))
        return ConfigError(ordered)

    def _as_written(self, loc: Loc) -> Loc:
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.renamed:
                return self.renamed[loc[:length]] + loc[length:]
        return loc

    def _place(self, loc: Loc, *, key: bool) -> Place:
        if key and loc in self.keys:
            return self.keys[loc]
        for length in range(len(loc), -1, -1):
            place = self.values.get(loc[:length])
            if place:
                return place if length == len(loc) else Place(file=place.file, line=place.line, column=place.column)
        return Place(file=self.file, line=1, column=1)


def _line_of(text: str, offset: int) -> tuple[str, int]:
    """Return the line that ``offset`` is in, and where in that line."""
    start = text.rfind("\n", 0, offset) + 1
    return text[start:].partition("\n")[0], offset - start


def _order(fault: Fault) -> tuple[int, int, str, str]:
    return fault.line, fault.column, fault.path, fault.message

"""The configuration that is read: every value knows its line, and what nobody asked for is not forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from bellwire.config.document import parse
from bellwire.config.duration import format_duration, parse_duration
from bellwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.places import Document, Loc

_DOLLARS = re.compile(r"\$(?=[${])")
_YEARS = re.compile(r"(\d+)y")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file, whatever it is. Whoever asks for a type that it is not gets a `ConfigError`."""

    document: Document
    loc: Loc
    value: Any = field(repr=False)
    _asked: set[str] = field(default_factory=set)

    @property
    def line(self) -> int:
        """Return the line that the value, or its key, begins in."""
        place = self.document.keys.get(self.loc) or self.document.values[self.loc]
        return place.line

    @property
    def text(self) -> str:
        """Return a scalar as it was written."""
        if isinstance(self.value, dict | list) or self.value is None:
            self.refuse("must be text")
        return self.document.texts.get(self.loc, str(self.value))

    @property
    def flag(self) -> bool:
        """Return a switch; ``yes`` and ``on`` are what they were in older YAML."""
        if self.text.lower() in {"true", "yes", "on"}:
            return True
        if self.text.lower() not in {"false", "no", "off"}:
            self.refuse("must be true or false")
        return False

    @property
    def duration(self) -> str:
        """Return a duration as ours are written: a year is 365 days, a bare 0 is 0s."""
        text = _YEARS.sub(lambda found: f"{int(found[1]) * 365}d", self.text)
        try:
            return format_duration(parse_duration("0s" if text == "0" else text))
        except ValueError as error:
            self.refuse(str(error))

    @property
    def has_template(self) -> bool:
        """Whether it is a text of Go's templates, or would be one of ours."""
        return isinstance(self.value, str) and ("{{" in self.value or "{%" in self.value or "{#" in self.value)

    def items(self) -> list[Node]:
        """Return the items of a list; a value alone is a list of one nowhere."""
        if not isinstance(self.value, list):
            self.refuse("must be a list")
        return [Node(self.document, (*self.loc, at), each) for at, each in enumerate(self.value)]

    def pairs(self) -> list[tuple[str, Node]]:
        """Return all keys with their values."""
        if not isinstance(self.value, dict):
            self.refuse("must be a mapping")
        return [(key, Node(self.document, (*self.loc, key), each)) for key, each in self.value.items()]

    def get(self, key: str) -> Node | None:
        """Return the value of a key, None if there is none or if it is null."""
        if not isinstance(self.value, dict):
            self.refuse("must be a mapping")
        self._asked.add(key)
        value = self.value.get(key)
        return None if value is None else Node(self.document, (*self.loc, key), value)

    def list(self, key: str) -> list[Node]:
        """Return the items of the list under a key, none if there is no such key."""
        found = self.get(key)
        return found.items() if found else []

    def rest(self) -> Iterator[tuple[str, Node]]:
        """Yield the keys that nobody asked for."""
        return ((key, node) for key, node in self.pairs() if key not in self._asked)

    def refuse(self, message: str) -> NoReturn:
        """Raise a `ConfigError` with this place."""
        self.document.report(self.loc, message)
        raise self.document.error()


def read(text: str, file: str) -> Node:
    """Return the document in ``text``. Raises `ConfigError` with file, line and column if it is no YAML."""
    document = parse(_DOLLARS.sub("$$", text), file, {})  # there are no references to variables in these files
    if document.faults:
        raise ConfigError(list(document.error().faults))
    return Node(document, (), document.data)

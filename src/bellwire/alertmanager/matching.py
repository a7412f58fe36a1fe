"""Matchers in Alertmanager's three spellings, as ours are written: a list of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.alertmanager.yaml_out import Items
from bellwire.errors import MatcherError
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import Matcher, matcher

if TYPE_CHECKING:
    from bellwire.alertmanager.source import Node


class Seen:
    """What the matchers of a whole file look at: told of at its top where Bellwire's alerts have no such thing."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.severities: dict[str, None] = {}

    def note(self, one: Matcher) -> None:
        """Remember a matcher."""
        self.names[one.name] = None
        if one.name == "severity":
            self.severities[one.value] = None


def matchers_of(node: Node, seen: Seen, prefix: str = "") -> Items:
    """Return the matchers under ``match``, ``match_re`` and ``matchers``, each name behind ``prefix``."""
    found = Items()
    for key, op in (("match", "="), ("match_re", "=~")):
        group = node.get(prefix + key)
        for name, value in group.pairs() if group else []:
            try:
                one = matcher(name, op, value.text)
            except MatcherError as error:
                value.refuse(str(error))
            seen.note(one)
            found.append(_spaced(one))
    for entry in node.list(f"{prefix}matchers"):
        try:
            every = parse_matchers(entry.text)
        except MatcherError as error:
            entry.document.report(entry.loc, str(error), offset=error.offset)
            raise entry.document.error() from None
        for one in every:
            seen.note(one)
        found.append(_spaced(every[0]) if len(every) == 1 else entry.text)
    return found


def _spaced(one: Matcher) -> str:
    """Return a matcher with room around its operator, where its name allows it."""
    return str(one).replace(one.op, f" {one.op} ", 1) if one.name.isidentifier() else str(one)

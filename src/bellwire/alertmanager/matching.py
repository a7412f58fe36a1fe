"""Matchers in Alertmanager's three spellings, as ours are written: a list of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.alertmanager.yaml_out import Comment, Items
from bellwire.errors import BellwireError, MatcherError
from bellwire.routing.matcher_parser import parse_matchers, parse_to_the_letter
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


class UntranslatableError(BellwireError):
    """Matchers hold one that cannot be told in ours: what they narrow would be broader without it."""


def matchers_of(node: Node, seen: Seen, prefix: str = "") -> Items:
    """Return the matchers under ``match``, ``match_re`` and ``matchers``, each name behind ``prefix``.

    Raises `UntranslatableError`.
    """
    found = Items()
    for key, op in (("match", "="), ("match_re", "=~")):
        group = node.get(prefix + key)
        for name, value in group.pairs() if group else []:
            try:
                one = matcher(name, op, _text(value))
            except MatcherError as error:
                raise _untranslatable(value, f"{name}: {_text(value)}", error) from None
            seen.note(one)
            found.append(_spaced(one))
    for entry in node.list(f"{prefix}matchers"):
        found += _entry(entry, seen)
    return found


def _entry(entry: Node, seen: Seen) -> Items:
    """Return what one text says: as it is if it holds several matchers, and to the letter where nobody means what it says."""
    text, found = _text(entry), Items()
    try:
        every = parse_matchers(text)
    except MatcherError as strange:
        try:
            every = parse_to_the_letter(text)
        except MatcherError:
            raise _untranslatable(entry, text, strange) from None
        found.append(Comment(f"{text} (line {entry.line}) is read to the letter, as Alertmanager does: is that meant?"))
        found += [_spaced(one) for one in every]
    else:
        found.append(_spaced(every[0]) if len(every) == 1 else text)
    for one in every:
        seen.note(one)
    return found


def _text(node: Node) -> str:
    return "" if node.value is None else node.text


def _untranslatable(node: Node, text: str, error: MatcherError) -> UntranslatableError:
    return UntranslatableError(f"{text} (line {node.line}) cannot be taken: {error}")


def _spaced(one: Matcher) -> str:
    """Return a matcher with room around its operator, where its name allows it."""
    return str(one).replace(one.op, f" {one.op} ", 1) if one.name.isidentifier() else str(one)

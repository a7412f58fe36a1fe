"""A matcher: one condition on one named text of an alert, compiled once.

``=`` and ``!=`` compare the text, ``=~`` and ``!~`` match the whole of it against a regular expression. ``<``, ``<=``,
``>`` and ``>=`` compare by rank for ``severity``, else by number, and are false where either side is none.
"""

from __future__ import annotations

import enum
import operator
import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from bellwire.errors import MatcherError
from bellwire.model import Severity
from bellwire.routing.readers import PAYLOAD, reader
from bellwire.routing.regex import full_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bellwire.model import Alert
    from bellwire.routing.readers import Reader
    from bellwire.routing.regex import Test


class Op(enum.StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


# Prometheus calls these reserved; "<" and ">" are ours. The spaces are those of Unicode's White_Space.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
RESERVED = frozenset("{}!=~,\\\"'`<>" + SPACES)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition. Equal to another if name, operator and value are; make it with `matcher`.

    ``text`` is its canonical form: `bellwire.routing.matcher_parser.parse_matchers` reads it as this matcher again.
    """

    name: str
    op: Op
    value: str
    text: str = field(compare=False, repr=False)
    read: Reader = field(compare=False, repr=False)
    test: Test = field(compare=False, repr=False)

    def matches(self, alert: Alert) -> bool:
        """Return whether the alert meets the condition."""
        return self.test(self.read(alert))

    def __str__(self) -> str:
        return self.text


def matcher(name: str, op: Op | str, value: str) -> Matcher:
    """Compile a matcher. Raises `MatcherError`, its offset within ``value``."""
    op = Op(op)
    check_name(name)
    if not _is_text(value):
        msg = "the value is no valid Unicode text"
        raise MatcherError(msg)
    return Matcher(name, op, value, f"{_print_name(name)}{op}{_quote(value)}", reader(name), _TESTS[op](name, value))


def all_match(matchers: Iterable[Matcher], alert: Alert) -> bool:
    """Return whether the alert meets every condition; of none at all, it does."""
    return all(one.test(one.read(alert)) for one in matchers)


def check_silence(matchers: Iterable[Matcher]) -> None:
    """Raise `MatcherError` if these would silence alerts that have nothing of what they name; Alertmanager refuses that, too."""
    if all(one.test("") for one in matchers):
        msg = (
            "a silence needs a matcher that the empty text does not match, else it takes whatever has no such label: "
            'add one, such as type="alert"'
        )
        raise MatcherError(msg)


def check_name(name: str) -> None:
    """Raise `MatcherError` if nothing can bear this name."""
    if not name:
        msg = "a matcher needs a name"
        raise MatcherError(msg)
    if name == PAYLOAD:
        msg = "payload. names no field: write payload.FIELD"
        raise MatcherError(msg)
    if not _is_text(name):
        msg = "the name is no valid Unicode text"
        raise MatcherError(msg)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- printing ------------------------------------------------------------------------------------------------------


def _print_name(name: str) -> str:
    return _quote(name) if RESERVED.intersection(name) else name


def _quote(text: str) -> str:
    """Quote with the three escapes that both of Alertmanager's grammars read alike."""
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


# --- comparing -----------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


def number(text: str) -> float | None:
    """Return the decimal number that ``text`` spells, None if it is none (``nan``, ``inf`` and ``0x1`` are none)."""
    return _short_number(text) if len(text) <= _SHORT else _number(text)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


_SHORT = 32
_short_number = lru_cache(maxsize=256)(_number)  # routes compare the same few texts again and again


def _not_full_match(pattern: str) -> Test:
    test = full_match(pattern)
    return lambda text: not test(text)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[str, str], Test]:
    def compile_test(name: str, value: str) -> Test:
        return _by_rank(compare, value) if name == "severity" else _by_number(compare, value)

    return compile_test


def _by_rank(compare: Callable[[float, float], bool], value: str) -> Test:
    bound = Severity.of(value)
    if bound is None:
        msg = f"{value!r} is no severity: write one of {', '.join(one.text for one in Severity)}"
        raise MatcherError(msg)
    passing = frozenset(one.name for one in Severity if compare(one, bound))
    return lambda text: text.upper() in passing


def _by_number(compare: Callable[[float, float], bool], value: str) -> Test:
    bound = number(value)
    if bound is None:
        return lambda _: False

    def test(text: str) -> bool:
        met = number(text)
        return met is not None and compare(met, bound)

    return test


_TESTS: dict[Op, Callable[[str, str], Test]] = {
    Op.EQUAL: lambda _, value: partial(operator.eq, value),
    Op.NOT_EQUAL: lambda _, value: partial(operator.ne, value),
    Op.MATCHES: lambda _, value: full_match(value),
    Op.NOT_MATCHES: lambda _, value: _not_full_match(value),
    Op.LESS: _ordered(operator.lt),
    Op.LESS_OR_EQUAL: _ordered(operator.le),
    Op.GREATER: _ordered(operator.gt),
    Op.GREATER_OR_EQUAL: _ordered(operator.ge),
}

"""What can be told of matchers without an alert: whether some can hold at once, and what they imply.

Only what is certain is told. Two regular expressions may exclude each other, and nothing here will say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bellwire.model import Severity
from bellwire.routing.matchers import Op, number
from bellwire.routing.regex import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bellwire.routing.matchers import Matcher

SEVERITIES = frozenset(one.text for one in Severity)
"""All values of the label ``severity``."""

_ORDERED = frozenset({Op.LESS, Op.LESS_OR_EQUAL, Op.GREATER, Op.GREATER_OR_EQUAL})


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """Some matchers that must all hold, by the name that they look at."""

    by_name: Mapping[str, tuple[Matcher, ...]]

    @classmethod
    def of(cls, matchers: Iterable[Matcher]) -> Condition:
        """Return the condition that all of ``matchers`` hold."""
        by_name: dict[str, tuple[Matcher, ...]] = {}
        for one in matchers:
            by_name[one.name] = (*by_name.get(one.name, ()), one)
        return cls(by_name=by_name)

    def values(self, name: str) -> frozenset[str] | None:
        """Return the only values that ``name`` may have, None if they cannot be counted."""
        matchers = self.by_name.get(name, ())
        listed = [values for one in matchers if (values := _listed(one)) is not None]
        if name == "severity":
            listed.append(SEVERITIES)
        if not listed:
            return None
        return frozenset(value for value in frozenset.intersection(*listed) if _all_hold(matchers, value))

    def conflict(self) -> tuple[Matcher, ...]:
        """Return matchers on one name that no value meets at once; none if there may be an alert that meets all."""
        for name, matchers in self.by_name.items():
            values = self.values(name)
            if values is not None:
                if not values:
                    return _culprits(name, matchers)
            elif _Range.of(matchers).empty:
                return tuple(one for one in matchers if one.op in _ORDERED)
            elif pair := _contradiction(matchers):
                return pair
        return ()

    def implies(self, other: Matcher) -> bool:
        """Return whether each alert that meets this condition surely meets ``other``."""
        matchers = self.by_name.get(other.name, ())
        if other in matchers:
            return True
        values = self.values(other.name)
        if values is not None:
            return all(other.test(value) for value in values)
        refused = _refused(other)
        if refused is not None:
            return all(not _all_hold(matchers, value) for value in refused)
        return other.op in _ORDERED and _Range.of(matchers).within(_Range.of((other,)))


def _contradiction(matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """Return an expression that one of the matchers asks for and another excludes, nothing if there is none."""
    asked = {one.value: one for one in matchers if one.op is Op.MATCHES}
    return next(((asked[one.value], one) for one in matchers if one.op is Op.NOT_MATCHES and one.value in asked), ())


def _listed(one: Matcher) -> frozenset[str] | None:
    """Return all values that a matcher lets through, if they can be counted."""
    if one.op is Op.EQUAL:
        return frozenset({one.value})
    return words_of(one.value) if one.op is Op.MATCHES else None


def _refused(one: Matcher) -> frozenset[str] | None:
    """Return all values that a matcher does not let through, if they can be counted."""
    if one.op is Op.NOT_EQUAL:
        return frozenset({one.value})
    return words_of(one.value) if one.op is Op.NOT_MATCHES else None


def _all_hold(matchers: Iterable[Matcher], value: str) -> bool:
    return all(one.test(value) for one in matchers)


def _culprits(name: str, matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """Return the fewest of ``matchers`` that show the conflict: one, else a pair, else all."""
    fewest = [(one,) for one in matchers] + [(a, b) for at, a in enumerate(matchers) for b in matchers[at + 1 :]]
    return next((some for some in fewest if not Condition.of(some).values(name) and _counted(some)), matchers)


def _counted(some: tuple[Matcher, ...]) -> bool:
    return Condition.of(some).values(some[0].name) is not None


class _Range(NamedTuple):
    """Numbers between two bounds; an open bound is not one of them. ``bounded`` is False if every text will do."""

    low: float = -math.inf
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False
    bounded: bool = False

    @classmethod
    def of(cls, matchers: Iterable[Matcher]) -> _Range:
        found = cls()
        for one in matchers:
            if one.op not in _ORDERED or one.name == "severity":
                continue
            bound, is_open = number(one.value), one.op in {Op.LESS, Op.GREATER}
            if bound is None:  # such a matcher holds for nothing
                return cls(low=math.inf, high=-math.inf, bounded=True)
            found = (
                found._below(bound, is_open) if one.op in {Op.LESS, Op.LESS_OR_EQUAL} else found._above(bound, is_open)
            )
        return found

    def _below(self, bound: float, is_open: bool) -> _Range:  # noqa: FBT001 - one of its fields
        if bound < self.high or (bound == self.high and is_open):
            return self._replace(high=bound, high_open=is_open, bounded=True)
        return self._replace(bounded=True)

    def _above(self, bound: float, is_open: bool) -> _Range:  # noqa: FBT001 - one of its fields
        if bound > self.low or (bound == self.low and is_open):
            return self._replace(low=bound, low_open=is_open, bounded=True)
        return self._replace(bounded=True)

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def within(self, other: _Range) -> bool:
        """Return whether this is a part of ``other``."""
        if not self.bounded:
            return False
        above = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        below = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return above and below

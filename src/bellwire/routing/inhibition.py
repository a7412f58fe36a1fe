"""Inhibition: while one alert casts its shadow, alerts that are less of a problem beside it are suppressed.

As in Alertmanager, an alert that matches both sides of a rule is not inhibited by one for which the same is true (so
that two outages do not hide each other), while one that matches the target side alone is inhibited by either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bellwire.routing.groups import keyer
from bellwire.routing.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bellwire.model import Alert
    from bellwire.routing.matchers import Matcher


@dataclass(frozen=True, kw_only=True, slots=True)
class InhibitRule:
    """Alerts of ``source`` inhibit those of ``target`` with the same values of ``equal``, for ``duration`` seconds.

    ``path`` is its place, such as ``inhibit_rules[0]``. A missing label is the empty text, on both sides.
    """

    path: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    duration: float = 600.0
    _one_sided: Callable[[Alert], str] = field(init=False, repr=False, compare=False)
    _two_sided: Callable[[Alert], str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # shadows outlive a reload: what the rule says is in the key, so that no other rule at its place inherits them
        says = json.dumps([sorted(one.text for one in side) for side in (self.source, self.target)])
        place = f"{self.path}:{hashlib.sha256(says.encode()).hexdigest()[:12]}"
        object.__setattr__(self, "_one_sided", keyer(f"{place}:source", self.equal))
        object.__setattr__(self, "_two_sided", keyer(f"{place}:both", self.equal))

    def shadow(self, alert: Alert) -> str | None:
        """Return the key of the shadow that the alert casts, None if it casts none."""
        if not all_match(self.source, alert):
            return None
        return self._two_sided(alert) if all_match(self.target, alert) else self._one_sided(alert)

    def shadows_over(self, alert: Alert) -> tuple[str, ...]:
        """Return the keys of the shadows that inhibit the alert."""
        if not all_match(self.target, alert):
            return ()
        one_sided = self._one_sided(alert)
        return (one_sided,) if all_match(self.source, alert) else (one_sided, self._two_sided(alert))


def casts(rules: Iterable[InhibitRule], alert: Alert) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...]]:
    """Return the key of each shadow that the alert casts and for how many seconds, and what is wrong with rules that raised."""
    found, errors = [], []
    for rule in rules:
        try:
            key = rule.shadow(alert)
        except Exception as error:  # noqa: BLE001 -- the promise: whatever is wrong with a rule, the alert goes on
            errors.append(_raised(rule, error))
            continue
        if key is not None:
            found.append((key, rule.duration))
    return tuple(found), tuple(errors)


def falls_under(rules: Iterable[InhibitRule], alert: Alert) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys of all shadows of which any one inhibits the alert, and what is wrong with rules that raised."""
    found: list[str] = []
    errors = []
    for rule in rules:
        try:
            found += rule.shadows_over(alert)
        except Exception as error:  # noqa: BLE001 -- as above
            errors.append(_raised(rule, error))
    return tuple(found), tuple(errors)


def _raised(rule: InhibitRule, error: Exception) -> str:
    return f"{rule.path} raised {type(error).__name__}"

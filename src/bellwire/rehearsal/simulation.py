"""The alerts of the past run through other rules, and what that would change.

Compared are the receivers that an alert was routed to when it came and those that the other rules name, each with what its
route's windows and digest make of that moment. What depends on more than the alert and the time is not simulated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bellwire.model import Suppression
from bellwire.rehearsal.standing import Passage, passage_of
from bellwire.routing.rules import route

if TYPE_CHECKING:
    from bellwire.model import Alert, Decision
    from bellwire.routing.rules import Rules

Fate: TypeAlias = tuple[str, ...]
"""The receivers that hear of an alert, ``name (held)`` where it waits first; empty if there are none."""

NOT_SIMULATED = (
    "silences, inhibition and repeats: what people and other alerts did",
    "groups and rate limits: when a message goes out, and which alerts it names",
    "labels that label_rules set when an alert came: it keeps them, and the new rules are applied on top",
)

SAMPLES = 3
_LEFT_OUT = frozenset({Suppression.CATCH_UP, Suppression.BEFORE_FIRST_START})
_WORDS = {Passage.HELD: "held", Passage.COLLECTED: "digest"}


@dataclass(kw_only=True, slots=True)
class Change:
    """Alerts whose fate changes in the same way; ``samples`` are the first of them."""

    before: Fate
    after: Fate
    number: int = 0
    samples: list[Alert] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether nobody would hear of them any more."""
        return bool(self.before) and not self.after


class Simulation:
    """Adds alerts up. Its memory is bounded by how many fates there are, not by how many alerts."""

    def __init__(self, before: Rules, after: Rules) -> None:
        self._before = before
        self._after = after
        self._changes: dict[tuple[Fate, Fate], Change] = {}
        self.unchanged = 0
        self.left_out = 0
        self.errors: Counter[str] = Counter()

    def add(self, alert: Alert, decided: Decision) -> None:
        """Run one alert, with what was decided for it, through the other rules."""
        if decided.suppressed in _LEFT_OUT:  # a matter of its account's catch-up, not of the rules
            self.left_out += 1
            return
        routed, decision = route(alert, self._after)
        self.errors.update(decision.errors)
        before = _fate(self._before, alert, decided)
        after = _fate(self._after, routed, decision)
        if before == after:
            self.unchanged += 1
            return
        change = self._changes.setdefault((before, after), Change(before=before, after=after))
        change.number += 1
        if len(change.samples) < SAMPLES:
            change.samples.append(alert)

    @property
    def changes(self) -> list[Change]:
        """Return what changes: first what nobody would hear of, then the most frequent."""
        return sorted(self._changes.values(), key=lambda each: (not each.lost, -each.number, each.before, each.after))


def _fate(rules: Rules, alert: Alert, decision: Decision) -> Fate:
    heard = []
    for each in decision.destinations:
        passage = passage_of(rules, each, alert.received_at)
        if passage is not Passage.MUTED:
            heard.append(f"{each.receiver} ({_WORDS[passage]})" if passage in _WORDS else each.receiver)
    return tuple(sorted(heard))

"""The whole of what a configuration says about where alerts go, and the one function that applies it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

from bellwire.routing import labels
from bellwire.routing.intervals import Calendar
from bellwire.routing.tree import decide

if TYPE_CHECKING:
    from datetime import tzinfo

    from bellwire.model import Alert, Decision
    from bellwire.routing.inhibition import InhibitRule
    from bellwire.routing.labels import LabelRule
    from bellwire.routing.tree import Route


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Compiled rules; see `bellwire.config.rules.compile_rules`. ``zone`` is the wall that digests go by."""

    root: Route
    label_rules: tuple[LabelRule, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)
    zone: tzinfo = UTC


def route(alert: Alert, rules: Rules) -> tuple[Alert, Decision]:
    """Label the alert and decide where it goes. Its labels already name its account, api, type and severity."""
    alert, errors = labels.apply(rules.label_rules, alert)
    decision = decide(rules.root, alert)
    return alert, replace(decision, errors=(*errors, *decision.errors)) if errors else decision

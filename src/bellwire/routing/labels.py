"""Label rules: labels that are set on an alert before it is routed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bellwire.model import Severity
from bellwire.routing.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bellwire.model import Alert
    from bellwire.routing.matchers import Matcher


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelRule:
    """Labels for alerts that all of the matchers match. ``path`` is its place, such as ``label_rules[0]``."""

    path: str
    matchers: tuple[Matcher, ...]
    labels: Mapping[str, str]


def apply(rules: Iterable[LabelRule], alert: Alert) -> tuple[Alert, tuple[str, ...]]:
    """Apply the rules in order, each seeing what those before it set; return the alert and what went wrong.

    The label ``severity`` and the alert's severity change together. A rule that raises is left out.
    """
    errors = []
    for rule in rules:
        try:
            if all_match(rule.matchers, alert):
                alert = _relabel(alert, rule.labels)
        except Exception as error:  # noqa: BLE001 -- the promise: whatever is wrong with a rule, the alert goes on
            errors.append(f"{rule.path} raised {type(error).__name__}")
    return alert, tuple(errors)


def _relabel(alert: Alert, labels: Mapping[str, str]) -> Alert:
    severity = Severity.of(labels.get("severity", "")) or alert.severity
    return replace(alert, labels={**alert.labels, **labels}, severity=severity)

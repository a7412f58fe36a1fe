"""Inhibition that can never come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding
from bellwire.config.rules import compile_matchers
from bellwire.routing.conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config, InhibitRule


def check_inhibition(config: Config) -> Iterator[Finding]:
    """Yield the rules that suppress nothing."""
    for at, rule in enumerate(config.inhibit_rules):
        problem = _problem(rule)
        if problem:
            yield Finding(("inhibit_rules", at), problem)


def _problem(rule: InhibitRule) -> str | None:
    source, target = compile_matchers(rule.source_matchers), compile_matchers(rule.target_matchers)
    for what, matchers in (("source_matchers", source), ("target_matchers", target)):
        conflict = Condition.of(matchers).conflict()
        if conflict:
            return f"can never apply: nothing meets {' and '.join(map(str, conflict))} in {what}"
    for name in rule.equal:
        both = [one for one in (*source, *target) if one.name == name]
        if Condition.of(both).conflict():
            return f"can never apply: source and target cannot be equal in {name}, by their own matchers"
    return None

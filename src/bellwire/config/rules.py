"""From the configuration's rules to compiled ones, with all that is wrong in them at once."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from bellwire.config.rule_faults import FaultList, RuleFaults
from bellwire.config.rule_matchers import check_mentions, compile_inhibit_rule, compile_label_rule, compile_matchers
from bellwire.config.rule_times import compile_calendar, find_zone
from bellwire.config.rule_tree import TreeCompiler
from bellwire.routing.rules import Rules

if TYPE_CHECKING:
    from bellwire.config.schema import Config

__all__ = ["RuleFaults", "compile_matchers", "compile_rules"]


def compile_rules(config: Config) -> Rules:
    """Compile everything that matches, routes or tells the time; raises `RuleFaults`."""
    faults = FaultList()
    calendar = compile_calendar(faults, config)
    labels = [compile_label_rule(faults, ("label_rules", at), rule) for at, rule in enumerate(config.label_rules)]
    receivers = [receiver.name for receiver in config.receivers]
    root = TreeCompiler(faults, receivers, calendar.intervals).root(config.route)
    check_mentions(faults, config)
    inhibit = [
        compile_inhibit_rule(faults, ("inhibit_rules", at), rule) for at, rule in enumerate(config.inhibit_rules)
    ]
    if faults.found:
        raise RuleFaults(faults.found)
    return Rules(
        root=root,
        label_rules=tuple(labels),
        inhibit_rules=tuple(inhibit),
        calendar=calendar,
        zone=find_zone(config.global_.timezone) or UTC,
    )

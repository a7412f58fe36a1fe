"""Matchers of every part of a configuration, label rules and inhibit rules, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.check_accounts import own_text
from bellwire.config.rule_faults import dotted
from bellwire.errors import MatcherError
from bellwire.model import Severity
from bellwire.routing.inhibition import InhibitRule
from bellwire.routing.labels import LabelRule
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import matcher
from bellwire.routing.readers import FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.config.rule_faults import FaultList, Loc
    from bellwire.config.schema import Config, MatcherConfig
    from bellwire.config.schema import InhibitRule as InhibitRuleConfig
    from bellwire.config.schema import LabelRule as LabelRuleConfig
    from bellwire.routing.matchers import Matcher


def compile_matchers(entries: Sequence[str | MatcherConfig]) -> tuple[Matcher, ...]:
    """Compile a list of matchers as a configuration gives it; raises `MatcherError` at the first that is wrong."""
    return tuple(one for entry in entries for one in _compile_entry(entry))


def gather_matchers(faults: FaultList, loc: Loc, entries: Sequence[str | MatcherConfig]) -> tuple[Matcher, ...]:
    """Compile a list of matchers, and note all that is wrong in it."""
    compiled: list[Matcher] = []
    for at, entry in enumerate(entries):
        try:
            compiled += _compile_entry(entry)
        except MatcherError as fault:
            part: Loc = () if isinstance(entry, str) else ("value",)
            faults.add((*loc, at, *part), str(fault), fault.offset)
    return tuple(compiled)


def _compile_entry(entry: str | MatcherConfig) -> tuple[Matcher, ...]:
    return parse_matchers(entry) if isinstance(entry, str) else (matcher(entry.name, entry.op, entry.value),)


def compile_label_rule(faults: FaultList, loc: Loc, rule: LabelRuleConfig) -> LabelRule:
    """Compile a label rule, and note all that is wrong in it."""
    labels = dict(rule.labels)
    if "" in labels:
        faults.add((*loc, "labels"), "a label needs a name")
    for name in sorted(labels.keys() & FIELDS):
        faults.add((*loc, "labels", name), own_text(name))
    if "severity" in labels:
        severity = Severity.of(labels["severity"])
        if severity is None:
            known = ", ".join(one.text for one in Severity)
            faults.add((*loc, "labels", "severity"), f"{labels['severity']!r} is no severity: write one of {known}")
        else:
            labels["severity"] = severity.text
    matchers = gather_matchers(faults, (*loc, "matchers"), rule.matchers)
    return LabelRule(path=dotted(loc), matchers=matchers, labels=labels)


def compile_inhibit_rule(faults: FaultList, loc: Loc, rule: InhibitRuleConfig) -> InhibitRule:
    """Compile an inhibit rule, and note all that is wrong in it."""
    faults.check_labels((*loc, "equal"), rule.equal)
    return InhibitRule(
        path=dotted(loc),
        source=gather_matchers(faults, (*loc, "source_matchers"), rule.source_matchers),
        target=gather_matchers(faults, (*loc, "target_matchers"), rule.target_matchers),
        equal=tuple(rule.equal),
        duration=rule.duration.total_seconds(),
    )


def check_mentions(faults: FaultList, config: Config) -> None:
    """Note what is wrong in the matchers of Slack's mentions, which the channel compiles for itself."""
    for at, receiver in enumerate(config.receivers):
        for slack_at, slack in enumerate(receiver.slack_configs):
            for mention_at, mention in enumerate(slack.mention):
                loc = ("receivers", at, "slack_configs", slack_at, "mention", mention_at, "matchers")
                gather_matchers(faults, loc, mention.matchers)

"""From the configuration's rules to compiled ones, with all that is wrong in them at once."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeAlias

from bellwire.errors import BellwireError, MatcherError
from bellwire.model import Grouping, Severity
from bellwire.routing.labels import LabelRule
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import matcher
from bellwire.routing.rules import Rules
from bellwire.routing.tree import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.config.schema import Config, MatcherConfig, RouteConfig
    from bellwire.config.schema import LabelRule as LabelRuleConfig
    from bellwire.routing.matchers import Matcher

Loc: TypeAlias = tuple[str | int, ...]
"""The keys and indexes, as written in the file, that lead to a value."""

RuleFault: TypeAlias = tuple[Loc, str, int]
"""Where, what is wrong, and the offset in characters within the text at that place."""

ALONE = "..."


class RuleFaults(BellwireError):  # noqa: N818 -- it is the list of faults, as ConfigError is made from it
    """Rules that cannot be used; ``faults`` names all that is wrong, in the order of the file."""

    def __init__(self, faults: list[RuleFault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{_dotted(loc)}: {message}" for loc, message, _ in faults))


def compile_rules(config: Config) -> Rules:
    """Compile everything that matches or routes; raises `RuleFaults`."""
    compiler = _Compiler([receiver.name for receiver in config.receivers])
    label_rules = [compiler.label_rule(("label_rules", at), rule) for at, rule in enumerate(config.label_rules)]
    root = compiler.root(config.route)
    for at, receiver in enumerate(config.receivers):
        for slack_at, slack in enumerate(receiver.slack_configs):
            for mention_at, mention in enumerate(slack.mention):
                loc = ("receivers", at, "slack_configs", slack_at, "mention", mention_at, "matchers")
                compiler.matchers(loc, mention.matchers)
    if compiler.faults:
        raise RuleFaults(compiler.faults)
    return Rules(root=root, label_rules=tuple(label_rules))


def compile_matchers(entries: Sequence[str | MatcherConfig]) -> tuple[Matcher, ...]:
    """Compile a list of matchers as a configuration gives it; raises `MatcherError` at the first that is wrong."""
    return tuple(one for entry in entries for one in _compile_entry(entry))


def _compile_entry(entry: str | MatcherConfig) -> tuple[Matcher, ...]:
    return parse_matchers(entry) if isinstance(entry, str) else (matcher(entry.name, entry.op, entry.value),)


class _Compiler:
    """Compiles part by part and gathers what is wrong."""

    def __init__(self, receivers: list[str]) -> None:
        self.faults: list[RuleFault] = []
        self._receivers = receivers

    def matchers(self, loc: Loc, entries: Sequence[str | MatcherConfig]) -> tuple[Matcher, ...]:
        compiled: list[Matcher] = []
        for at, entry in enumerate(entries):
            try:
                compiled += _compile_entry(entry)
            except MatcherError as fault:
                part: Loc = () if isinstance(entry, str) else ("value",)
                self._fault((*loc, at, *part), str(fault), fault.offset)
        return tuple(compiled)

    def label_rule(self, loc: Loc, rule: LabelRuleConfig) -> LabelRule:
        labels = dict(rule.labels)
        if "" in labels:
            self._fault((*loc, "labels"), "a label needs a name")
        if "severity" in labels:
            severity = Severity.of(labels["severity"])
            if severity is None:
                known = ", ".join(one.text for one in Severity)
                self._fault(
                    (*loc, "labels", "severity"), f"{labels['severity']!r} is no severity: write one of {known}"
                )
            else:
                labels["severity"] = severity.text
        return LabelRule(path=_dotted(loc), matchers=self.matchers((*loc, "matchers"), rule.matchers), labels=labels)

    def root(self, config: RouteConfig) -> Route:
        loc = ("route",)
        if config.matchers:
            self._fault(
                (*loc, "matchers"), "the root route takes every alert: move the matchers to a route under routes"
            )
        if config.continue_:
            self._fault((*loc, "continue"), "the root route has no siblings to continue with: remove this")
        if config.receiver is None:
            at = "receiver" in config.model_fields_set
            self._fault((*loc, "receiver") if at else loc, "the root route must name a receiver")
        return self._route(loc, config, None)

    def _route(self, loc: Loc, config: RouteConfig, parent: Route | None) -> Route:
        given = config.model_fields_set
        receiver = config.receiver if parent is None or "receiver" in given else parent.receiver
        if config.receiver is not None:
            self._check_receiver((*loc, "receiver"), config.receiver)
        matchers = self.matchers((*loc, "matchers"), config.matchers)
        grouping = self._grouping(loc, config, Grouping() if parent is None else parent.grouping)
        route = Route(
            path=_dotted(loc), receiver=receiver, matchers=matchers, continues=config.continue_, grouping=grouping
        )
        children = tuple(self._route((*loc, "routes", at), child, route) for at, child in enumerate(config.routes))
        return route.with_children(children) if children else route

    def _grouping(self, loc: Loc, config: RouteConfig, inherited: Grouping) -> Grouping:
        given = config.model_fields_set
        by, alone = inherited.by, inherited.alone
        if "group_by" in given:
            by, alone = self._group_by((*loc, "group_by"), config.group_by)
        return Grouping(
            by=by,
            alone=alone,
            wait=config.group_wait.total_seconds() if "group_wait" in given else inherited.wait,
            interval=config.group_interval.total_seconds() if "group_interval" in given else inherited.interval,
        )

    def _group_by(self, loc: Loc, names: list[str]) -> tuple[tuple[str, ...], bool]:
        if ALONE in names:
            if len(names) > 1:
                self._fault(loc, f"'{ALONE}' stands for each alert alone, and has no other name beside it")
            return (), True
        for at, name in enumerate(names):
            if not name:
                self._fault((*loc, at), "a label needs a name")
            elif name in names[:at]:
                self._fault((*loc, at), f"{name!r} stands here twice")
        return tuple(names), False

    def _check_receiver(self, loc: Loc, name: str) -> None:
        if name in self._receivers:
            return
        near = difflib.get_close_matches(name, self._receivers, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "define it under receivers"
        self._fault(loc, f"there is no receiver {name!r}: {hint}")

    def _fault(self, loc: Loc, message: str, offset: int = 0) -> None:
        self.faults.append((loc, message, offset))


def _dotted(loc: Loc) -> str:
    """Write a place as people do: ``route.routes[0].matchers[1]``."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc]
    return "".join(parts).removeprefix(".")

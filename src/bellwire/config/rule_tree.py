"""The routing tree, compiled: what a route does not say it has from its parent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bellwire.config.rule_faults import ALONE, dotted
from bellwire.config.rule_matchers import gather_matchers
from bellwire.errors import CrontabError
from bellwire.model import Grouping, Muting
from bellwire.routing.crontab import parse_crontab
from bellwire.routing.tree import Route, identity_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.config.rule_faults import FaultList, Loc
    from bellwire.config.schema import RouteConfig

_ROOT_HAS_NOT = {
    "matchers": "the root route takes every alert: move the matchers to a route under routes",
    "continue": "the root route has no siblings to continue with: remove this",
    "active_time_intervals": "the root route is never muted: move this to the routes under routes",
    "mute_time_intervals": "the root route is never muted: move this to the routes under routes",
}


class TreeCompiler:
    """Compiles routes, and notes all that is wrong in them. ``receivers`` and ``intervals`` are the names defined."""

    def __init__(self, faults: FaultList, receivers: Collection[str], intervals: Collection[str]) -> None:
        self._faults = faults
        self._receivers = receivers
        self._intervals = intervals

    def root(self, config: RouteConfig) -> Route:
        """Compile the whole tree."""
        loc = ("route",)
        for key, message in _ROOT_HAS_NOT.items():
            if getattr(config, "continue_" if key == "continue" else key):
                self._faults.add((*loc, key), message)
        if config.receiver is None:
            at = "receiver" in config.model_fields_set
            self._faults.add((*loc, "receiver") if at else loc, "the root route must name a receiver")
        above = Route(path="", receiver=None, dedupe_by=tuple(config.dedupe_by))
        return self._route(loc, config, above, Counter())

    def _route(self, loc: Loc, config: RouteConfig, parent: Route, met: Counter[tuple[str, str | None]]) -> Route:
        """Compile a route and what is under it; ``met`` counts its siblings so far that look the same."""
        given = config.model_fields_set
        if config.receiver is not None:
            loc_there = (*loc, "receiver")
            self._faults.check_known(loc_there, config.receiver, self._receivers, what="receiver", key="receivers")
        within = config.suppress_repeats.total_seconds()
        receiver = config.receiver if "receiver" in given else parent.receiver
        matchers = gather_matchers(self._faults, (*loc, "matchers"), config.matchers)
        identity = identity_of(parent.identity, matchers)
        met[identity, receiver] += 1
        number = met[identity, receiver]
        route = Route(
            path=dotted(loc),
            identity=identity if number == 1 else f"{identity}#{number}",
            receiver=receiver,
            matchers=matchers,
            continues=config.continue_,
            grouping=self._grouping(loc, config, parent.grouping),
            muting=self._muting(loc, config, parent.muting),
            repeats_within=within if "suppress_repeats" in given else parent.repeats_within,
            dedupe_by=self._dedupe_by(loc, config) if "dedupe_by" in given else parent.dedupe_by,
            digest=self._digest(loc, config) if "digest" in given else parent.digest,
        )
        below: Counter[tuple[str, str | None]] = Counter()
        children = tuple(
            self._route((*loc, "routes", at), child, route, below) for at, child in enumerate(config.routes)
        )
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
                self._faults.add(loc, f"'{ALONE}' stands for each alert alone, and has no other name beside it")
            return (), True
        self._faults.check_labels(loc, names)
        return tuple(names), False

    def _muting(self, loc: Loc, config: RouteConfig, inherited: Muting) -> Muting:
        given = config.model_fields_set
        active, mute, hold = inherited.active, inherited.mute, inherited.hold
        if "active_time_intervals" in given:
            active = self._interval_names((*loc, "active_time_intervals"), config.active_time_intervals)
        if "mute_time_intervals" in given:
            mute = self._interval_names((*loc, "mute_time_intervals"), config.mute_time_intervals)
        if "muted" in given:
            hold = config.muted == "hold"
        return Muting(active=active, mute=mute, hold=hold)

    def _interval_names(self, loc: Loc, names: Sequence[str]) -> tuple[str, ...]:
        for at, name in enumerate(names):
            place = (*loc, at)
            self._faults.check_known(place, name, self._intervals, what="time interval", key="time_intervals")
        return tuple(dict.fromkeys(names))

    def _dedupe_by(self, loc: Loc, config: RouteConfig) -> tuple[str, ...]:
        self._faults.check_labels((*loc, "dedupe_by"), config.dedupe_by)
        return tuple(config.dedupe_by)

    def _digest(self, loc: Loc, config: RouteConfig) -> str:
        if config.digest is None:
            return ""
        for key in ("group_wait", "group_interval"):
            if key in config.model_fields_set:
                self._faults.add(
                    (*loc, key), "has no effect beside digest, which says when to send: remove one of them"
                )
        try:
            return parse_crontab(config.digest).text
        except CrontabError as fault:
            self._faults.add((*loc, "digest"), str(fault), fault.offset)
            return ""

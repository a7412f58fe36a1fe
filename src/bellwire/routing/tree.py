"""The routing tree: which receivers an alert goes to, by which routes, and what was looked at on the way.

As in Alertmanager: children are tried in order, and the first that matches takes the alert unless it says ``continue``;
a route's own receiver is used only if no child matched. A route whose receiver is None drops what it takes; that counts
only if no other branch names a receiver. An alert goes to a receiver once: the first route wins.
"""

from __future__ import annotations

import hashlib
from dataclasses import field, replace
from typing import TYPE_CHECKING

from bellwire.model import Decision, Destination, Grouping, Muting, Repetition, Suppression
from bellwire.routing.groups import grouper, keyer
from bellwire.routing.steps import SAW_LIMIT, Row, Steps, cut
from bellwire.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bellwire.model import Alert
    from bellwire.routing.matchers import Matcher
    from bellwire.routing.readers import Reader
    from bellwire.routing.regex import Test

_LONGEST_IDENTITY = 100  # characters of one route's matchers


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A node of the tree, inheritance resolved. ``path`` is its place, such as ``route.routes[0]``.

    ``identity`` is what it stays when others are put before it: the matchers on the way to it (see `identity_of`).
    ``repeats_within`` is in seconds, 0 for all repeats to go out; ``digest`` a crontab expression, empty for none.
    """

    path: str
    receiver: str | None
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    grouping: Grouping = field(default_factory=Grouping)
    muting: Muting = field(default_factory=Muting)
    repeats_within: float = 0.0
    dedupe_by: tuple[str, ...] = ()
    digest: str = ""
    children: tuple[Route, ...] = ()
    identity: str = ""
    _checks: tuple[tuple[str, Reader, Test, str], ...] = field(init=False, repr=False, compare=False)
    _destine: Callable[[Alert], Destination] | None = field(init=False, repr=False, compare=False)
    _note: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # what each alert needs is taken apart once: the walk then touches no attribute of a matcher
        checks = tuple((one.name, one.read, one.test, one.text) for one in self.matchers)
        object.__setattr__(self, "_checks", checks)
        object.__setattr__(self, "_destine", None if self.receiver is None else _destiner(self, self.receiver))
        object.__setattr__(self, "_note", "; ".join(_conditions(self)) or None)

    def with_children(self, children: tuple[Route, ...]) -> Route:
        """Return this route with these children; they inherited from it, so it was there before them."""
        return replace(self, children=children)


def identity_of(parent: str, matchers: Sequence[Matcher]) -> str:
    """Return what a route is called in keys that outlive a change of the tree, such as ``{}/{severity="error"}``.

    Long matchers stand there as their fingerprint.
    """
    own = ",".join(sorted(one.text for one in matchers))
    if len(own) > _LONGEST_IDENTITY:
        own = f"sha256:{hashlib.sha256(own.encode()).hexdigest()[:32]}"
    return f"{parent}/{{{own}}}" if parent else f"{{{own}}}"


def _destiner(route: Route, receiver: str) -> Callable[[Alert], Destination]:
    path, wait, interval = route.path, route.grouping.wait, route.grouping.interval
    muting = _muting(route)
    plain = Destination(
        receiver=receiver,
        route=path,
        place=route.identity if muting and muting.hold else "",
        wait=wait,
        interval=interval,
        muting=muting,
        digest=route.digest,
    )
    destine = _grouped(route, plain)
    if not route.repeats_within:
        return destine
    key, within = keyer(route.identity or path, route.dedupe_by), route.repeats_within
    return lambda alert: replace(destine(alert), repetition=Repetition(key=key(alert), within=within))


def _grouped(route: Route, plain: Destination) -> Callable[[Alert], Destination]:
    if route.grouping.alone and not route.digest:
        return lambda _: plain
    group = grouper(
        route.identity or route.path, route.grouping.by
    )  # a digest of alerts that stand alone is one for the whole route
    receiver, path, wait, interval = plain.receiver, plain.route, plain.wait, plain.interval
    muting, digest = plain.muting, plain.digest

    def destine(alert: Alert) -> Destination:
        key, labels = group(alert)
        return Destination(
            receiver=receiver,
            route=path,
            group_key=key,
            group_labels=labels,
            wait=wait,
            interval=interval,
            muting=muting,
            digest=digest,
        )

    return destine


def _muting(route: Route) -> Muting | None:
    return route.muting if route.muting.active or route.muting.mute else None


def _conditions(route: Route) -> Iterator[str]:
    """Yield what stands between the route's receiver and a message at once, in words."""
    muting = route.muting
    if muting.active:
        yield f"only within {', '.join(muting.active)}"
    if muting.mute:
        yield f"not within {', '.join(muting.mute)}"
    if muting.active or muting.mute:
        yield "held meanwhile" if muting.hold else "dropped meanwhile"
    if route.repeats_within:
        yield f"no repeats within {route.repeats_within:g} s"
    if route.digest:
        yield f"digest at {route.digest}"


def decide(root: Route, alert: Alert) -> Decision:
    """Return where the alert goes, and why. It always goes somewhere or is dropped on purpose: no rule stops it."""
    walk = _Walk(alert)
    try:
        walk.visit(root)
    except Exception as error:  # noqa: BLE001 -- the promise: whatever is wrong with a rule, the alert goes on
        return _to_root(root, walk, f"routing failed: {type(error).__name__}")
    if not walk.destinations and not walk.dropped:
        return _to_root(root, walk, "no route took the alert")
    return Decision(
        destinations=tuple(walk.destinations.values()),
        suppressed=None if walk.destinations else Suppression.DROPPED,
        steps=Steps(walk.rows),
        errors=tuple(walk.errors),
    )


def _to_root(root: Route, walk: _Walk, error: str) -> Decision:
    if root.receiver is None:  # the configuration's check refuses such a root
        return Decision(suppressed=Suppression.DROPPED, steps=Steps(walk.rows), errors=(*walk.errors, error))
    plain = Destination(receiver=root.receiver, route=root.path)
    destinations = {plain.receiver: plain, **walk.destinations}
    return Decision(destinations=tuple(destinations.values()), steps=Steps(walk.rows), errors=(*walk.errors, error))


class _Walk:
    """One alert's way through the tree, and what it has gathered so far."""

    __slots__ = ("alert", "destinations", "dropped", "errors", "met", "rows", "seen")

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.rows: list[Row] = []
        # a hundred routes ask for the same few names, and put the same few questions
        self.seen: dict[str, str] = {}  # by name
        self.met: dict[str, bool] = {}  # by matcher
        self.destinations: dict[str, Destination] = {}
        self.errors: list[str] = []
        self.dropped = False

    def visit(self, route: Route) -> bool:
        """Return whether the route, or a child of it, took the alert."""
        seen, met = self.seen, self.met
        for name, read, test, text in route._checks:  # noqa: SLF001 -- the walk is the route's other half
            try:
                holds = met.get(text)
                if holds is None:
                    saw = seen.get(name)
                    if saw is None:
                        saw = seen[name] = read(self.alert)
                    holds = met[text] = test(saw)
                if holds:
                    continue
                saw = seen[name]
                self.rows.append((route.path, False, None, text, saw if len(saw) <= SAW_LIMIT else cut(saw), None))
            except Exception as error:  # noqa: BLE001 -- a rule that raises does not match, and says so
                self._note_error(route, text, error)
            return False
        self._enter(route)
        return True

    def _enter(self, route: Route) -> None:
        row = len(self.rows)
        self.rows.append((route.path, True, None, None, None, None))
        taken = False
        for child in route.children:
            if self.visit(child):
                taken = True
                if not child.continues:
                    break
        if not taken:
            self.rows[row] = (route.path, True, route.receiver, None, None, self._take(route))

    def _take(self, route: Route) -> str | None:
        """Send the alert to the route's own receiver; return what there is to say about it."""
        destine = route._destine  # noqa: SLF001 -- as above
        if route.receiver is None or destine is None:
            self.dropped = True
            return "dropped"
        earlier = self.destinations.get(route.receiver)
        if earlier is not None:
            return f"the receiver has it by {earlier.route}"
        try:
            self.destinations[route.receiver] = destine(self.alert)
        except Exception as error:  # noqa: BLE001 -- an alert that cannot be grouped stands alone
            self.destinations[route.receiver] = Destination(
                receiver=route.receiver, route=route.path, muting=_muting(route)
            )
            self.errors.append(f"{route.path}: group_by or dedupe_by raised {type(error).__name__}")
        return route._note  # noqa: SLF001 -- as above

    def _note_error(self, route: Route, text: str, error: Exception) -> None:
        note = f"raised {type(error).__name__}"
        self.rows.append((route.path, False, None, text, None, note))
        self.errors.append(f"{route.path}: {text} {note}")

"""Routes that no alert can come to, and a ``continue`` that leads nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding
from bellwire.config.places import path_text
from bellwire.routing.conditions import Condition
from bellwire.routing.matchers import Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellwire.config.places import Loc
    from bellwire.config.warnings.branches import Branch
    from bellwire.routing.matchers import Matcher

_SEVERITIES = "info, warning, error or critical"
_PAIR = 2  # more than these exclude each other only all together


def check_reach(root: Branch) -> Iterator[Finding]:
    """Yield the topmost routes that no alert reaches, and each ``continue`` without effect."""
    for at, child in enumerate(root.children):
        finding = _contradiction(child) or _taken(child, root.children[:at])
        if finding:
            yield finding
            continue
        yield from _idle_continue(child, root.children[at + 1 :])
        yield from check_reach(child)


def _contradiction(branch: Branch) -> Finding | None:
    conflict = branch.condition.conflict()
    if not conflict:
        return None
    places = {one: loc for loc, one in (*branch.matchers, *branch.parents)}
    own = [one for one in conflict if one in branch.own]
    loc = places[own[-1]] if own else branch.loc
    if len(conflict) == 1:
        return Finding(loc, f"can never match: no value meets {conflict[0]}{_hint(conflict[0])}")
    if len(conflict) > _PAIR:
        every = f"{', '.join(map(str, conflict[:-1]))} and {conflict[-1]}"
        return Finding(loc, f"can never match: no value meets all of {every}{_exhausted(conflict[0].name)}")
    above = [one for one in conflict if one not in branch.own]
    where = f", which {_route_of(places[above[0]])} asks for," if above and own else ""
    last = above[-1] if where else conflict[-1]
    first = own[-1] if where else conflict[0]
    return Finding(loc, f"can never match: {first} and {last}{where} exclude each other")


def _hint(one: Matcher) -> str:
    if one.name == "severity":
        return f": {_severity_hint(one)}"
    return ": its value is no number" if one.op in {"<", "<=", ">", ">="} else ""


def _severity_hint(one: Matcher) -> str:
    if one.op in {Op.EQUAL, Op.MATCHES}:
        return f"write {_SEVERITIES}, in small letters"
    if one.op is Op.NOT_MATCHES:
        return f"it excludes {_SEVERITIES}, and there is no other"
    return f"nothing is {'above critical' if one.op is Op.GREATER else 'below info'}"


def _exhausted(name: str) -> str:
    return f": there is only {_SEVERITIES}" if name == "severity" else ""


def _route_of(loc: Loc) -> str:
    return path_text(loc[: loc.index("matchers")])


def _taken(branch: Branch, earlier: Sequence[Branch]) -> Finding | None:
    """Return the finding if siblings above take all that this route could."""
    condition = branch.condition
    for sibling in earlier:
        if not sibling.config.continue_ and all(condition.implies(one) for one in sibling.own):
            what = "everything" if not sibling.own else "all that it matches"
            return Finding(branch.loc, f"can never match: {sibling.path} above takes {what}, and does not continue")
    left = condition.values("severity") or frozenset()
    takers = []
    for sibling in earlier:
        others = [one for one in sibling.own if one.name != "severity"]
        if sibling.config.continue_ or not all(condition.implies(one) for one in others):
            continue
        ranks = [one for one in sibling.own if one.name == "severity"]
        taken = {value for value in left if all(one.test(value) for one in ranks)}
        if taken:
            takers.append(sibling.path)
            left -= taken
    if left or not takers:
        return None
    message = f"can never match: {', '.join(takers)} above take every severity that it could match, and do not continue"
    return Finding(branch.loc, message)


def _idle_continue(branch: Branch, later: Sequence[Branch]) -> Iterator[Finding]:
    if not branch.config.continue_:
        return
    loc = (*branch.loc, "continue")
    if not later:
        yield Finding(loc, "has no effect: no route comes after this one; remove it")
        return
    here = [one for _, one in (*branch.parents, *branch.matchers)]
    if all(Condition.of([*here, *other.own]).conflict() for other in later):
        yield Finding(loc, "has no effect: no route after this one can match what this one matches; remove it")

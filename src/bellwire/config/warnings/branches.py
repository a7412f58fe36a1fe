"""The routing tree as the warnings look at it: matchers with their places in the file, and those of all parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.config.places import path_text
from bellwire.config.rules import compile_matchers
from bellwire.routing.conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellwire.config.places import Loc
    from bellwire.config.schema import MatcherConfig, RouteConfig
    from bellwire.routing.matchers import Matcher

Placed = tuple["Loc", "Matcher"]
"""A matcher, and the place of the entry that it stands in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A route. ``parents`` are the matchers above it, which hold for all that comes here."""

    loc: Loc
    config: RouteConfig
    matchers: tuple[Placed, ...]
    parents: tuple[Placed, ...]
    children: tuple[Branch, ...]

    @property
    def path(self) -> str:
        """Return its place as people write it."""
        return path_text(self.loc)

    @property
    def own(self) -> tuple[Matcher, ...]:
        """Return its own matchers."""
        return tuple(one for _, one in self.matchers)

    @property
    def condition(self) -> Condition:
        """Return what holds for every alert that it takes."""
        return Condition.of(one for _, one in (*self.parents, *self.matchers))

    def walk(self) -> Iterator[Branch]:
        """Yield it and all below, in the order of the file."""
        yield self
        for child in self.children:
            yield from child.walk()


def branches_of(route: RouteConfig) -> Branch:
    """Return the tree. The configuration's matchers can be read: it was checked."""
    return _branch(route, ("route",), ())


def placed(entries: Sequence[str | MatcherConfig], loc: Loc) -> tuple[Placed, ...]:
    """Return the matchers of a list at ``loc``, each with its place."""
    return tuple(((*loc, at), one) for at, entry in enumerate(entries) for one in compile_matchers([entry]))


def _branch(route: RouteConfig, loc: Loc, parents: tuple[Placed, ...]) -> Branch:
    matchers = placed(route.matchers, (*loc, "matchers"))
    above = (*parents, *matchers)
    children = tuple(_branch(child, (*loc, "routes", at), above) for at, child in enumerate(route.routes))
    return Branch(loc=loc, config=route, matchers=matchers, parents=parents, children=children)

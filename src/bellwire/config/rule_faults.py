"""What is wrong in rules: gathered, so that all of it is told at once."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeAlias

from bellwire.errors import BellwireError, MatcherError
from bellwire.routing.matchers import check_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Loc: TypeAlias = tuple[str | int, ...]
"""The keys and indexes, as written in the file, that lead to a value."""

RuleFault: TypeAlias = tuple[Loc, str, int]
"""Where, what is wrong, and the offset in characters within the text at that place."""

ALONE = "..."


class RuleFaults(BellwireError):  # noqa: N818 -- it is the list of faults, as ConfigError is made from it
    """Rules that cannot be used; ``faults`` names all that is wrong, in the order of the file."""

    def __init__(self, faults: list[RuleFault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{dotted(loc)}: {message}" for loc, message, _ in faults))


class FaultList:
    """Gathers what is wrong while rules are compiled part by part."""

    def __init__(self) -> None:
        self.found: list[RuleFault] = []

    def add(self, loc: Loc, message: str, offset: int = 0) -> None:
        """Note what is wrong at ``loc``."""
        self.found.append((loc, message, offset))

    def check_known(self, loc: Loc, name: str, known: Collection[str], *, what: str, key: str) -> None:
        """Note a name that nothing bears: ``what`` says of which kind, ``key`` where such things are defined."""
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"define it under {key}"
            self.add(loc, f"there is no {what} {name!r}: {hint}")

    def check_labels(self, loc: Loc, names: Sequence[str]) -> None:
        """Note what no list of labels may hold: names that nothing can bear, and names that stand there twice."""
        for at, name in enumerate(names):
            if not name:
                self.add((*loc, at), "a label needs a name")
            elif name in names[:at]:
                self.add((*loc, at), f"{name!r} stands here twice")
            elif name == ALONE:
                self.add((*loc, at), f"'{ALONE}' has a meaning in group_by alone: name labels here")
            else:
                self._check_label((*loc, at), name)

    def _check_label(self, loc: Loc, name: str) -> None:
        try:
            check_name(name)
        except MatcherError as fault:
            self.add(loc, str(fault))


def dotted(loc: Loc) -> str:
    """Write a place as people do: ``route.routes[0].matchers[1]``."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc]
    return "".join(parts).removeprefix(".")

"""What routing looked at, kept as plain rows: a hundred `RouteStep` objects an alert would cost more than routing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, overload

from bellwire.model import RouteStep

Row: TypeAlias = tuple[str, bool, str | None, str | None, str | None, str | None]
"""The fields of a `RouteStep`, in its order: route, matched, receiver, failed, saw, note."""

SAW_LIMIT = 120


class Steps(Sequence[RouteStep]):
    """Rows that read as `RouteStep` objects, made when they are asked for. Equal to any sequence of equal steps."""

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> RouteStep: ...
    @overload
    def __getitem__(self, index: slice) -> Steps: ...
    def __getitem__(self, index: int | slice) -> RouteStep | Steps:
        if isinstance(index, slice):
            return Steps(self.rows[index])
        route, matched, receiver, failed, saw, note = self.rows[index]
        return RouteStep(route=route, matched=matched, receiver=receiver, failed=failed, saw=saw, note=note)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Steps):
            return self.rows == other.rows
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Steps({list(self)!r})"


def rows(steps: Sequence[RouteStep]) -> Sequence[Row]:
    """Return steps of either form as rows."""
    if isinstance(steps, Steps):
        return steps.rows
    return [(step.route, step.matched, step.receiver, step.failed, step.saw, step.note) for step in steps]


def cut(text: str) -> str:
    """Return what a matcher saw, at most `SAW_LIMIT` characters of it; what was cut is marked so."""
    return text if len(text) <= SAW_LIMIT else f"{text[:SAW_LIMIT]}… ({len(text)} characters)"

"""Habits of real vendors that lose items or marks, each of which can be switched on and off while the server runs."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Trap(enum.StrEnum):
    """One habit. The name says whose it is and what happens."""

    QUALYTICS_EMPTY_ARRAY_MARKS_ALL = "qualytics.empty_array_marks_all"
    OWLMETRY_MILLISECOND_CURSOR = "owlmetry.millisecond_cursor"
    OWLMETRY_UNKNOWN_TYPE_MARKS_ALL = "owlmetry.unknown_type_marks_all"
    OWLMETRY_STRANGE_ID_BREAKS = "owlmetry.strange_id_breaks"
    OWLMETRY_EMPTY_JSON_REFUSED = "owlmetry.empty_json_refused"
    OWLMETRY_LIMIT_COERCED = "owlmetry.limit_coerced"
    OWLMETRY_UNKNOWN_FILTER_IGNORED = "owlmetry.unknown_filter_ignored"
    ATP_BULK_ACKNOWLEDGE_MISSING = "atp.bulk_acknowledge_missing"


USUAL: Final = frozenset(Trap) - {
    Trap.OWLMETRY_MILLISECOND_CURSOR,
    Trap.OWLMETRY_STRANGE_ID_BREAKS,
    Trap.ATP_BULK_ACKNOWLEDGE_MISSING,
}
"""What is on unless told otherwise: all that a vendor says or means to do. The rest are defects of its server."""


class Traps:
    """Which traps are on."""

    def __init__(self, on: Iterable[Trap]) -> None:
        self._on = set(on)

    def __contains__(self, trap: Trap) -> bool:
        return trap in self._on

    def switch(self, wanted: Mapping[Trap, bool]) -> None:
        """Switch these on or off, and leave the others as they are."""
        self._on |= {trap for trap, on in wanted.items() if on}
        self._on -= {trap for trap, on in wanted.items() if not on}

    def shown(self) -> dict[Trap, bool]:
        """Return whether each is on."""
        return {trap: trap in self._on for trap in Trap}

"""What an account's stream and list tell each other, and what follows for gaps: no I/O, times are arguments.

A source is *whole* while nothing can have been missed: the stream is open and its catch-up is done, or the list was read
not long ago. When it stops being whole it is *behind*, and a catch-up is due; what was created meanwhile was missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.records import Position

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta


def nothing() -> None:
    """Nobody is to be woken."""


@dataclass(slots=True)
class Standing:
    """Where one source stands. Times are the wall's."""

    started_at: datetime | None = None
    whole_until: datetime | None = None
    last_event_id: str | None = None
    stream_open: bool = False
    polling: bool = False  # the list stands in for the stream
    behind: bool = True
    doubt: bool = False  # the stream brought something that could not be read: the list may know it
    gap_from: datetime | None = None
    opened_at: datetime | None = None  # since then the stream brings what is new
    changes: int = 0  # of the stream, so that a reading of the list can see one under way
    wake: Callable[[], None] = nothing  # called whenever there may be something else to do

    def load(self, position: Position) -> None:
        """Go on where an earlier run stood. All since then is a gap, but before the very first start there is none."""
        self.started_at = position.started_at
        self.whole_until = position.connected_at
        self.last_event_id = position.last_event_id
        self.gap_from = position.connected_at if position.started_at else None

    def position(self) -> Position:
        """Return what a later run needs."""
        return Position(started_at=self.started_at, connected_at=self.whole_until, last_event_id=self.last_event_id)

    def stream_opened(self, wall: datetime, tolerance: timedelta) -> None:
        """Take note of an open stream. There is a gap before it, unless polls bridged all but ``tolerance`` of it."""
        bridged = not self.behind and self.whole_until is not None and wall - self.whole_until <= tolerance
        if not bridged and self.started_at is not None:
            self.gap_from = self.gap_from or self.whole_until
        self.stream_open, self.polling, self.behind, self.opened_at = True, False, True, wall
        self.changes += 1
        self.wake()

    def stream_alive(self, wall: datetime) -> None:
        """Take note that the stream brought bytes."""
        if not self.behind:
            self.whole_until = wall

    def stream_lost(self) -> None:
        """Take note that the stream is closed, or could not be opened."""
        if self.stream_open:
            self.stream_open = False
            self.changes += 1
            if not self.behind:
                self.gap_from = self.whole_until
            self.behind = True

    def poll(self) -> None:
        """Let the list stand in for the stream from now on."""
        self.polling = True
        self.wake()

    def poll_failed(self, wall: datetime, tolerance: timedelta) -> None:
        """Take note of a list that could not be read: after ``tolerance`` a gap, before it just a later poll."""
        if self.polling and not self.behind and self.whole_until and wall - self.whole_until > tolerance:
            self.behind = True
            self.gap_from = self.whole_until

    def missed_since(self, wall: datetime, tolerance: timedelta) -> datetime | None:
        """Return since when notifications may have been missed, None if nothing was: before the start, or bridged."""
        if self.gap_from is None and self.started_at and self.whole_until and wall - self.whole_until > tolerance:
            return self.whole_until
        return self.gap_from

    def read(self, until: datetime, changes: int) -> None:
        """Take note of a list that was read: nothing that was there at ``until`` has been missed.

        ``changes`` is what it was before. If the stream came or went meanwhile, another reading is due.
        """
        self.started_at = self.started_at or until
        self.whole_until = until
        self.behind = self.changes != changes
        self.gap_from = until if self.behind and not self.stream_open else None

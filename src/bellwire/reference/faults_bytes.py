"""Faults that spoil an answer on its way: bytes in, steps out, without I/O. Randomness and times are arguments."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bellwire.reference.faults import (
    Buffer,
    DropStreams,
    Fault,
    HalfEvent,
    LateItems,
    ReorderItems,
    RepeatItems,
    ResetConnections,
    SlowBodies,
    SplitBytes,
    StallStreams,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

_ITEM_EVENTS: Final = frozenset({b"", b"message", b"notification"})  # what streams of all vendors name their items
_GAP: Final = 0.001  # seconds between pieces, so that they are not read as one
_MOST_REMEMBERED: Final = 100


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, in seconds."""

    seconds: float


class Close(enum.Enum):
    """The answer is over."""

    END = enum.auto()  # as if that were all
    RESET = enum.auto()  # with the connection


Step: TypeAlias = bytes | Pause | Close
"""What to do next with an answer: send bytes, wait, or close."""


class Tamper:
    """Spoils one answer. It passes everything on unless it says otherwise."""

    streams_only = True
    """Whether it looks at events, and so at streams alone; if not, at bytes of whatever answer."""

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        """Return what comes of bytes that the vendor sends when the answer is ``age`` seconds old."""
        del age
        return [chunk]

    def rest(self) -> Iterable[Step]:
        """Return what comes of what was held back, once the answer or the fault is over."""
        return []

    @property
    def lasting(self) -> bool:
        """Whether it goes on with this answer after the fault is over."""
        return False

    @property
    def due(self) -> float | None:
        """The age at which the answer is closed even if nothing more comes."""
        return None


def tamper(fault: Fault, rng: random.Random) -> Tamper | None:
    """Return what spoils an answer as the fault says; None if the fault spoils none."""
    make = _TAMPERS.get(type(fault))
    return make(fault, rng) if make is not None else None


def through(tampers: Sequence[Tamper], chunk: bytes, age: float) -> list[Step]:
    """Return what is left of a chunk after all of them: first those that know events, which must be whole for that."""
    steps: list[Step] = [chunk]
    for each in sorted(tampers, key=lambda each: not each.streams_only):
        steps = [out for step in steps for out in (each.feed(step, age) if isinstance(step, bytes) else [step])]
    return steps


class _Passing:
    """Lets so many items pass, or everything until an age: by default one item."""

    def __init__(self, items: int | None, seconds: float | None) -> None:
        self._left = 1 if items is None and seconds is None else items
        self._seconds = seconds
        self._late = False

    @property
    def over(self) -> bool:
        """Whether no item passes any more."""
        return self._late or self._left == 0

    def take(self, chunk: bytes, age: float) -> tuple[bytes, list[bytes]]:
        """Return what passes, and the events from the first item on that does not."""
        self._late = self._late or (self._seconds is not None and age >= self._seconds)
        events = split(chunk)
        for number, event in enumerate(events):
            if not is_item(event):
                continue
            if self.over:
                return b"".join(events[:number]), events[number:]
            self._left = None if self._left is None else self._left - 1
        return chunk, []


class _Drop(Tamper):
    def __init__(self, fault: DropStreams, rng: random.Random) -> None:
        del rng
        self._passing = _Passing(fault.after_items, fault.after_seconds)
        self._due = fault.after_seconds

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        passed, _ = self._passing.take(chunk, age)
        return [passed, Close.END] if self._passing.over else [passed]

    @property
    def due(self) -> float | None:
        return self._due


class _Stall(Tamper):
    def __init__(self, fault: StallStreams, rng: random.Random) -> None:
        del rng
        self._passing = _Passing(fault.after_items, fault.after_seconds)
        self._silent = False

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        if self._silent:
            return []
        passed, _ = self._passing.take(chunk, age)
        self._silent = self._passing.over
        return [passed]

    @property
    def lasting(self) -> bool:
        return self._silent  # a connection that is dead comes to life no more


class _Half(Tamper):
    def __init__(self, fault: HalfEvent, rng: random.Random) -> None:
        self._passing = _Passing(fault.after_items, None)
        self._rng = rng

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        passed, held = self._passing.take(chunk, age)
        if not held:
            return [passed]
        cut = self._rng.randrange(1, len(held[0]) - 1)  # even without its blank line it is only half
        return [passed, held[0][:cut], Close.END]


class _Split(Tamper):
    streams_only = False

    def __init__(self, fault: SplitBytes, rng: random.Random) -> None:
        self._size = fault.size
        self._rng = rng

    def feed(self, chunk: bytes, age: float) -> Iterator[Step]:
        del age
        while chunk:
            size = self._rng.randint(1, self._size)
            yield chunk[:size]
            yield Pause(_GAP)
            chunk = chunk[size:]


class _Slow(Tamper):
    streams_only = False

    def __init__(self, fault: SlowBodies, rng: random.Random) -> None:
        del rng
        self._size = fault.size
        self._pause = Pause(fault.seconds)

    def feed(self, chunk: bytes, age: float) -> Iterator[Step]:
        del age
        for start in range(0, len(chunk), self._size):
            yield self._pause
            yield chunk[start : start + self._size]


class _Buffer(Tamper):
    def __init__(self, fault: Buffer, rng: random.Random) -> None:
        del rng
        self._size = fault.size
        self._held = bytearray()

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        del age
        self._held += chunk
        return self.rest() if len(self._held) >= self._size else []

    def rest(self) -> Iterable[Step]:
        held, self._held = bytes(self._held), bytearray()
        return [held]


class _Repeat(Tamper):
    def __init__(self, fault: RepeatItems, rng: random.Random) -> None:
        del fault
        self._rng = rng
        self._sent: list[bytes] = []

    def feed(self, chunk: bytes, age: float) -> Iterator[Step]:
        del age
        for event in split(chunk):
            yield event
            if is_item(event):
                yield event
                self._sent = [*self._sent[1 - _MOST_REMEMBERED :], event]
                yield self._rng.choice(self._sent)


class _Reorder(Tamper):
    def __init__(self, fault: ReorderItems, rng: random.Random) -> None:
        self._pause = Pause(fault.seconds)
        self._rng = rng
        self._held: list[bytes] = []

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        del age
        events = [*split(chunk), *self._held]
        items = [event for event in events if is_item(event)]
        if not items:
            return [self._pause, *events]
        self._rng.shuffle(items)
        fresh = items[-1] not in self._held
        self._held = [items.pop()] if fresh else []
        return [self._pause, *items, *(event for event in events if not is_item(event))]

    def rest(self) -> Iterable[Step]:
        held, self._held = self._held, []
        return held


class _Late(Tamper):
    def __init__(self, fault: LateItems, rng: random.Random) -> None:
        del rng
        self._pause = Pause(fault.seconds)

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        del age
        return [self._pause, chunk] if any(map(is_item, split(chunk))) else [chunk]


class _Reset(Tamper):
    streams_only = False

    def __init__(self, fault: ResetConnections, rng: random.Random) -> None:
        del rng
        self._left = fault.after_bytes

    def feed(self, chunk: bytes, age: float) -> Iterable[Step]:
        del age
        passed, left = chunk[: self._left], self._left
        self._left -= len(passed)
        return [passed, Close.RESET] if len(chunk) >= left else [passed]


_TAMPERS: Final[dict[type[Fault], Any]] = {
    DropStreams: _Drop,
    StallStreams: _Stall,
    HalfEvent: _Half,
    SplitBytes: _Split,
    Buffer: _Buffer,
    SlowBodies: _Slow,
    RepeatItems: _Repeat,
    ReorderItems: _Reorder,
    LateItems: _Late,
    ResetConnections: _Reset,
}


def split(chunk: bytes) -> list[bytes]:
    """Return the events of a chunk, each with its blank line: streams here write whole ones."""
    *events, rest = chunk.split(b"\n\n")
    return [event + b"\n\n" for event in events] + ([rest] if rest else [])


def is_item(event: bytes) -> bool:
    """Return whether an event brings an item: not a keep-alive, nor news of another kind."""
    fields = dict(line.partition(b":")[::2] for line in event.strip(b"\n").split(b"\n"))
    return bool(fields.get(b"data", b"").strip()) and fields.get(b"event", b"").strip() in _ITEM_EVENTS

"""What faults make of an answer's bytes: they lose what they say that they lose, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.reference.faults import (
    AnyFault,
    Buffer,
    DropStreams,
    HalfEvent,
    LateItems,
    ReorderItems,
    RepeatItems,
    ResetConnections,
    SlowBodies,
    SplitBytes,
    StallStreams,
)
from bellwire.reference.faults_bytes import Close, Pause, is_item, split, tamper, through

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.reference.faults_bytes import Step

KEEP_ALIVES = [b"data:\n\n", b": there\n\n", b"event: ping\ndata: {}\n\n", b'event: status_update\ndata: {"a":1}\n\n']


def item(number: int) -> bytes:
    return b'id: %d\nevent: notification\ndata: {"id":%d}\n\n' % (number, number)


def an_event(number: int, kind: int | None) -> bytes:
    return item(number) if kind is None else KEEP_ALIVES[kind]


chunks = st.lists(st.lists(st.none() | st.integers(0, 3), max_size=6), max_size=8).map(
    lambda kinds: [
        b"".join(an_event(100 * place + number, kind) for number, kind in enumerate(chunk))
        for place, chunk in enumerate(kinds)
    ]
)
seeds = st.integers(0, 1000).map(random.Random)


def spoilt(fault: AnyFault, given: Sequence[bytes], rng: random.Random) -> list[Step]:
    """Return what comes of an answer, up to its end."""
    made = tamper(fault, rng)
    assert made is not None
    steps: list[Step] = []
    for age, chunk in enumerate(given):
        steps += through([made], chunk, float(age))
        if steps and isinstance(steps[-1], Close):
            return steps
    return [*steps, *made.rest()]


def sent(steps: Sequence[Step]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


def items(raw: bytes) -> list[bytes]:
    return [event for event in split(raw) if is_item(event)]


@pytest.mark.parametrize("fault", [SplitBytes(size=3), SlowBodies(size=5), Buffer(size=100), LateItems()])
@given(chunks, seeds)
def test_some_only_change_when_bytes_come(fault: AnyFault, given: list[bytes], rng: random.Random) -> None:
    assert sent(spoilt(fault, given, rng)) == b"".join(given)


@given(chunks, seeds)
def test_reordered_items_are_the_same_items(given: list[bytes], rng: random.Random) -> None:
    got = sent(spoilt(ReorderItems(), given, rng))
    assert Counter(split(got)) == Counter(split(b"".join(given)))


@given(chunks, seeds)
def test_repeated_items_come_three_times_on_the_whole_and_none_is_new(given: list[bytes], rng: random.Random) -> None:
    before, after = items(b"".join(given)), items(sent(spoilt(RepeatItems(), given, rng)))
    assert len(after) == 3 * len(before)
    assert all(count >= 2 for count in Counter(after).values())
    assert list(dict.fromkeys(after)) == before


@given(chunks, st.integers(1, 5), seeds)
def test_a_dropped_stream_ends_after_its_last_item(given: list[bytes], number: int, rng: random.Random) -> None:
    steps = spoilt(DropStreams(after_items=number), given, rng)
    before = items(b"".join(given))
    assert items(sent(steps)) == before[:number]
    assert (steps[-1:] == [Close.END]) == (len(before) >= number)


@given(chunks, st.integers(0, 5), seeds)
def test_a_stalled_stream_brings_so_many_items_and_never_ends(
    given: list[bytes], number: int, rng: random.Random
) -> None:
    steps = spoilt(StallStreams(after_items=number), given, rng)
    assert items(sent(steps)) == items(b"".join(given))[:number]
    assert not [step for step in steps if isinstance(step, Close)]


@given(chunks, st.integers(0, 5), seeds)
def test_half_an_event_follows_so_many_whole_ones(given: list[bytes], number: int, rng: random.Random) -> None:
    steps = spoilt(HalfEvent(after_items=number), given, rng)
    before, got = items(b"".join(given)), sent(steps)
    if len(before) <= number:
        assert got == b"".join(given)
    else:
        *whole, half = split(got)
        assert [event for event in whole if is_item(event)] == before[:number]
        assert before[number].startswith(half)
        assert not half.endswith(b"\n\n")
        assert steps[-1] is Close.END


@given(chunks, st.integers(0, 200), seeds)
def test_a_reset_cuts_after_so_many_bytes(given: list[bytes], number: int, rng: random.Random) -> None:
    steps = spoilt(ResetConnections(after_bytes=number), given, rng)
    assert sent(steps) == b"".join(given)[:number]
    reached = bool(given) and len(b"".join(given)) >= number
    assert (steps[-1:] == [Close.RESET]) == reached


def test_several_faults_spoil_one_answer_in_turn() -> None:
    faults: list[AnyFault] = [SplitBytes(size=4), RepeatItems(), DropStreams(after_items=4)]
    tampers = [made for fault in faults if (made := tamper(fault, random.Random(1))) is not None]
    steps = through(tampers, item(1), 0.0)
    assert sent(steps) == item(1) * 3
    assert any(isinstance(step, Pause) for step in steps)
    assert Close.END in through(tampers, item(2), 1.0)

"""The machine of a source: every state with every signal."""

from __future__ import annotations

import pytest

from bellwire.model import SourceState
from bellwire.states import SOURCE_MOVES, SourceSignal, next_source_state

S, G = SourceState, SourceSignal

#             START         STREAM_OPENED STREAM_FAILED  POLLED        POLL_FAILED    DENIED          RETRY         STOP
TABLE = {
    S.CONNECTING: "connecting streaming backing_off polling backing_off unauthorized connecting stopped",
    S.STREAMING: "streaming streaming backing_off streaming streaming unauthorized streaming stopped",
    S.POLLING: "polling streaming polling polling backing_off unauthorized polling stopped",
    S.BACKING_OFF: "backing_off streaming backing_off polling backing_off unauthorized connecting stopped",
    S.UNAUTHORIZED: "unauthorized streaming unauthorized polling unauthorized unauthorized unauthorized stopped",
    S.STOPPED: "connecting stopped stopped stopped stopped stopped stopped stopped",
}
MOVES = [
    (state, signal, S(after))
    for state, row in TABLE.items()
    for signal, after in zip(SourceSignal, row.split(), strict=True)
]


@pytest.mark.parametrize(("state", "signal", "after"), MOVES)
def test_each_signal_leads_where_the_table_says(state: SourceState, signal: SourceSignal, after: SourceState) -> None:
    assert next_source_state(state, signal) is after


def test_the_table_has_every_pair() -> None:
    assert {(state, signal) for state, signal, _ in MOVES} == {(s, g) for s in SourceState for g in SourceSignal}


def test_no_move_is_named_that_moves_nothing() -> None:
    assert all(after is not state for state, moves in SOURCE_MOVES.items() for after in moves.values())


def test_every_state_can_be_stopped_and_started_again() -> None:
    assert all(next_source_state(state, G.STOP) is S.STOPPED for state in S)
    assert next_source_state(S.STOPPED, G.START) is S.CONNECTING

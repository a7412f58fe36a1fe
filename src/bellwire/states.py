"""The state machines, each as one table, and the rules that go with them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from bellwire.model import AlertState, MarkPolicy, ObligationState, SourceState

if TYPE_CHECKING:
    from collections.abc import Collection

# --- alerts --------------------------------------------------------------------------------------------------------
# The first of these that any obligation is in decides: open before dead, dead before sent or covered.

_SETTLEMENT: tuple[tuple[ObligationState, AlertState], ...] = (
    (ObligationState.OPEN, AlertState.IN_FLIGHT),
    (ObligationState.DEAD, AlertState.DEAD),
    (ObligationState.SENT, AlertState.DELIVERED),
    (ObligationState.COVERED, AlertState.DELIVERED),
)


def settle(obligations: Collection[ObligationState]) -> AlertState:
    """Return the state of an alert that has these obligations; none at all is suppressed."""
    for obligation, state in _SETTLEMENT:
        if obligation in obligations:
            return state
    return AlertState.SUPPRESSED


_MARKED_WHEN: dict[MarkPolicy, frozenset[AlertState]] = {
    MarkPolicy.DELIVERED: frozenset({AlertState.DELIVERED}),
    MarkPolicy.ANY: frozenset({AlertState.DELIVERED}),
    MarkPolicy.HANDLED: frozenset({AlertState.DELIVERED, AlertState.SUPPRESSED}),
    MarkPolicy.NEVER: frozenset(),
}


def may_mark(policy: MarkPolicy, obligations: Collection[ObligationState], *, abandoned: bool = False) -> bool:
    """Return whether a notification whose alert has these obligations is to be marked as read.

    ``abandoned``: someone gave up one of its dead obligations, which settles it like a delivery.
    """
    if policy is MarkPolicy.ANY and (ObligationState.SENT in obligations or ObligationState.COVERED in obligations):
        return True
    return settle(obligations) in _MARKED_WHEN[_IF_ABANDONED[policy] if abandoned else policy]


_IF_ABANDONED = dict.fromkeys(MarkPolicy, MarkPolicy.HANDLED) | {MarkPolicy.NEVER: MarkPolicy.NEVER}


# --- sources -------------------------------------------------------------------------------------------------------
# A source follows an account's stream, polls its list, or both; each reports what happens to it as a signal.
# - Polls go on while the stream is tried again, so a stream that fails changes nothing while polls succeed.
# - A list that fails changes nothing while the stream is open: what is new still arrives.
# - Refused credentials stay the state until a call succeeds: other failures tell nothing about them.
# - Only START leaves `stopped`: what an ending source still reports is of no interest.


class SourceSignal(enum.Enum):
    """What happens to a source."""

    START = enum.auto()
    STREAM_OPENED = enum.auto()
    STREAM_FAILED = enum.auto()  # it could not be opened, broke, stalled or was closed
    POLLED = enum.auto()  # the list was read, while polls stand in for the stream
    POLL_FAILED = enum.auto()
    DENIED = enum.auto()  # the credentials were refused, by whatever call
    RETRY = enum.auto()  # the pause is over: the stream is tried again
    STOP = enum.auto()


SOURCE_MOVES: dict[SourceState, dict[SourceSignal, SourceState]] = {
    SourceState.CONNECTING: {
        SourceSignal.STREAM_OPENED: SourceState.STREAMING,
        SourceSignal.STREAM_FAILED: SourceState.BACKING_OFF,
        SourceSignal.POLLED: SourceState.POLLING,
        SourceSignal.POLL_FAILED: SourceState.BACKING_OFF,
        SourceSignal.DENIED: SourceState.UNAUTHORIZED,
        SourceSignal.STOP: SourceState.STOPPED,
    },
    SourceState.STREAMING: {
        SourceSignal.STREAM_FAILED: SourceState.BACKING_OFF,
        SourceSignal.DENIED: SourceState.UNAUTHORIZED,
        SourceSignal.STOP: SourceState.STOPPED,
    },
    SourceState.POLLING: {
        SourceSignal.STREAM_OPENED: SourceState.STREAMING,
        SourceSignal.POLL_FAILED: SourceState.BACKING_OFF,
        SourceSignal.DENIED: SourceState.UNAUTHORIZED,
        SourceSignal.STOP: SourceState.STOPPED,
    },
    SourceState.BACKING_OFF: {
        SourceSignal.STREAM_OPENED: SourceState.STREAMING,
        SourceSignal.POLLED: SourceState.POLLING,
        SourceSignal.DENIED: SourceState.UNAUTHORIZED,
        SourceSignal.RETRY: SourceState.CONNECTING,
        SourceSignal.STOP: SourceState.STOPPED,
    },
    SourceState.UNAUTHORIZED: {
        SourceSignal.STREAM_OPENED: SourceState.STREAMING,
        SourceSignal.POLLED: SourceState.POLLING,
        SourceSignal.STOP: SourceState.STOPPED,
    },
    SourceState.STOPPED: {
        SourceSignal.START: SourceState.CONNECTING,
    },
}
"""Where a signal leads; where it is not named, the source stays in its state."""


def next_source_state(state: SourceState, signal: SourceSignal) -> SourceState:
    """Return the state after ``signal``."""
    return SOURCE_MOVES[state].get(signal, state)

"""The settlement of alerts, over every set of obligations."""

from __future__ import annotations

import itertools

import pytest

from bellwire.model import AlertState, MarkPolicy, ObligationState
from bellwire.states import may_mark, settle

EVERY = [
    set(some) for size in range(len(ObligationState) + 1) for some in itertools.combinations(ObligationState, size)
]


@pytest.mark.parametrize("obligations", EVERY, ids=lambda some: "+".join(sorted(some)) or "none")
def test_every_set_of_obligations_is_exactly_one_state(obligations: set[ObligationState]) -> None:
    if ObligationState.OPEN in obligations:
        expected = AlertState.IN_FLIGHT
    elif ObligationState.DEAD in obligations:
        expected = AlertState.DEAD
    elif obligations & {ObligationState.SENT, ObligationState.COVERED}:
        expected = AlertState.DELIVERED
    else:
        expected = AlertState.SUPPRESSED
    assert settle(obligations) is expected


@pytest.mark.parametrize("obligations", EVERY, ids=lambda some: "+".join(sorted(some)) or "none")
def test_an_unsettled_or_dead_alert_is_marked_only_by_the_policy_any(obligations: set[ObligationState]) -> None:
    if obligations & {ObligationState.OPEN, ObligationState.DEAD}:
        assert not may_mark(MarkPolicy.DELIVERED, obligations)
        assert not may_mark(MarkPolicy.HANDLED, obligations)


@pytest.mark.parametrize(
    ("policy", "marked"),
    [
        (MarkPolicy.DELIVERED, {"sent", "covered", "sent+suppressed"}),
        (MarkPolicy.ANY, {"sent", "covered", "sent+suppressed", "open+sent", "dead+sent"}),
        (MarkPolicy.HANDLED, {"sent", "covered", "sent+suppressed", "suppressed", "none"}),
        (MarkPolicy.NEVER, set()),
    ],
)
def test_each_policy_marks_what_it_says(policy: MarkPolicy, marked: set[str]) -> None:
    cases = {
        "none": set(),
        "open": {"open"},
        "dead": {"dead"},
        "sent": {"sent"},
        "covered": {"covered"},
        "suppressed": {"suppressed"},
        "open+sent": {"open", "sent"},
        "dead+sent": {"dead", "sent"},
        "sent+suppressed": {"sent", "suppressed"},
    }
    found = {name for name, states in cases.items() if may_mark(policy, {ObligationState(state) for state in states})}
    assert found == marked

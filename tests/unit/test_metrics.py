"""What is counted, as it is shown."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bellwire.metrics import Metrics
from bellwire.model import SourceState, Via


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"bellwire_{name}", labels)


def test_an_account_has_all_of_its_series_from_the_start(metrics: Metrics) -> None:
    metrics.add_account("vision")
    assert [sample(metrics, "alerts_received_total", account="vision", via=via.value) for via in Via] == [0] * len(Via)
    states = {state: sample(metrics, "source_state", account="vision", state=state.value) for state in SourceState}
    assert states == {state: float(state is SourceState.STOPPED) for state in SourceState}
    assert sample(metrics, "source_lag_seconds", account="vision") == 0
    assert sample(metrics, "stream_missed_total", account="vision") == 0


def test_only_the_present_state_is_1(metrics: Metrics) -> None:
    metrics.accounts.set_state("vision", SourceState.STREAMING)
    metrics.accounts.set_state("vision", SourceState.POLLING)
    states = {state: sample(metrics, "source_state", account="vision", state=state.value) for state in SourceState}
    assert states == {state: float(state is SourceState.POLLING) for state in SourceState}


def test_counts_add_up_and_the_lag_is_the_last(metrics: Metrics) -> None:
    metrics.accounts.count_received("vision", Via.STREAM, 2, 1.5)
    metrics.accounts.count_received("vision", Via.STREAM, 3, 0.25)
    metrics.accounts.count_missed("vision", 4)
    assert sample(metrics, "alerts_received_total", account="vision", via="stream") == 5
    assert sample(metrics, "alerts_received_total", account="vision", via="poll") == 0
    assert sample(metrics, "source_lag_seconds", account="vision") == metrics.accounts.lag("vision") == 0.25
    assert sample(metrics, "stream_missed_total", account="vision") == 4


@pytest.mark.parametrize("name", ["vision", 'a "quoted" name', "back\\slash", "two\nlines", "ünï"])
def test_the_text_of_accounts_is_what_the_library_would_write(metrics: Metrics, name: str) -> None:
    metrics.add_account("other")
    metrics.accounts.set_state(name, SourceState.UNAUTHORIZED)
    metrics.accounts.count_received(name, Via.CATCH_UP, 1_234_567, 0.1 + 0.2)
    alone = CollectorRegistry()
    alone.register(metrics.accounts)
    assert metrics.accounts.text() == generate_latest(alone)


def test_everything_that_is_registered_is_exposed_once(metrics: Metrics) -> None:
    metrics.add_account("vision")
    exposed = [family.name for family in text_string_to_metric_families(metrics.expose().decode())]
    registered = [family.name for family in metrics.registry.collect()]
    assert sorted(exposed) == sorted(registered)
    assert len(set(exposed)) == len(exposed)

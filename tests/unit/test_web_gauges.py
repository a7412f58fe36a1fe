from __future__ import annotations

import asyncio

from bellwire.metrics import Metrics
from bellwire.model import DeliveryState
from bellwire.web.gauges import Gauges
from bellwire.web.snapshot import Snapshot
from fake_view import FakeView


class Steady:
    """Monotonic time that a test turns."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_every_state_of_a_delivery_is_a_series_even_at_zero() -> None:
    metrics = Metrics()
    gauges = Gauges(FakeView(counts={"deliveries.sent": 7}), metrics)
    await gauges.refresh()
    counts = {state: value(metrics, "bellwire_deliveries", state=state.value) for state in DeliveryState}
    assert counts == {state: 7 if state is DeliveryState.SENT else 0 for state in DeliveryState}


async def test_a_snapshot_asks_once_for_all_who_look_at_the_same_time() -> None:
    view, steady = FakeView(), Steady()
    shared = Snapshot(view.overview, 1.0, steady)
    await asyncio.gather(*(shared.get() for _ in range(10)))
    steady.time += 0.9
    await shared.get()
    assert view.looks == 1
    steady.time += 0.1
    await shared.get()
    assert view.looks == 2

from __future__ import annotations

import asyncio
import math

from bellwire.metrics import Metrics
from bellwire.model import DeliveryState
from bellwire.web.gauges import AUDIT_PAUSE, Gauges
from bellwire.web.snapshot import Snapshot
from fake_view import FakeView, a_balance
from fakes import settle


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
    await gauges.close()


async def test_the_first_scrape_already_has_the_audit_of_a_small_ledger() -> None:
    metrics = Metrics()
    gauges = Gauges(FakeView(balance=a_balance(unaccounted=2)), metrics)
    await gauges.refresh()
    assert value(metrics, "bellwire_unaccounted_alerts") == 2


async def test_the_ledger_is_audited_at_most_once_a_minute_however_often_it_is_scraped() -> None:
    view, steady = FakeView(), Steady()
    gauges = Gauges(view, Metrics(), steady)
    for _ in range(5):
        await gauges.refresh()
    steady.time += AUDIT_PAUSE - 1
    await gauges.refresh()
    assert view.audits == 1
    steady.time += 1
    await gauges.refresh()
    await settle()
    assert view.audits == 2


async def test_a_slow_audit_holds_up_no_scrape_and_makes_the_next_one_wait_longer() -> None:
    view, steady, metrics = FakeView(), Steady(), Metrics()
    gauges = Gauges(view, metrics, steady)
    await gauges.refresh()
    view.hold = asyncio.Event()
    steady.time += AUDIT_PAUSE
    await gauges.refresh()
    await settle()
    assert view.audits == 2
    steady.time += 10
    view.hold.set()
    await settle()
    steady.time += 199  # twenty times its length is 200
    await gauges.refresh()
    await settle()
    assert view.audits == 2
    steady.time += 1
    await gauges.refresh()
    await settle()
    assert view.audits == 3


async def test_an_audit_that_fails_says_that_nothing_is_known() -> None:
    class Failing(FakeView):
        async def audit(self) -> dict[str, object]:
            raise OSError

    metrics = Metrics()
    gauges = Gauges(Failing(), metrics)
    await gauges.refresh()
    unknown = value(metrics, "bellwire_unaccounted_alerts")
    assert unknown is not None
    assert math.isnan(unknown)


async def test_closing_ends_an_audit_that_is_under_way() -> None:
    view, steady = FakeView(), Steady()
    gauges = Gauges(view, Metrics(), steady)
    await gauges.refresh()
    view.hold = asyncio.Event()
    steady.time += AUDIT_PAUSE
    await gauges.refresh()
    await settle()
    await asyncio.wait_for(gauges.close(), 5)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "audit for metrics"]


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

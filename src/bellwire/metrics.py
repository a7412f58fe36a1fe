"""What Bellwire counts, under the names of the contract. One instance a process, handed to those who count."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bellwire import __version__
from bellwire.model import SourceState, Via

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter that no one asks for

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})  # in a label's value
_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)


class AccountSeries(Collector):
    """The series that every account has from its start. They are made when somebody asks for them.

    A series that is an object takes half a kilobyte, and an account has thirteen, of which most stay at 0.
    """

    def __init__(self) -> None:
        self._states: dict[str, SourceState] = {}
        self._received: dict[tuple[str, Via], int] = {}
        self._lags: dict[str, float] = {}
        self._missed: dict[str, int] = {}

    @property
    def states(self) -> Mapping[str, SourceState]:
        """The present state of each account's source, by the account's name; those that are gone have stopped."""
        return self._states

    def add(self, account: str) -> None:
        """Show the account from now on."""
        self._states.setdefault(account, SourceState.STOPPED)

    def set_state(self, account: str, present: SourceState) -> None:
        """Show ``present`` as the account's state, and every other as past."""
        self._states[account] = present

    def count_received(self, account: str, via: Via, number: int, lag: float) -> None:
        """Count alerts; ``lag`` is in seconds, that of the newest."""
        self.add(account)
        self._received[account, via] = self._received.get((account, via), 0) + number
        self._lags[account] = lag

    def count_missed(self, account: str, number: int) -> None:
        """Count alerts that the stream should have brought."""
        self.add(account)
        self._missed[account] = self._missed.get(account, 0) + number

    def lag(self, account: str) -> float:
        """Return the account's lag, in seconds."""
        return self._lags.get(account, 0.0)

    def text(self) -> bytes:
        """Return what `collect` yields in the text format, in a tenth of the time: thousands of accounts have many series."""
        received, state, lag, missed = (_head(family) for family in _account_families())
        for account, present in self._states.items():
            label = f'{{account="{account.translate(_ESCAPED)}"'
            received += [
                f'bellwire_alerts_received_total{label},via="{via.value}"}} {_number(self._received.get((account, via), 0))}'
                for via in Via
            ]
            state += [
                f'bellwire_source_state{label},state="{each.value}"}} {float(each is present)}' for each in SourceState
            ]
            lag.append(f"bellwire_source_lag_seconds{label}}} {_number(self._lags.get(account, 0.0))}")
            missed.append(f"bellwire_stream_missed_total{label}}} {_number(self._missed.get(account, 0))}")
        return ("\n".join([*received, *state, *lag, *missed]) + "\n").encode()

    def describe(self) -> tuple[Metric, ...]:
        """Return the families, with nothing in them."""
        return _account_families()

    def collect(self) -> Iterator[Metric]:
        """Yield the families with all of their series."""
        received, state, lag, missed = families = _account_families()
        for account, present in list(self._states.items()):
            for via in Via:
                received.add_metric((account, via.value), self._received.get((account, via), 0))
            for each in SourceState:
                state.add_metric((account, each.value), each is present)
            lag.add_metric((account,), self._lags.get(account, 0.0))
            missed.add_metric((account,), self._missed.get(account, 0))
        yield from families


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # the library says nothing of its types


def _head(family: Metric) -> list[str]:
    name = family.name + ("_total" if family.type == "counter" else "")
    return [f"# HELP {name} {family.documentation}", f"# TYPE {name} {family.type}"]


def _account_families() -> tuple[CounterMetricFamily, GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily]:
    lag = "From the vendor's creation of the newest alert to its record here."
    missed = "Alerts that the stream should have brought."
    return (
        CounterMetricFamily("bellwire_alerts_received", "Alerts recorded.", labels=("account", "via")),
        GaugeMetricFamily(
            "bellwire_source_state", "1 for the present state of the source.", labels=("account", "state")
        ),
        GaugeMetricFamily("bellwire_source_lag_seconds", lag, labels=("account",)),
        CounterMetricFamily("bellwire_stream_missed", missed, labels=("account",)),
    )


class Metrics:
    """All of Bellwire's series in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.accounts = AccountSeries()
        registry.register(self.accounts)
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self.stream_discarded = counter(
            "bellwire_stream_discarded", "Stream data that was no notification.", ["account", "reason"]
        )
        self.source_errors = counter(
            "bellwire_source_errors", "Calls to the vendor that failed.", ["account", "reason"]
        )
        self.notifications = counter(
            "bellwire_notifications", "Messages confirmed by the other side.", ["receiver", "channel"]
        )
        self.notifications_failed = counter(
            "bellwire_notifications_failed", "Attempts that failed.", ["receiver", "channel", "reason"]
        )
        self.notification_latency = Histogram(
            "bellwire_notification_latency_seconds",
            "From the vendor's creation of an alert to its confirmed delivery.",
            ["receiver", "channel"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.suppressed = counter("bellwire_suppressed", "Alerts not sent, on purpose.", ["reason"])
        self.read_marks = counter(
            "bellwire_read_marks", "Answers to marking notifications as read.", ["account", "outcome"]
        )
        self.rule_errors = counter("bellwire_rule_errors", "Rules that raised; the alert went on without them.")
        self.render_errors = counter(
            "bellwire_render_errors",
            "Messages that went out in the plain form because theirs could not be made.",
            ["receiver", "channel"],
        )
        self.heartbeats = counter(
            "bellwire_heartbeats", "Calls of the heartbeat's address: sent, failed, or withheld.", ["outcome"]
        )
        self.deliveries = gauge("bellwire_deliveries", "Deliveries by state.", ["state"])
        self.unaccounted_alerts = gauge(
            "bellwire_unaccounted_alerts", "Alerts whose state does not follow from their record."
        )
        self.config_last_reload_successful = gauge(
            "bellwire_config_last_reload_successful", "1 if the configuration last loaded is in force."
        )
        self.build_info = gauge("bellwire_build_info", "1, with the version.", ["version"])
        self.build_info.labels(version=__version__).set(1)
        self._others = CollectorRegistry()
        for series in vars(self).values():
            if isinstance(series, MetricWrapperBase):
                self._others.register(series)

    def add_account(self, account: str) -> None:
        """Make the account's series exist from the start, at 0."""
        self.accounts.add(account)

    def count_suppressed(self, numbers: Mapping[str, int]) -> None:
        """Count what was suppressed, by reason."""
        for reason, number in numbers.items():
            self.suppressed.labels(reason=reason).inc(number)

    def confirmed(self) -> dict[str, tuple[float, float]]:
        """Return how many messages each ``receiver/channel`` has confirmed, and the sum of their latencies in seconds."""
        found: dict[str, list[float]] = {}
        for at, series, suffix in ((0, self.notifications, "_total"), (1, self.notification_latency, "_sum")):
            for sample in (sample for family in series.collect() for sample in family.samples):
                if sample.name.endswith(suffix):
                    name = f"{sample.labels['receiver']}/{sample.labels['channel']}"
                    found.setdefault(name, [0.0, 0.0])[at] = sample.value
        return {name: (number, seconds) for name, (number, seconds) in found.items()}

    def expose(self) -> bytes:
        """Return the Prometheus text format."""
        return generate_latest(self._others) + self.accounts.text()

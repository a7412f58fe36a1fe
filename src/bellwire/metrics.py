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

from bellwire import __version__
from bellwire.model import SourceState, Via

if TYPE_CHECKING:
    from collections.abc import Mapping

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter that no one asks for

_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)


class Metrics:
    """All of Bellwire's series in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._lags: dict[str, float] = {}  # to ask the registry for one would walk through all of them
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self.alerts_received = counter("bellwire_alerts_received", "Alerts recorded.", ["account", "via"])
        self.source_state = gauge(
            "bellwire_source_state", "1 for the present state of the source.", ["account", "state"]
        )
        self.source_lag = gauge(
            "bellwire_source_lag_seconds",
            "From the vendor's creation of the newest alert to its record here.",
            ["account"],
        )
        self.stream_missed = counter(
            "bellwire_stream_missed", "Alerts that the stream should have brought.", ["account"]
        )
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
        build_info = gauge("bellwire_build_info", "1, with the version.", ["version"])
        build_info.labels(version=__version__).set(1)

    def add_account(self, account: str) -> None:
        """Make the account's series exist from the start, at 0."""
        for state in SourceState:
            self.source_state.labels(account=account, state=state.value)
        for via in Via:
            self.alerts_received.labels(account=account, via=via.value)
        self.stream_missed.labels(account=account)
        self.source_lag.labels(account=account)

    def set_source_state(self, account: str, present: SourceState) -> None:
        """Show ``present`` as the account's state, and every other as past."""
        for state in SourceState:
            self.source_state.labels(account=account, state=state.value).set(state is present)

    def count_suppressed(self, numbers: Mapping[str, int]) -> None:
        """Count what was suppressed, by reason."""
        for reason, number in numbers.items():
            self.suppressed.labels(reason=reason).inc(number)

    def set_lag(self, account: str, seconds: float) -> None:
        """Show ``seconds`` as the account's lag."""
        self._lags[account] = seconds
        self.source_lag.labels(account=account).set(seconds)

    def lag(self, account: str) -> float:
        """Return the account's lag, in seconds, as it is shown."""
        return self._lags.get(account, 0.0)

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
        return generate_latest(self.registry)

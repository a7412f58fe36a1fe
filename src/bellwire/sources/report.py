"""What a source says about itself: its state, in the log, in the metrics and on the status page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.model import SourceState
from bellwire.states import SourceSignal, next_source_state

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.errors import SourceError
    from bellwire.metrics import Metrics
    from bellwire.ports import Clock

_log = structlog.get_logger()
_QUIET = timedelta(minutes=10)
_PASSING = frozenset({SourceState.CONNECTING, SourceState.BACKING_OFF})


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceStatus:
    """A source as the status page shows it. Times are the wall's; ``last_error`` is the last one, mended or not."""

    state: SourceState
    since: datetime
    last_item_at: datetime | None
    last_error: str | None
    reconnects: int
    missed: int


class Repeats:
    """Lets a repeating fault speak once, and then every ten minutes with the number of times it kept silent."""

    __slots__ = ("_clock", "_said")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[str, tuple[datetime, int]] = {}

    def say(self, fault: str) -> int | None:
        """Return how often ``fault`` came since it last spoke, None if it is to be silent now."""
        now = self._clock.now()
        last, silent = self._said.get(fault, (None, 0))
        if last is not None and now - last < _QUIET:
            self._said[fault] = (last, silent + 1)
            return None
        self._said[fault] = (now, 0)
        return silent


class Report:
    """One source's state and figures."""

    __slots__ = (
        "_account",
        "_clock",
        "_last_error",
        "_last_item_at",
        "_metrics",
        "_missed",
        "_reconnects",
        "_repeats",
        "_since",
        "_state",
    )

    def __init__(self, account: str, metrics: Metrics, clock: Clock) -> None:
        self._account = account
        self._metrics = metrics
        self._clock = clock
        self._repeats = Repeats(clock)
        self._state = SourceState.STOPPED
        self._since = clock.wall()
        self._last_item_at: datetime | None = None
        self._last_error: str | None = None
        self._reconnects = 0
        self._missed = 0
        metrics.accounts.set_state(account, self._state)

    @property
    def _log(self) -> Any:
        return _log.bind(account=self._account)

    @property
    def state(self) -> SourceState:
        """The state alone, for those who look at thousands."""
        return self._state

    @property
    def status(self) -> SourceStatus:
        """The source as it is now."""
        return SourceStatus(
            state=self._state,
            since=self._since,
            last_item_at=self._last_item_at,
            last_error=self._last_error,
            reconnects=self._reconnects,
            missed=self._missed,
        )

    def signal(self, signal: SourceSignal) -> bool:
        """Follow a signal; return whether it changed the state."""
        before, self._state = self._state, next_source_state(self._state, signal)
        if self._state is before:
            return False
        self._since = self._clock.wall()
        self._metrics.accounts.set_state(self._account, self._state)
        # a source that cannot connect goes to and fro between these two: its error has said so
        quiet = {before, self._state} <= _PASSING
        (self._log.debug if quiet else self._log.info)("source_state", state=self._state.value, before=before.value)
        return True

    def failed(self, error: SourceError, doing: str) -> None:
        """Tell of a call to the vendor that failed."""
        self._last_error = str(error)
        self._metrics.source_errors.labels(account=self._account, reason=error.reason).inc()
        repeated = self._repeats.say(f"{doing} {error.reason}")
        if repeated is not None:
            self._log.warning("source_failed", doing=doing, reason=error.reason, error=str(error), repeated=repeated)

    def broken(self, reason: str, where: str) -> None:
        """Tell of something of our own that failed, so that the source begins anew."""
        self._last_error = f"{reason} ({where})"
        self._metrics.source_errors.labels(account=self._account, reason=reason).inc()
        repeated = self._repeats.say(self._last_error)
        if repeated is not None:
            self._log.error("source_broken", reason=reason, where=where, repeated=repeated)

    def discarded(self, reason: str, detail: str) -> int | None:
        """Tell of stream data that was dropped; return how often it was not told before, None if it is not told now."""
        self._metrics.stream_discarded.labels(account=self._account, reason=reason).inc()
        repeated = self._repeats.say(f"discarded {reason}")
        if repeated is not None:
            self._log.warning("stream_data_discarded", reason=reason, detail=detail, repeated=repeated)
        return repeated

    def missed(self, count: int) -> None:
        """Tell that the list had what the stream should have brought."""
        self._missed += count
        self._metrics.accounts.count_missed(self._account, count)
        self._log.warning("stream_missed", count=count)

    def gap(self, began: datetime, ended: datetime, found: int) -> None:
        """Tell of a time in which nothing could arrive."""
        self._log.info("source_gap", began=began.isoformat(), ended=ended.isoformat(), found=found)

    def unfinished(self) -> None:
        """Tell that the list kept changing, so that what is left is found later."""
        if (repeated := self._repeats.say("list_keeps_changing")) is not None:
            self._log.info("list_keeps_changing", repeated=repeated)

    def hidden(self, count: int) -> None:
        """Tell that the vendor counts more unread notifications than its list names."""
        if (repeated := self._repeats.say("unread_hidden")) is not None:
            self._log.warning("unread_hidden", count=count, repeated=repeated)

    def arrived(self) -> None:
        """Note the time: something came."""
        self._last_item_at = self._clock.wall()

    def reconnected(self) -> None:
        """Count a stream that was opened again."""
        self._reconnects += 1

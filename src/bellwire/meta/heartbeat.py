"""The heartbeat: an address that is called as long as every part makes progress, so that silence says that one does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import structlog

from bellwire.config.schema import HttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bellwire.config.schema import HeartbeatConfig
    from bellwire.http import HttpPool
    from bellwire.metrics import Metrics
    from bellwire.ports import Clock

_LONGEST = 10.0  # seconds that a call may take

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """How the heartbeat goes. ``failing`` says why the last call failed, ``withheld`` why it was not made."""

    last_success_at: datetime | None = None
    failing: str | None = None
    withheld: str | None = None


class Heartbeat:
    """Calls the address every interval. ``stalled`` returns what makes no progress, a sentence each."""

    def __init__(
        self,
        settings: HeartbeatConfig,
        pool: HttpPool,
        stalled: Callable[[], Awaitable[list[str]]],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._stalled = stalled
        self._clock = clock
        self._beats = metrics.heartbeats
        self.pulse = Pulse()

    async def run(self) -> None:
        """Beat until cancelled."""
        interval = self._settings.interval.total_seconds()
        while True:
            began = self._clock.now()
            await self._beat()
            taken = (self._clock.now() - began).total_seconds()
            await self._clock.sleep(interval - taken if taken < interval else interval)

    async def _beat(self) -> None:
        before = self.pulse
        if stalled := await self._stalled():
            self._beats.labels(outcome="withheld").inc()
            if before.withheld is None:
                log.error("heartbeat_withheld", reasons=stalled)
            self.pulse = Pulse(last_success_at=before.last_success_at, failing=before.failing, withheld=stalled[0])
        elif failure := await self._call():
            self._beats.labels(outcome="failed").inc()
            if before.failing is None:  # once: it is counted each time
                log.warning("heartbeat_failed", reason=failure)
            self.pulse = Pulse(last_success_at=before.last_success_at, failing=failure)
        else:
            self._beats.labels(outcome="sent").inc()
            if before.failing or before.withheld:
                log.info("heartbeat_beats_again")
            self.pulse = Pulse(last_success_at=self._clock.wall())

    async def _call(self) -> str | None:
        """Call the address; return why that failed, in words of our own: it holds a secret, and errors would show it."""
        limit = min(_LONGEST, self._settings.interval.total_seconds())
        try:
            async with (
                asyncio.timeout(limit),
                self._pool.session(HttpConfig()).get(
                    self._settings.url.get_secret_value(), allow_redirects=False
                ) as answer,
            ):
                return None if answer.ok and answer.status < 300 else f"HTTP {answer.status}"  # noqa: PLR2004 - no redirect
        except TimeoutError:
            return f"no answer within {limit:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__

"""The audit that runs by itself: the whole ledger every hour, a slice at a time, so that nobody notices it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bellwire.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.metrics import Metrics
    from bellwire.ports import Clock
    from bellwire.records import AuditSlice

EVERY = 3600.0
"""Seconds from the end of one audit to the beginning of the next."""
_AGAIN = 60.0  # seconds after one that failed, or that found something: is it still so?
_SHARE = 10  # a slice is followed by a pause of so many times its own length

_UNKNOWN = float("nan")

Balance = dict[str, Any]

log = structlog.get_logger(__name__)


class AuditedLedger(Protocol):
    """The ledger as the audit sees it."""

    async def audit_slice(self, after: str) -> AuditSlice:
        """Audit the alerts that follow the id ``after``."""
        ...

    def balance_of(self, slices: Sequence[AuditSlice]) -> Balance:
        """Add up all the slices of an audit."""
        ...


class Auditor:
    """Audits, keeps the last balance, and shows what is unaccounted for in the metrics."""

    def __init__(self, ledger: AuditedLedger, clock: Clock, metrics: Metrics) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self.last: Balance | None = None
        # An alarm on "> 0" stays still and one on "absent" too, until the first audit has spoken.
        metrics.unaccounted_alerts.set(_UNKNOWN)

    async def run(self) -> None:
        """Audit every hour, until cancelled; sooner after one that failed or found something."""
        while True:
            try:
                balance = await self.audit(gently=True)
            except LedgerError as error:
                log.warning("audit_failed", error=str(error))
                balance = None
            except Exception:
                log.exception("audit_failed")
                balance = None
            if balance is None:
                self._metrics.unaccounted_alerts.set(_UNKNOWN)
            await self._clock.sleep(EVERY if balance and not balance["unaccounted"] else _AGAIN)

    async def audit(self, *, gently: bool = False) -> Balance:
        """Add up the whole ledger; ``gently``: with pauses, so that others hardly notice."""
        slices: list[AuditSlice] = []
        after: str | None = ""
        while after is not None:
            began = self._clock.now()
            slices.append(await self._ledger.audit_slice(after))
            after = slices[-1].last
            if gently and after is not None:
                await self._clock.sleep(_SHARE * (self._clock.now() - began).total_seconds())
        balance = self._ledger.balance_of(slices)
        if balance["unaccounted"] and (self.last is None or not self.last["unaccounted"]):
            log.error("alerts_unaccounted", alerts=balance["unaccounted"], faults=balance["faults"])
        self.last = balance
        self._metrics.unaccounted_alerts.set(balance["unaccounted"])
        return balance

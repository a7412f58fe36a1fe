"""The watch over Bellwire's own troubles: every few seconds it looks, and has the ledger write down what changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import LedgerError
from bellwire.meta.conditions import conditions_of
from bellwire.meta.decide import Calm, Moment, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bellwire.meta.sight import AccountSight, Sight
    from bellwire.model import AccountKey, ChannelKey
    from bellwire.ports import Clock, TroubleLedger
    from bellwire.trouble_records import TroubleNews

PAUSE = 2.0
"""Seconds between two looks: what came and went within them is not told."""

_FORGET_EVERY = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Watch:
    """Looks for troubles. ``look`` returns the daemon as it is; ``keep`` is how long troubles that ended are kept."""

    def __init__(self, look: Callable[[], Sight], ledger: TroubleLedger, clock: Clock, keep: timedelta) -> None:
        self._look = look
        self._ledger = ledger
        self._clock = clock
        self._keep = keep
        self._calm = Calm()
        self._silences = Silences(ledger, clock)
        self._told: tuple[ChannelKey, ...] | None = None
        self._forget_at = clock.now()
        self._turned_at = clock.now()

    def stuck_for(self) -> float:
        """Return for how many seconds it has not looked."""
        return (self._clock.now() - self._turned_at).total_seconds()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self._round()
            except LedgerError as error:
                log.error("troubles_unwatched", error=str(error))
            except Exception:
                # Whatever it is, it must not end the watch.
                log.exception("troubles_unwatched")
            await self._clock.sleep(PAUSE)

    async def _round(self) -> None:
        self._turned_at = self._clock.now()
        seen = self._look()
        known = await self._ledger.look_for_troubles()
        at = Moment(now=self._clock.now(), wall=self._clock.wall())
        conditions = conditions_of(seen, known, await self._silences.of(seen.accounts), at.wall)
        news = decide(seen, known, conditions, self._calm, at)
        if news.begun or news.grown or news.ended or seen.told != self._told:
            await self._ledger.note_troubles(news)
            self._told = seen.told
            _log(news)
        if at.now >= self._forget_at:
            self._forget_at = at.now + _FORGET_EVERY
            while await self._ledger.forget_troubles(at.wall - self._keep):
                pass


def _log(news: TroubleNews) -> None:
    for begun in news.begun:
        log.warning("trouble_began", kind=begun.kind.value, subject=begun.subject, told=len(news.channels))
    for ended in news.ended:
        log.info("trouble_ended", kind=ended.kind.value, subject=ended.subject, told=len(news.channels))


class Silences:
    """For how long each account has been silent, by the steady clock: from its last alert, whichever run that was in."""

    def __init__(self, ledger: TroubleLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._heard: dict[AccountKey, tuple[datetime | None, datetime]] = {}  # by the wall, as it was seen; steady

    async def of(self, accounts: Sequence[AccountSight]) -> dict[AccountKey, float]:
        """Return the seconds for each account that has a limit."""
        limited = [account for account in accounts if account.silence]
        self._heard = {each.key: self._heard[each.key] for each in limited if each.key in self._heard}
        for account in limited:
            before = self._heard.get(account.key)
            if before is None:
                self._heard[account.key] = account.last_item_at, await self._first(account)
            elif before[0] != account.last_item_at:
                self._heard[account.key] = account.last_item_at, self._clock.now()
        now = self._clock.now()
        return {key: (now - heard_at).total_seconds() for key, (_, heard_at) in self._heard.items()}

    async def _first(self, account: AccountSight) -> datetime:
        last = await self._ledger.last_arrival(account.key)
        ago = max(timedelta(0), self._clock.wall() - last) if last else timedelta(0)
        return self._clock.now() - ago

"""Keeps polls under a vendor's own limit: so many a minute for each login, whichever accounts use it.

A token bucket: no minute has more polls than the bucket holds and what flows in meanwhile. It begins with one poll, not
full, so that a restart does not buy a second bucket's worth within the same minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bellwire.apis.gate import VendorPause

if TYPE_CHECKING:
    from bellwire.config.schema import AccountConfig, Authorization
    from bellwire.ports import Clock

    _Login: TypeAlias = tuple[str, str, Authorization | None]

_MINUTE = 60.0
_BURST_SHARE = 6  # of the limit, a sixth may go at once
_ROUNDING = 1e-5  # of a poll: times have microseconds, so that what was waited for may fall a little short
_SPARE = 2  # polls a minute for a restart, and for those that the network pushes together


class Ration:
    """What one login may still poll: wait for `pause`, then `take`, with nothing awaited in between."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._burst = max(1, per_minute // _BURST_SHARE)
        self._per_second = max(1, per_minute - self._burst - _SPARE) / _MINUTE
        self._tokens = 1.0
        self._at = clock.now()

    def pause(self) -> float:
        """Return the seconds until a poll may be made, 0 if now."""
        now = self._clock.now()
        flowed = (now - self._at).total_seconds() * self._per_second
        self._tokens, self._at = min(self._burst, self._tokens + flowed), now
        missing = 1.0 - self._tokens
        return max(0.0, missing / self._per_second) if missing > _ROUNDING else 0.0

    def take(self) -> None:
        """Count a poll that is made now."""
        self._tokens -= 1.0


class Rations:
    """What accounts with the same login at the same vendor share, made as it is asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rations: dict[_Login, Ration] = {}
        self._pauses: dict[_Login, VendorPause] = {}

    def of(self, account: AccountConfig, per_minute: int | None) -> Ration | None:
        """Return the ration of the account's login; None: no limit."""
        if per_minute is None:
            return None
        ration = self._rations.get(login := _login(account))
        if ration is None:
            ration = self._rations[login] = Ration(self._clock, per_minute)
        return ration

    def pause_of(self, account: AccountConfig) -> VendorPause:
        """Return the pause that the vendor asked the account's login for, if it did."""
        pause = self._pauses.get(login := _login(account))
        if pause is None:
            pause = self._pauses[login] = VendorPause(self._clock)
        return pause


def _login(account: AccountConfig) -> _Login:
    return account.api, account.base_url.rstrip("/"), account.authorization

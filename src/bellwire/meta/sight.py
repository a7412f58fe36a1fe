"""What the watch over troubles looks at: the daemon, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bellwire.model import AccountKey, ChannelKey, SourceState


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSight:
    """An account that is watched, and not paused. Times are the wall's; ``silence`` 0 is no limit, in seconds."""

    key: AccountKey
    state: SourceState
    since: datetime
    last_item_at: datetime | None = None
    last_error: str | None = None
    silence: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortfall:
    """What an audit found: how many alerts are unaccounted for, and what is wrong with them."""

    alerts: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """The daemon at one moment.

    ``accounts`` are those that are not well, or have a limit to their silence; ``well`` names all that are well.
    ``channels`` are those that deliver, ``told`` those of ``meta_receiver``; ``shortfall`` is None until an audit is
    done; ``page`` is the status page's address, where it is known.
    """

    accounts: tuple[AccountSight, ...] = ()
    well: frozenset[str] = frozenset()
    channels: tuple[ChannelKey, ...] = ()
    told: tuple[ChannelKey, ...] = ()
    reload_failure: str | None = None
    shortfall: Shortfall | None = None
    zone: tzinfo = UTC
    page: str | None = None

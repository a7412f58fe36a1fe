"""From what is seen to what is wrong: pure.

A condition holds, does not hold, or cannot be told now: a source that connects says nothing of its credentials, so that
a restart neither ends a trouble nor begins it again. What is not named at all does not hold: its channel or account is
gone from the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.model import SourceState, TroubleKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bellwire.meta.sight import AccountSight, Sight
    from bellwire.model import AccountKey
    from bellwire.trouble_records import BrokenChannel, TroubleSight

WORKING = frozenset({SourceState.STREAMING, SourceState.POLLING})
_CATCH_UP = timedelta(minutes=1)
"""So long a source must have worked before its silence counts: what came while it did not is still being read."""

Key = tuple[TroubleKind, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """Something that may be wrong; ``holds`` None: it cannot be told now. ``why`` is for people."""

    kind: TroubleKind
    subject: str = ""
    holds: bool | None
    why: str = ""
    since: datetime | None = None  # by the wall's clock, where it is known

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.kind, self.subject


def conditions_of(
    seen: Sight, known: TroubleSight, quiet: Mapping[AccountKey, float], wall: datetime
) -> dict[Key, Condition]:
    """Return every condition; ``quiet`` is how many seconds ago each account's last item came."""
    every = [
        *_channels(seen, {broken.key: broken for broken in known.broken}),
        *_well(seen, known),
        *(condition for account in seen.accounts for condition in _account(account, quiet, wall)),
        _reload(seen),
        _audit(seen),
    ]
    return {condition.key: condition for condition in every}


def _channels(seen: Sight, broken: Mapping[object, BrokenChannel]) -> Iterator[Condition]:
    for key in seen.channels:
        found = broken.get(key)
        yield Condition(
            kind=TroubleKind.CHANNEL_BROKEN,
            subject=str(key),
            holds=found is not None,
            why=found.error if found else "",
            since=found.since if found else None,
        )


def _well(seen: Sight, known: TroubleSight) -> Iterator[Condition]:
    """Name those that are well and had a trouble: of the others, which are thousands, nothing needs to be said."""
    for trouble in known.open:
        if trouble.kind is TroubleKind.ACCOUNT_UNAUTHORIZED and trouble.subject in seen.well:
            yield Condition(kind=trouble.kind, subject=trouble.subject, holds=False)


def _account(account: AccountSight, quiet: Mapping[AccountKey, float], wall: datetime) -> Iterator[Condition]:
    works, denied = account.state in WORKING, account.state is SourceState.UNAUTHORIZED
    yield Condition(
        kind=TroubleKind.ACCOUNT_UNAUTHORIZED,
        subject=account.key.name,
        holds=denied if works or denied else None,
        why=account.last_error or "",
        since=account.since if denied else None,
    )
    if not account.silence:
        return
    seconds = quiet.get(account.key, 0.0)
    silent = seconds >= account.silence
    ripe = works and wall - account.since >= min(_CATCH_UP, timedelta(seconds=account.silence))
    yield Condition(
        kind=TroubleKind.ACCOUNT_SILENT,
        subject=account.key.name,
        holds=silent if ripe or not silent else None,
        why=f"nothing has come from it for longer than alert_when_silent allows ({account.silence:,.0f} s)",
        since=wall - timedelta(seconds=seconds),
    )


def _reload(seen: Sight) -> Condition:
    why = seen.reload_failure
    return Condition(kind=TroubleKind.RELOAD_FAILED, holds=why is not None, why=why or "")


def _audit(seen: Sight) -> Condition:
    found = seen.shortfall
    return Condition(
        kind=TroubleKind.ALERTS_UNACCOUNTED,
        holds=None if found is None else found.alerts > 0,
        why="" if found is None else "\n".join([f"{found.alerts:,} in all", *found.faults]),
    )

"""Which troubles begin, grow and end: pure, but for the memory of what ended lately.

A trouble is told once when it begins and once when it ends. One that comes back within an hour of its end is told again,
but then ends only after ten minutes of calm: whatever goes to and fro is told a few times an hour, not thousands.
Deaths and failed read marks are counted: one trouble a channel or account, over when none came for a quarter of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.meta.wording import beginning, ending
from bellwire.model import TroubleKind
from bellwire.trouble_records import TroubleBegun, TroubleEnded, TroubleNews

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bellwire.meta.conditions import Condition, Key
    from bellwire.meta.sight import Sight
    from bellwire.trouble_records import Trouble, TroubleSight

COUNTED = frozenset({TroubleKind.DELIVERIES_DEAD, TroubleKind.READ_MARKS_FAILED})
QUIET = timedelta(minutes=15)
"""What is counted is over when nothing was added for so long."""
CALM = timedelta(minutes=10)
"""So long a trouble that came back must be gone before it is over."""
LATELY = timedelta(hours=1)


@dataclass(slots=True)
class Calm:
    """What ended lately, and since when what came back is gone again. Times are of the steady clock, and the wall's."""

    ended: dict[Key, datetime] = field(default_factory=dict)
    gone: dict[Key, tuple[datetime, datetime]] = field(default_factory=dict)

    def back(self, key: Key) -> None:
        """Take note that the trouble is there."""
        self.gone.pop(key, None)

    def over(self, key: Key, now: datetime, wall: datetime) -> datetime | None:
        """Take note that the trouble is not there; return when it ended (by the wall), None if it is too early to say."""
        since, ended_at = self.gone.setdefault(key, (now, wall))
        last = self.ended.get(key)
        if last is not None and since - last < LATELY and now - since < CALM:
            return None
        del self.gone[key]
        self.ended[key] = now
        return ended_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Now, by both clocks."""

    now: datetime
    wall: datetime


def decide(
    seen: Sight, known: TroubleSight, conditions: Mapping[Key, Condition], calm: Calm, at: Moment
) -> TroubleNews:
    """Return what changed."""
    open_ = {(trouble.kind, trouble.subject): trouble for trouble in known.open}
    tallied = {(tally.kind, tally.subject): tally for tally in known.tallies}
    begun = [*_begun(seen, conditions, open_, calm, at)]
    for key, tally in tallied.items():
        if key not in open_:
            telling = beginning(tally.kind, tally.subject, tally.example, tally.number, seen.page)
            begun.append(
                TroubleBegun(kind=tally.kind, subject=tally.subject, began_at=at.wall, telling=telling, tally=tally)
            )
    return TroubleNews(
        begun=tuple(begun),
        grown=tuple(tally for key, tally in tallied.items() if key in open_),
        ended=tuple(_ended(seen, conditions, [t for key, t in open_.items() if key not in tallied], calm, at)),
        channels=seen.told,
    )


def _begun(
    seen: Sight, conditions: Mapping[Key, Condition], open_: Mapping[Key, Trouble], calm: Calm, at: Moment
) -> Iterator[TroubleBegun]:
    for key, condition in conditions.items():
        if not condition.holds:
            continue
        calm.back(key)
        if key not in open_:
            telling = beginning(condition.kind, condition.subject, condition.why, page=seen.page)
            began_at = condition.since or at.wall
            yield TroubleBegun(kind=condition.kind, subject=condition.subject, began_at=began_at, telling=telling)


def _ended(
    seen: Sight, conditions: Mapping[Key, Condition], candidates: list[Trouble], calm: Calm, at: Moment
) -> Iterator[TroubleEnded]:
    for trouble in candidates:
        condition = conditions.get((trouble.kind, trouble.subject))
        if trouble.kind in COUNTED:
            ended_at = _quiet_since(trouble, at)
        elif trouble.kind is TroubleKind.LEDGER_UNWRITABLE:
            ended_at = at.wall  # it was written down, so it is over
        elif condition is None:
            ended_at = at.wall
        else:
            ended_at = None if condition.holds is not False else _over(trouble, calm, at)
        if ended_at is not None:
            gone = condition is None and trouble.kind not in COUNTED and bool(trouble.subject)
            telling = ending(trouble, ended_at, seen.zone, gone=gone)
            yield TroubleEnded(kind=trouble.kind, subject=trouble.subject, ended_at=ended_at, telling=telling)


def _over(trouble: Trouble, calm: Calm, at: Moment) -> datetime | None:
    return calm.over((trouble.kind, trouble.subject), at.now, at.wall)


def _quiet_since(trouble: Trouble, at: Moment) -> datetime | None:
    """Return when the last one was counted, by the wall, if that is long enough ago."""
    if trouble.counted_at is not None and at.now - trouble.counted_at < QUIET:
        return None
    return at.wall - (at.now - trouble.counted_at) if trouble.counted_at else at.wall

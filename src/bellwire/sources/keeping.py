"""Keeps where all sources stand, every minute and together: thousands of commits a minute would be more than all else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bellwire.ports import Clock
    from bellwire.sources.source import Source

_EVERY = 60.0  # seconds
_MOST = 1000  # at once; where there are more, each has its turn after more than a minute

log = structlog.get_logger(__name__)


async def keep_positions(sources: Callable[[], Sequence[Source]], clock: Clock) -> None:
    """Save the positions of the sources as they are then, until cancelled.

    Each saves its own when it ends, and after each catch-up; these are for the day when the power fails.
    """
    turn = 0
    while True:
        await clock.sleep(_EVERY)
        every = sources()
        turn = turn if turn < len(every) else 0
        some = every[turn : turn + _MOST]
        turn += _MOST
        for answer in await asyncio.gather(*(source.save() for source in some), return_exceptions=True):
            if isinstance(answer, Exception):  # whatever it is: with the next minute comes another
                error = str(answer) if isinstance(answer, LedgerError) else type(answer).__name__
                log.warning("positions_not_saved", error=error)
                break

"""The machine's clock, held against the Date that the servers of accounts answer with.

Tokens, signatures, quiet hours and cron follow it. Nobody is logged in: a HEAD of the base address is asked for.
"""

from __future__ import annotations

import asyncio
import statistics
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bellwire.config.schema import HttpConfig
    from bellwire.doctor.diagnosis import Patient

_ASKED = 5  # servers
_PATIENCE = 5.0  # seconds for each
_HALF = timedelta(seconds=0.5)  # a Date has whole seconds, cut off
_NOTED = 5.0  # seconds of difference
_HARMFUL = 60.0
_REMEDY = "have it set by NTP (`timedatectl set-ntp true`): tokens, signatures and quiet hours follow it"


def check_clock(patient: Patient) -> Iterator[Check]:
    """Yield one check."""
    yield Check(name="clock", subject="this machine", look=partial(_look, patient))


async def _look(patient: Patient) -> list[Diagnosis]:
    servers: Mapping[str, HttpConfig] = {each.base_url: each.http_config for each in patient.config.accounts}
    some = list(servers.items())[:_ASKED]
    measured = await asyncio.gather(*(_difference(patient, url, http) for url, http in some))
    seconds = [each for each in measured if each is not None]
    if not seconds:
        return [warning("no server told its time, so the clock was compared with nothing", "see `timedatectl`")]
    off = statistics.median(seconds)
    compared = f"compared with {len(seconds)} server{'s' if len(seconds) > 1 else ''}"
    if abs(off) < _NOTED:
        return [ok(f"the clock is right to {max(1.0, abs(off)):.0f} s, {compared}")]
    text = f"the clock is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}, {compared}"
    return [(failed if abs(off) >= _HARMFUL else warning)(text, _REMEDY)]


async def _difference(patient: Patient, url: str, http: HttpConfig) -> float | None:
    """Return by how many seconds our clock is ahead of the server's, None if it did not say."""
    try:
        async with asyncio.timeout(_PATIENCE):
            before = patient.clock.wall()
            async with patient.pool.session(http).head(url, allow_redirects=False) as response:
                after, given = patient.clock.wall(), response.headers.get("Date", "")
        theirs = parsedate_to_datetime(given) + _HALF
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        return None
    return (before + (after - before) / 2 - _in_utc(theirs)).total_seconds()


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)

"""Making all checks at once, each bounded in time, so that one that hangs costs no more than its own time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bellwire.doctor import CHECKS
from bellwire.doctor.diagnosis import Finding, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bellwire.doctor.diagnosis import Check, Diagnosis, Patient

_AT_ONCE = 50
_LONGEST = 6.0  # times a check's own time that all of them may take together


async def examine(patient: Patient, seconds: float, progress: Callable[[int, int], None]) -> list[Finding]:
    """Return what all checks find, in the order of `CHECKS`; each may take so many seconds, and all together six times that.

    ``progress`` is told how many of how many are done.
    """
    checks = [check for checks in CHECKS.values() for check in checks(patient)]
    return await make(checks, seconds, progress)


async def make(checks: Sequence[Check], seconds: float, progress: Callable[[int, int], None]) -> list[Finding]:
    """Return what these checks find, in their order."""
    places = asyncio.Semaphore(_AT_ONCE)
    end = asyncio.get_running_loop().time() + seconds * _LONGEST
    done = 0

    async def one(check: Check) -> list[Finding]:
        nonlocal done
        diagnoses = await _diagnoses(check, places, seconds, end)
        done += 1
        progress(done, len(checks))
        return [Finding(check=check.name, subject=check.subject, diagnosis=each) for each in diagnoses]

    found = await asyncio.gather(*(one(check) for check in checks))
    return [finding for findings in found for finding in findings]


async def _diagnoses(check: Check, places: asyncio.Semaphore, seconds: float, end: float) -> Iterable[Diagnosis]:
    try:
        async with asyncio.timeout_at(end), places, asyncio.timeout(seconds):
            return list(await check.look())
    except TimeoutError:
        return [failed(f"no answer within {seconds:g} s", "see whether a firewall or a proxy is in between")]
    except Exception as error:  # noqa: BLE001 - one check that fails in a way nobody thought of must not hide the others
        return [failed(f"the check itself failed ({type(error).__name__})", "see the log, and report it")]

"""``bellwire doctor``: tries everything that the configuration names, and says how to mend what does not work."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellwire.cli.errors import configured
from bellwire.cli.printing import ask_options, plain, print_json, say
from bellwire.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.config.schema import Config
    from bellwire.doctor.diagnosis import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command("doctor")
@click.option(
    "--timeout", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds for each check."
)
@ask_options
def doctor(option: str | None, as_json: bool, timeout: float) -> None:  # noqa: FBT001 - click's way
    """Try every login, address and permission that the configuration names, without sending anything.

    Run it as the user that runs the daemon. Exits 1 if something failed; a warning is none.
    """
    config, url = configured(option)
    findings = asyncio.run(_examine(config, option, url, timeout))
    if as_json:
        print_json([_fields(each) for each in findings])
    else:
        _print(findings)
    sys.exit(1 if any(each.diagnosis.health == "failed" for each in findings) else 0)


async def _examine(config: Config, option: str | None, url: str, timeout: float) -> list[Finding]:  # noqa: ASYNC109 - handed on
    from bellwire.clock import SystemClock  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.config.find import find_config  # noqa: PLC0415 - as above
    from bellwire.doctor.diagnosis import Patient  # noqa: PLC0415 - as above
    from bellwire.doctor.examine import examine  # noqa: PLC0415 - as above
    from bellwire.http import HttpPool  # noqa: PLC0415 - as above

    pool = HttpPool()
    path = find_config(option, os.environ, Path())
    patient = Patient(config=config, path=path, ledger_url=url, environ=os.environ, pool=pool, clock=SystemClock())
    try:
        with progress("looking") as bar:
            return await examine(patient, timeout, bar)
    finally:
        await pool.close()


def _fields(finding: Finding) -> dict[str, str]:
    found = finding.diagnosis
    return {
        "state": found.health.value,
        "check": finding.check,
        "subject": finding.subject,
        "text": found.text,
        "remedy": found.remedy,
    }


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        found = finding.diagnosis
        mark = click.style(f"{found.health.value:<8}", fg=_COLOURS[found.health.value])
        say(f"{mark}{plain(finding.check)} {click.style(plain(finding.subject), bold=True)}: {plain(found.text)}")
        if found.remedy:
            say(f"        → {plain(found.remedy)}")
    counts = {health: sum(each.diagnosis.health == health for each in findings) for health in _COLOURS}
    say(f"\n{counts['ok']} ok, {counts['warning']} to look at, {counts['failed']} failed")

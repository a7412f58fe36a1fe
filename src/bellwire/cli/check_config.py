"""``bellwire check-config``: says all that is wrong with configuration files, and starts nothing."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellwire.cli.errors import BAD_CONFIGURATION

if TYPE_CHECKING:
    from bellwire.config.schema import Config, RouteConfig
    from bellwire.errors import Fault


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checked:
    """What came of one file: faults, or else a line that says it is good, warnings, and what else there is to know."""

    summary: str = ""
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@click.command("check-config")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--config", "option", metavar="FILE", help="The file to check if none is named.")
@click.option("--json", "as_json", is_flag=True, help="Print all faults and warnings as one array of objects.")
def check_config(files: tuple[Path, ...], option: str | None, as_json: bool) -> None:  # noqa: FBT001  click's way
    """Check configuration files, the one that `run` would use if none is named.

    Prints each fault as FILE:LINE:COLUMN: what is wrong and what to do. Exits 78 if there is any. Warnings name what is
    legal and surely wrong, such as a route that can never match; they change no exit code.
    """
    checked = [_check(path, option) for path in files or (None,)]
    if as_json:
        rows = [_fields(fault, "error") for each in checked for fault in each.faults]
        rows += [_fields(warning, "warning") for each in checked for warning in each.warnings]
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for each in checked:
            _print(each)
    sys.exit(BAD_CONFIGURATION if any(each.faults for each in checked) else 0)


def _print(checked: _Checked) -> None:
    for fault in checked.faults:
        click.echo(fault.shown(), err=True)
    if checked.summary:
        click.echo(checked.summary)
    for note in checked.notes:
        click.echo(f"  {note}")
    for warning in checked.warnings:
        click.echo(_as_warning(warning), err=True, color=False if os.environ.get("NO_COLOR") else None)


def _as_warning(warning: Fault) -> str:
    place = f"{warning.file}:{warning.line}:{warning.column}:"
    return f"{place} {click.style('warning:', fg='yellow')} {warning.path}: {warning.message}"


def _check(path: Path | None, option: str | None) -> _Checked:
    from bellwire.config.find import find_config  # noqa: PLC0415  the command line must start fast
    from bellwire.config.load import examine  # noqa: PLC0415
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        path = path or find_config(option, os.environ, Path())
        config, warnings = examine(path, os.environ)
    except ConfigError as error:
        return _Checked(faults=error.faults)
    return _Checked(summary=f"{path}: ok: {_counts(config, warnings)}", warnings=warnings, notes=_leftovers(config))


def _counts(config: Config, warnings: tuple[Fault, ...]) -> str:
    parts = {
        "account": len(config.accounts),
        "receiver": len(config.receivers),
        "route": _count_routes(config.route),
    }
    if warnings:
        parts["warning"] = len(warnings)
    return ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in parts.items())


def _count_routes(route: RouteConfig) -> int:
    return 1 + sum(_count_routes(child) for child in route.routes)


def _leftovers(config: Config) -> tuple[str, ...]:
    """Say what the ledger holds, where there is one, for channels and accounts that this configuration lacks."""
    from bellwire.config.find import default_storage_url  # noqa: PLC0415  as above
    from bellwire.errors import LedgerError  # noqa: PLC0415

    url = default_storage_url(config, os.environ, Path())
    if not Path(url.removeprefix("sqlite:///")).exists():
        return ()
    from bellwire.assembly import accounts_of, channels_of  # noqa: PLC0415  only where there is a ledger
    from bellwire.ledger.database import open_for_reading  # noqa: PLC0415
    from bellwire.ledger.ledger import answer  # noqa: PLC0415
    from bellwire.ledger.leftovers import read_leftovers  # noqa: PLC0415

    try:
        engine = open_for_reading(url)
    except LedgerError as error:
        return (f"the ledger cannot be asked what waits: {error}",)
    try:
        left = answer(engine, lambda ledger: read_leftovers(ledger, channels_of(config), accounts_of(config)))
    finally:
        engine.dispose()
    return (
        *(
            f"{number} pending deliver{'y uses' if number == 1 else 'ies use'} {key}, which is gone:"
            " dead as channel_removed once this is loaded"
            for key, number in left.deliveries.items()
        ),
        *(
            f"{number} read mark{' waits' if number == 1 else 's wait'} for the account {key.name}"
            f" at {key.base_url}, which is gone"
            for key, number in left.read_marks.items()
        ),
    )


def _fields(fault: Fault, level: str) -> dict[str, str | int]:
    return {
        "level": level,
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "path": fault.path,
        "message": fault.message,
    }

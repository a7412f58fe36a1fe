"""``bellwire check-config``: says all that is wrong with configuration files, and starts nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellwire.cli.errors import BAD_CONFIGURATION

if TYPE_CHECKING:
    from bellwire.config.schema import Config, RouteConfig
    from bellwire.errors import Fault


@click.command("check-config")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--config", "option", metavar="FILE", help="The file to check if none is named.")
@click.option("--json", "as_json", is_flag=True, help="Print all faults as one array of objects.")
def check_config(files: tuple[Path, ...], option: str | None, as_json: bool) -> None:  # noqa: FBT001  click's way
    """Check configuration files, the one that `run` would use if none is named.

    Prints each fault as FILE:LINE:COLUMN: what is wrong and what to do. Exits 78 if there is any.
    """
    faults: list[Fault] = []
    for path in files or (None,):
        line, found = _check(path, option)
        faults += found
        if line and not as_json:
            click.echo(line)
        for fault in () if as_json else found:
            click.echo(str(fault), err=True)
    if as_json:
        click.echo(json.dumps([_fields(fault) for fault in faults], ensure_ascii=False))
    sys.exit(BAD_CONFIGURATION if faults else 0)


def _check(path: Path | None, option: str | None) -> tuple[str, tuple[Fault, ...]]:
    """Return the line that says a file is good, or else its faults."""
    from bellwire.config.find import find_config  # noqa: PLC0415  the command line must start fast
    from bellwire.config.load import load  # noqa: PLC0415
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        path = path or find_config(option, os.environ, Path())
        config = load(path, os.environ)
    except ConfigError as error:
        return "", error.faults
    return f"{path}: ok: {_counts(config)}", ()


def _counts(config: Config) -> str:
    routes = _count_routes(config.route)
    return f"{len(config.accounts)} accounts, {len(config.receivers)} receivers, {routes} routes"


def _count_routes(route: RouteConfig) -> int:
    return 1 + sum(_count_routes(child) for child in route.routes)


def _fields(fault: Fault) -> dict[str, str | int]:
    return {
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "path": fault.path,
        "message": fault.message,
    }

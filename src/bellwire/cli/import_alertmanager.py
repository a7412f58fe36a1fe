"""``bellwire import-alertmanager``: turns an Alertmanager configuration into ours."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bellwire.cli.errors import BAD_CONFIGURATION


@click.command("import-alertmanager")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def import_alertmanager(file: Path) -> None:
    """Print what an Alertmanager's configuration FILE (- for standard input) says, as ours.

    Routes, receivers, time intervals and inhibition are taken over; a comment stands for each thing that has no
    equivalent. What is printed has no accounts yet: add yours, then `bellwire check-config`. Exits 78 if FILE cannot be
    read.
    """
    from bellwire.alertmanager.translate import translate  # noqa: PLC0415 - the command line must start fast
    from bellwire.config.load import read_text  # noqa: PLC0415
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        text = sys.stdin.read() if str(file) == "-" else read_text(file)
        printed = translate(text, str(file))
    except ConfigError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        sys.exit(BAD_CONFIGURATION)
    click.echo(printed, nl=False)

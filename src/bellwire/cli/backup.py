"""``bellwire backup``: a consistent copy of the ledger, whether or not the daemon runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellwire.cli.errors import TO_READ, configured
from bellwire.cli.printing import ask_options, fail, print_json, say
from bellwire.cli.progress import progress

if TYPE_CHECKING:
    from bellwire.ledger.backup import Backup

_UNITS = ("B", "KB", "MB", "GB", "TB")
_STEP = 1000


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@ask_options
def backup(file: Path, force: bool, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Copy the ledger to FILE, while the daemon goes on writing.

    The copy is of one moment, is checked, and appears whole or not at all. To restore it, stop the daemon and put it in
    the ledger's place (and remove the ledger's -wal and -shm files).
    """
    _, url = configured(option, TO_READ)
    from bellwire.errors import BellwireError  # noqa: PLC0415 - commands start fast
    from bellwire.ledger.backup import back_up  # noqa: PLC0415 - as above

    if url.startswith("postgres"):
        fail("the ledger is in PostgreSQL: back it up with pg_dump")
    try:
        with progress("backing up") as bar:
            made = back_up(url, file, bar, overwrite=force)
    except BellwireError as error:
        fail(str(error))
    if as_json:
        print_json([{"file": str(made.path), "bytes": made.size, "alerts": made.alerts, "schema": made.schema}])
    else:
        say(_sentence(made))


def _sentence(made: Backup) -> str:
    return f"{made.path}: {human(made.size)}, {made.alerts:,} alerts, schema {made.schema}, checked"


def human(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in _UNITS[:-1]:
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} {_UNITS[-1]}"

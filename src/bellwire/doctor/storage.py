"""The ledger: its folder, its disk, and the SQLite that keeps it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
from functools import partial
from typing import TYPE_CHECKING

from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning
from bellwire.errors import BellwireError
from bellwire.ledger.database import open_for_reading, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bellwire.doctor.diagnosis import Patient

_MENDED = (3, 51, 3)
_LITTLE = 1024**3  # bytes
_TOO_LITTLE = 100 * 1024**2


def check_storage(patient: Patient) -> Iterator[Check]:
    """Yield the ledger's checks, of a ledger in SQLite."""
    if not patient.ledger_url.startswith("sqlite"):
        return
    path = sqlite_path(patient.ledger_url)
    yield Check(name="ledger", subject=str(path), look=partial(_look, path, patient.ledger_url))
    yield Check(name="sqlite", subject=sqlite3.sqlite_version, look=_look_at_sqlite)


async def _look(path: Path, url: str) -> list[Diagnosis]:
    return await asyncio.to_thread(lambda: [*_folder(path), *_file(path, url)])


def _folder(path: Path) -> Iterator[Diagnosis]:
    folder = path.parent
    if not folder.is_dir():
        yield failed(f"{folder} is no folder", "create it, or change storage.url")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield failed(
            f"{folder} cannot be written to", f"let Bellwire's user write: chown it, or `chmod u+rwx {folder}`"
        )
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB are free on its disk"
    if free < _LITTLE:
        remedy = "make room, or shorten storage.retention: on a full disk nothing is taken in or sent"
        yield (failed if free < _TOO_LITTLE else warning)(text, remedy)
    else:
        yield ok(text)


def _file(path: Path, url: str) -> Iterator[Diagnosis]:
    if not path.exists():
        yield ok("there is no ledger yet: `bellwire run` makes one")
        return
    if not os.access(path, os.R_OK | os.W_OK):
        yield failed(f"{path} cannot be read and written", "let Bellwire's user do both")
        return
    if path.stat().st_mode & stat.S_IROTH:
        yield warning("every user of this machine may read what alerts say", f"chmod o-r {path}")
    try:
        open_for_reading(url).dispose()
    except BellwireError as error:
        yield failed(str(error), "see the runbook in docs/running.md")
    else:
        yield ok("the ledger can be read")


async def _look_at_sqlite() -> list[Diagnosis]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= _MENDED:
        return [ok(f"SQLite {version}")]
    note = "older than 3.51.3, it can damage a ledger that two programs write at once: let only Bellwire write to it"
    return [ok(f"SQLite {version}; {note}")]

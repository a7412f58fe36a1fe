"""A consistent copy of a ledger that is being written to: one snapshot, read through a connection that cannot write.

A read transaction is held for as long as copying takes. So the copy is of one moment, and never begins anew however
much is written meanwhile; the write-ahead log grows until it is done.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.errors import LedgerError, LedgerUnusableError
from bellwire.ledger.database import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAGES = 1024  # copied between two words on the progress: some 4 MiB


class BackupError(LedgerError):
    """No copy was made; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """A copy that was made and checked. ``size`` is in bytes, ``alerts`` all that the ledger ever received."""

    path: Path
    size: int
    alerts: int
    schema: str


def back_up(url: str, target: Path, progress: Callable[[int, int], None], *, overwrite: bool = False) -> Backup:
    """Copy the ledger at ``url`` to ``target``, which appears whole and checked or not at all.

    ``progress`` is told how many of how many pages are done. Raises `BackupError`, or `LedgerUnusableError` if there is
    no ledger. The copy may be read by its owner alone: it holds what alerts say.
    """
    source = sqlite_path(url)
    if not source.exists():
        msg = f"{source}: there is no ledger yet: `bellwire run` makes one"
        raise LedgerUnusableError(msg)
    _refuse(source, target, overwrite=overwrite)
    draft = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(source, draft, progress)
        alerts, schema = _check(draft)
        _flush(draft)
        size = draft.stat().st_size
        _refuse(source, target, overwrite=overwrite)  # someone else's may have come meanwhile
        draft.replace(target)
        _flush(target.parent)
    except OSError as error:
        msg = f"{error.filename or target}: {error.strerror}: choose a folder that can be written to, with room for a copy"
        raise BackupError(msg) from error
    except sqlite3.Error as error:
        msg = f"{source}: cannot be copied to {target} ({error})"
        raise BackupError(msg) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return Backup(path=target, size=size, alerts=alerts, schema=schema)


def _refuse(source: Path, target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if target.samefile(source):
        msg = f"{target} is the ledger itself: name another file"
        raise BackupError(msg)
    if not overwrite:
        msg = f"{target} exists: name another file, or say --force"
        raise BackupError(msg)


def _copy(source: Path, draft: Path, progress: Callable[[int, int], None]) -> None:
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0)) as reader,
        closing(sqlite3.connect(draft, isolation_level=None)) as writer,
    ):
        reader.execute("PRAGMA query_only=ON")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on, nothing that is written is seen
        reader.backup(writer, pages=_PAGES, progress=lambda _status, left, all_: progress(all_ - left, all_))


def _check(draft: Path) -> tuple[int, str]:
    """Return how many alerts the copy has counted, and its schema. Raises `BackupError` if it is no sound ledger."""
    # immutable: it is read as it is, and no files of a write-ahead log appear beside it
    with closing(sqlite3.connect(f"{draft.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        (said,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            msg = f"the copy is damaged, and so the ledger is ({said}): stop Bellwire and restore an earlier backup"
            raise BackupError(msg)
        (schema,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
        counted = copy.execute("SELECT number FROM totals WHERE name = 'alerts.received'").fetchone()
    return (counted[0] if counted else 0), schema


def _flush(path: Path) -> None:
    """Have the disk keep a file, or a folder's names."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Opening the database: one writing process, durable commits, and a schema that is up to date.

SQLite before 3.51.3 can damage a write-ahead log when two connections write or checkpoint at once. So exactly one
process has the file open for writing (a lock file says who), through exactly one connection; readers cannot write.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, exc, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool, StaticPool

from bellwire.errors import LedgerInUseError, LedgerUnusableError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0003"
"""The newest migration: a test holds it equal to the folder of migrations."""

_WAL_PAGES = 4000  # 16 MB: what many commits change is copied into the file once for all of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """An open database.

    ``exclusive`` is True if no other process can be writing: whatever was claimed before this one began is nobody's.
    """

    writer: Engine
    reader: Engine
    exclusive: bool
    lock: int | None = None
    readers: list[sqlite3.Connection] = field(default_factory=list)  # all that were ever opened: few

    def interrupt(self) -> None:
        """End the questions that are being answered."""
        for connection in self.readers:
            with suppress(sqlite3.ProgrammingError):  # it is closed
                connection.interrupt()

    def close(self) -> None:
        """Close readers, then the writer (which empties the write-ahead log), then let others in."""
        self.reader.dispose()
        self.writer.dispose()
        if self.lock is not None:
            os.close(self.lock)


def open_database(url: str) -> Database:
    """Open the database for writing, making it or bringing it up to date where needed.

    Raises `LedgerInUseError` if another process has it, `LedgerUnusableError` if it is damaged or newer than this program.
    """
    path = sqlite_path(url)
    lock = _lock(path)
    try:
        writer = _sqlite_writer(path)
        with _translated(path):
            _migrate(writer, path)
        readers: list[sqlite3.Connection] = []
        reader = _sqlite_reader(path, readers)
        return Database(writer=writer, reader=reader, exclusive=True, lock=lock, readers=readers)
    except BaseException:
        os.close(lock)
        raise


def open_for_reading(url: str) -> Engine:
    """Open the database so that nothing can be written, whether or not another process has it."""
    path = sqlite_path(url)
    if not path.exists():
        msg = f"{path}: there is no ledger yet: `bellwire run` makes one"
        raise LedgerUnusableError(msg)
    reader = _sqlite_reader(path, [])
    with _translated(path), reader.connect() as connection:
        version = _version(connection)
    _refuse_newer(version, path)
    if version != HEAD:
        msg = f"{path}: its schema is {version or 'empty'}, this program reads {HEAD}: start `bellwire run` once"
        raise LedgerUnusableError(msg)
    return reader


def sqlite_path(url: str) -> Path:
    """Return the file that a ``sqlite:///`` address names."""
    database = make_url(url).database
    if not database:
        msg = "the ledger needs a file: sqlite:///PATH"
        raise LedgerUnusableError(msg)
    return Path(database).absolute()


def _lock(path: Path) -> int:
    lock_path = path.with_name(path.name + ".lock")
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{lock_path}: {error.strerror}: the ledger's folder must exist and be writable"
        raise LedgerUnusableError(msg) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        msg = f"{path}: another process has this ledger open: stop it, or give this one another storage.url"
        raise LedgerInUseError(msg) from error
    return lock


def _sqlite_writer(path: Path) -> Engine:
    # Made before SQLite does, so that nobody else may read what alerts say.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,  # one connection, for ever
        hide_parameters=True,  # errors name the statement, not what alerts say
        # Each statement has a text for each size of batch; reading one anew costs more than running it.
        connect_args={"check_same_thread": False, "timeout": 1.0, "cached_statements": 1024},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: we do, below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.connection.cursor().execute("BEGIN IMMEDIATE")

    return engine


def _sqlite_reader(path: Path, opened: list[sqlite3.Connection]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=1.0)
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON")
        opened.append(connection)
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=3, max_overflow=0, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # The driver begins nothing for what only reads: each statement would see a moment of its own.
        connection.connection.cursor().execute("BEGIN")

    return engine


class _translated:  # noqa: N801 - reads as the word it is in a with statement
    """Turns what SQLite says of a file that is none into a sentence that says what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, exc.DatabaseError | sqlite3.DatabaseError):
            cause: Any = error.orig if isinstance(error, exc.DatabaseError) else error
            msg = (
                f"{self._path}: the ledger cannot be used ({cause}); nothing in it was changed: mend what it says, "
                "restore a backup, or set the file aside and start with a new one"
            )
            raise LedgerUnusableError(msg) from error


def _migrate(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        version = _version(connection)
    if version == HEAD:
        return
    _refuse_newer(version, path)
    from bellwire.ledger.migrate import upgrade  # noqa: PLC0415 - Alembic is slow to import and seldom needed

    upgrade(engine)


def _refuse_newer(version: str | None, path: Path) -> None:
    if version is not None and version > HEAD:
        msg = (
            f"{path}: the ledger has schema {version}, newer than this program's {HEAD}: use the newer bellwire, "
            "or restore the backup that was made before the upgrade"
        )
        raise LedgerUnusableError(msg)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

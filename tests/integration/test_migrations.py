"""The migrations make just what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from bellwire.errors import LedgerUnusableError
from bellwire.ledger.database import HEAD, open_database, open_for_reading
from bellwire.ledger.migrate import FOLDER
from bellwire.ledger.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def test_the_newest_migration_is_the_one_that_the_program_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_new_ledger_has_just_the_tables_of_the_program(url: str) -> None:
    database = open_database(url)
    try:
        with database.writer.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            made = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars())
        named = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
        assert named <= made
    finally:
        database.close()


def test_writes_are_durable_and_readers_cannot_write(url: str) -> None:
    database = open_database(url)
    try:
        with database.writer.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        with database.reader.connect() as connection, pytest.raises(Exception, match="readonly"):
            connection.execute(text("DELETE FROM alerts"))
    finally:
        database.close()


@pytest.mark.parametrize("open_", [open_database, open_for_reading], ids=lambda open_: open_.__name__)
def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(url: str, open_: object) -> None:
    database = open_database(url)
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    assert callable(open_)
    with pytest.raises(LedgerUnusableError, match="9999"):
        open_(url)


def test_reading_where_there_is_no_ledger_makes_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusableError, match="there is no ledger yet"):
        open_for_reading(url)
    assert list(tmp_path.iterdir()) == []

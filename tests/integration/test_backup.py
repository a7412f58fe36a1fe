from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.errors import LedgerUnusableError
from bellwire.ledger.auditing import audit_ledger
from bellwire.ledger.backup import BackupError, back_up
from bellwire.ledger.database import open_for_reading
from bellwire.ledger.ledger import Ledger
from bellwire.records import Outcome, Start
from conftest import sqlite_url
from makers import PAGER, a_policy, an_alert, an_arrival

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from click.testing import Result

CONFIGURATION = """
storage: {{url: "{url}"}}
web: {{listen: ""}}
route: {{receiver: ops}}
receivers: [{{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}]
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path)


@pytest.fixture
async def live(url: str) -> AsyncIterator[Ledger]:
    """A ledger that this process goes on writing to."""
    opened = await Ledger.open(url, lambda last: SystemClock(not_before=last))
    yield opened
    await opened.close()


async def deliver_some(ledger: Ledger, number: int, payload: str = "") -> None:
    """Record alerts that are owed to the pager, and send a few of them."""
    await ledger.record([an_arrival(PAGER, alert=an_alert(payload={"text": payload})) for _ in range(number)])
    claims = (await ledger.claim(a_policy(), 10)).claims
    ids = [claim.message.delivery_id for claim in claims]
    await ledger.start(a_policy(), [Start(delivery_id=each, attempts=0, body=b"{}") for each in ids])
    await ledger.settle(a_policy(), [Outcome(delivery_id=each, attempt=1) for each in ids])


def audited(path: Path) -> dict[str, int]:
    engine = open_for_reading(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            balance = audit_ledger(connection)
    finally:
        engine.dispose()
    return {"received": balance["received"], "unaccounted": balance["unaccounted"]}


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


async def test_a_ledger_that_is_being_written_to_is_copied_as_it_was_at_one_moment(
    live: Ledger, url: str, tmp_path: Path
) -> None:
    for _ in range(5):
        await deliver_some(live, 400, payload="x" * 4000)
    asked, written, steps = threading.Event(), threading.Event(), []

    def progress(done: int, total: int) -> None:
        steps.append((done, total))
        asked.set()
        assert written.wait(30)  # the copy is held up until more has been committed

    copying = asyncio.create_task(asyncio.to_thread(back_up, url, tmp_path / "copy.db", progress))
    await asyncio.to_thread(asked.wait, 30)
    await deliver_some(live, 50)
    written.set()
    while not copying.done():  # and goes on under load
        await deliver_some(live, 20)
    made = await copying
    assert len(steps) > 1, "the ledger is too small for this test"
    assert steps[-1][0] == steps[-1][1]
    assert audited(made.path) == {"received": 2000, "unaccounted": 0}
    assert made.alerts == 2000
    assert made.size == made.path.stat().st_size
    assert audited(tmp_path / "ledger.db")["received"] >= 2070


async def test_nothing_is_beside_the_copy_and_only_its_owner_may_read_it(
    live: Ledger, url: str, tmp_path: Path
) -> None:
    await deliver_some(live, 3)
    folder = tmp_path / "backups"
    folder.mkdir()
    made = await asyncio.to_thread(back_up, url, folder / "copy.db", silent)
    assert [each.name for each in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600


async def test_a_copy_can_be_put_in_the_ledgers_place(live: Ledger, url: str, tmp_path: Path) -> None:
    await deliver_some(live, 30)
    made = await asyncio.to_thread(back_up, url, tmp_path / "copy.db", silent)
    restored = await Ledger.open(f"sqlite:///{made.path}", lambda last: SystemClock(not_before=last))
    try:
        await deliver_some(restored, 5)
    finally:
        await restored.close()
    assert audited(made.path) == {"received": 35, "unaccounted": 0}


async def test_an_existing_file_is_replaced_only_on_purpose(live: Ledger, url: str, tmp_path: Path) -> None:
    await deliver_some(live, 3)
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(BackupError, match="exists: name another file, or say --force"):
        await asyncio.to_thread(back_up, url, target, silent)
    assert target.read_text() == "precious"
    await asyncio.to_thread(lambda: back_up(url, target, silent, overwrite=True))
    assert audited(target)["received"] == 3


async def test_the_ledger_is_never_its_own_backup(live: Ledger, url: str, tmp_path: Path) -> None:
    await deliver_some(live, 1)
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    for name in ("ledger.db", "link.db"):
        with pytest.raises(BackupError, match="is the ledger itself"):
            back_up(url, tmp_path / name, silent, overwrite=True)


async def test_what_cannot_be_copied_leaves_nothing_behind(live: Ledger, url: str, tmp_path: Path) -> None:
    await deliver_some(live, 1)
    with pytest.raises(BackupError, match="No such file or directory: choose a folder"):
        back_up(url, tmp_path / "nowhere" / "copy.db", silent)

    def fail(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(url, tmp_path / "copy.db", fail)
    assert not [each for each in tmp_path.iterdir() if "copy" in each.name]


def test_there_is_nothing_to_copy_before_the_first_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusableError, match="there is no ledger yet"):
        back_up(url, tmp_path / "copy.db", silent)


def test_a_damaged_ledger_is_said_to_be_one(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE t (x TEXT UNIQUE)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{number:0100}",) for number in range(500)])
        connection.commit()
    raw = bytearray((tmp_path / "ledger.db").read_bytes())
    raw[-3000:] = b"\xff" * 3000
    (tmp_path / "ledger.db").write_bytes(raw)
    with pytest.raises(BackupError):
        back_up(url, tmp_path / "copy.db", silent)
    assert not (tmp_path / "copy.db").exists()


# --- the command ---------------------------------------------------------------------------------------------------


async def call(folder: Path, *words: str) -> Result:
    (folder / "bellwire.yaml").write_text(CONFIGURATION.format(url=sqlite_url(folder)))
    words = (*words, "--config", str(folder / "bellwire.yaml"))
    return await asyncio.to_thread(CliRunner().invoke, main, ["backup", *words])


async def test_the_command_says_what_it_made(live: Ledger, tmp_path: Path) -> None:
    await deliver_some(live, 12)
    target = str(tmp_path / "copy.db")
    first = await call(tmp_path, target)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.startswith(f"{target}: ")
    assert "KB, 12 alerts, schema " in first.stdout
    second = await call(tmp_path, target)
    assert second.exit_code == 1
    assert "exists: name another file, or say --force" in second.stderr
    third = await call(tmp_path, target, "--force", "--json")
    (made,) = json.loads(third.stdout)
    assert made == {"file": target, "bytes": Path(target).stat().st_size, "alerts": 12, "schema": made["schema"]}

"""A newcomer's path: the wheel in an empty environment, an empty folder, and the page that says what to type."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.ledger.migrate import FOLDER
from harness import TrueDaemon, eventually, fetch, free_port
from newcomer import build_wheel, make_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROWS = Path(__file__).parents[1] / "data" / "ledger-0001.sql"
PAGE = Path(__file__).parents[2] / "docs" / "first-ten-minutes.md"
DONE, FAILED = "-- done --", "-- failed --"
PORTS = ("9095", "9096", "9097")  # of the page, vendor and pager, as the documentation has them


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds only Bellwire's wheel and what that asks for."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    return make_environment(tmp_path_factory.mktemp("environment"), wheel)


def environ(programs: Path, **more: str) -> dict[str, str]:
    """Return an environment in which nothing of the checkout is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BELLWIRE", "COV_"))}
    return kept | {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": "/nonexistent"} | more


# --- the page ------------------------------------------------------------------------------------------------------


class Shell:
    """A shell that is given one block of commands after another; one that fails ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, block: str) -> str:
        """Return what the block printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{block}\nprintf '\\n%s\\n' '{DONE}'\n".encode())
        await self._process.stdin.drain()
        lines: list[str] = []
        async with asyncio.timeout(60):
            while (line := (await self._process.stdout.readline()).decode().strip("\n")) not in (DONE, FAILED):
                lines.append(f"{line}\n")
        assert line == DONE, f"a command failed:\n{block}\n{''.join(lines)}"
        return "".join(lines)


@asynccontextmanager
async def shell(bash: str, folder: Path, variables: dict[str, str]) -> AsyncIterator[Shell]:
    process = await asyncio.create_subprocess_exec(
        *(bash, "--norc", "-e", "-s"),
        cwd=folder,
        env=variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # so that it and all that it starts can be ended together
    )
    try:
        terminal = Shell(process)
        await terminal.run(f"trap 'echo; echo \"{FAILED}\"' EXIT")  # what runs in the background may keep the pipe open
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_what_the_page_says_works_word_for_word(
    programs: Path, tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("curl")
    ports = {name: free_port() for name in PORTS}
    web = f"127.0.0.1:{ports['9095']}"
    here = {str(port): port for port in ports.values()}
    said: dict[str, str] = {}
    async with shell(program("bash"), tmp_path, environ(programs, BELLWIRE__WEB__LISTEN=web)) as terminal:
        for block in blocks(PAGE):
            for name, port in ports.items():
                block = re.sub(rf"\b{name}\b", str(port), block)  # noqa: PLW2901 - the page's ports may be taken here
            output = await terminal.run(block)
            said |= {line.strip(): output for line in block.splitlines() if line.strip()}
            started = [here[each] for each in re.findall(r"\d+", block) if each in here] if " &" in block else []
            for port in started:
                await eventually(lambda port=port: listens(port))  # type: ignore[misc]  # mypy has no type for a default's lambda
            if "bellwire run" in block:
                await eventually(lambda: listens(ports["9095"]))
                await eventually(lambda: fetch(f"http://{web}/-/ready")[0] == 200)
            if "/items" in block:
                await eventually(lambda: "Scratches" in (tmp_path / "pager.log").read_text())
                await eventually(lambda: marked(ports["9096"]))
        assert not listens(ports["9095"])
    assert said["bellwire send-test ops"].rstrip().endswith("HTTP 204")
    assert "0 failed" in said["bellwire doctor"]
    assert "warning Scratches: 12 new results in Doors" in said["cat pager.log"]
    assert "delivered" in said["bellwire alerts"]
    assert "confirmed" in said["bellwire alerts"]
    assert re.search(r"unaccounted +0\n", said["bellwire audit"])
    assert "\nops\n" in said["bellwire routes test account=visual_layer result_count=150"]


def marked(vendor: int) -> bool:
    items = json.loads(fetch(f"http://127.0.0.1:{vendor}/control/visual_layer/oncall/items")[1])
    return [item["is_read"] for item in items] == [True]


# --- an older ledger, and a newer one ------------------------------------------------------------------------------


async def call(programs: Path, folder: Path, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(str(programs / "bellwire"), *words),
        cwd=folder,
        env=environ(programs),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def old_ledger(folder: Path) -> Path:
    """Make the ledger that a program of the first schema left: its tables by its migration, and its rows."""
    path = folder / "ledger.db"
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")  # as the daemon leaves it
        database.executescript(ROWS.read_text())
    return path


def configure(pager: str) -> dict[str, Any]:
    """Return a configuration in which the ledger's account and channel are found again, however old they are."""
    receiver = {"name": "pager", "webhook_configs": [{"url": pager}], "retry": {"max_age": "3650d"}}
    account = {"name": "vision", "api": "visual_layer", "base_url": "http://127.0.0.1:1", "paused": True}
    web = {"listen": ""}  # commands then read the ledger's file
    return {"web": web, "accounts": [account], "route": {"receiver": "pager"}, "receivers": [receiver]}


async def test_an_upgrade_keeps_what_an_older_program_left_and_sends_what_it_owed(tmp_path: Path) -> None:
    old_ledger(tmp_path)
    async with (
        WebhookReceiver() as pager,
        TrueDaemon(tmp_path, configure(pager.url)) as daemon,
    ):
        await daemon.started()
        await pager.wait_until(lambda requests: len(requests) == 1)
        (request,) = pager.messages
        assert request.json["alerts"][0]["title"] == "waiting: 3 new results in Doors"
        (delivery,) = [each for each in await listed(daemon, "deliveries") if each["id"] == request.json["delivery_id"]]
        assert delivery["attempts"] > 1  # those of the older program are not forgotten
        (balance,) = await listed(daemon, "audit")
        assert (balance["received"], balance["unaccounted"]) == (5, 0)
        assert {state: number for state, number in balance["states"].items() if number} == {
            "delivered": 3,
            "suppressed": 1,
            "dead": 1,
        }
        (story,) = await listed(daemon, "explain", delivery_alert(request))
        assert story["state"] == "delivered"


def delivery_alert(request: Any) -> str:
    alert: str = request.json["alerts"][0]["id"]
    return alert


async def listed(daemon: TrueDaemon, *words: str) -> list[dict[str, Any]]:
    _, out, err = await daemon.command(*words, "--json")
    assert out, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


async def test_a_ledger_of_a_newer_program_is_refused_in_a_sentence_and_left_alone(
    programs: Path, tmp_path: Path
) -> None:
    path = old_ledger(tmp_path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    config = configure("http://127.0.0.1:1/")
    config["storage"] = {"url": f"sqlite:///{path}"}
    (tmp_path / "bellwire.yaml").write_text(json.dumps(config))
    before = path.read_bytes()
    for words in (["run"], ["audit"], ["alerts"]):
        code, out, err = await call(programs, tmp_path, *words)
        assert (code, out) == (1, "")
        assert "the ledger has schema 9999, newer than this program's " in err
        assert "use the newer bellwire, or restore the backup" in err
        assert len(err.splitlines()) == 1
    assert path.read_bytes() == before

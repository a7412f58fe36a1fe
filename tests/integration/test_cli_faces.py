"""How commands show what they have to say: in colour to people alone, as JSON to programs."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.ledger.ledger import Ledger
from conftest import sqlite_url
from makers import an_arrival

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """
storage: {{url: "{url}"}}
web: {{listen: ""}}
route: {{receiver: ops}}
receivers: [{{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}]
"""
LISTING = [
    *("check-config", "routes show", "routes test", "test", "simulate", "explain", "audit", "alerts", "deliveries"),
    *("deliveries abandon", "replay", "silence list", "send-test", "doctor", "backup"),
]


@pytest.mark.parametrize("command", LISTING)
def test_a_command_that_lists_can_do_so_in_json(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--help"])
    assert result.exit_code == 0, result.output
    assert "--json" in result.output


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with a configuration, and a ledger with one alert in it."""
    url = sqlite_url(tmp_path)
    ledger = await Ledger.open(url, lambda last: SystemClock(not_before=last))
    await ledger.record([an_arrival()])
    await ledger.close()
    (tmp_path / "bellwire.yaml").write_text(CONFIGURATION.format(url=url))
    return tmp_path


async def shown(folder: Path, *, terminal: bool, environ: dict[str, str] | None = None) -> str:
    """Return what `bellwire alerts` writes to a terminal, or to a pipe."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bellwire", "alerts"),
        cwd=folder,
        env=kept | (environ or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=theirs,
    )
    os.close(theirs)
    try:
        return await asyncio.to_thread(read_all, ours)
    finally:
        os.close(ours)
        await process.wait()


def read_all(handle: int) -> str:
    pieces = []
    try:
        while piece := os.read(handle, 4096):
            pieces.append(piece)
    except OSError:  # how a terminal says that nobody is left
        pass
    return b"".join(pieces).decode()


async def test_colour_is_for_terminals_and_not_for_those_who_want_none(folder: Path) -> None:
    coloured = await shown(folder, terminal=True)
    plain = await shown(folder, terminal=True, environ={"NO_COLOR": "1"})
    piped = await shown(folder, terminal=False)
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain + piped
    assert plain.replace("\r\n", "\n") == piped

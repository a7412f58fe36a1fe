"""The demo as a newcomer sees it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path


async def start_demo(folder: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bellwire", "demo", "--folder", str(folder), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if text in line.decode():
                return line.decode()
    pytest.fail(f"the demo ended without saying {text!r}")


async def test_it_ends_by_itself_and_adds_up(tmp_path: Path) -> None:
    process = await start_demo(tmp_path, "--seconds", "5")
    out, _ = await process.communicate()
    said = out.decode()
    assert process.returncode == 0, said
    counts = dict(re.findall(r"^(emitted|forwarded to \w+|marked as read)\s+(\d+)", said, re.MULTILINE))
    assert int(counts["emitted"]) >= 5
    assert all(int(number) > 0 for number in counts.values())
    assert said.rstrip().endswith("It adds up.")


async def test_ctrl_c_ends_it_cleanly_and_leaves_no_process(tmp_path: Path) -> None:
    process = await start_demo(tmp_path)
    await line_with(process, "Ctrl-C ends everything")
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2  # the reference server and the daemon
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == 0
    assert not any(child.is_running() for child in children)


async def test_a_configuration_that_the_user_broke_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "bellwire.yaml").write_text("rout: {}\n")
    process = await start_demo(tmp_path, "--seconds", "5")
    out, _ = await process.communicate()
    assert process.returncode == 1
    assert "rout: unknown key, did you mean route?" in out.decode()
    assert (tmp_path / "bellwire.yaml").read_text() == "rout: {}\n"

"""The demo as a newcomer sees it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from bellwire.demo.configuration import provide
from harness import eventually

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


MOMENTS = {
    "the notifications server starts": "reference.log",
    "it has told where it is": "reference.url",
    "the daemon starts": "bellwire.log",
    "the daemon takes in alerts": "ledger.db",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("file", MOMENTS.values(), ids=MOMENTS)
async def test_a_signal_ends_it_at_any_moment_of_its_start(tmp_path: Path, file: str, number: signal.Signals) -> None:
    process = await start_demo(tmp_path)
    await eventually((tmp_path / file).exists)
    assert await ended_by(process, number, tmp_path) == 0


async def test_a_signal_ends_it_while_it_waits_for_a_daemon_that_never_gets_ready(tmp_path: Path) -> None:
    provide(tmp_path / "bellwire.yaml")
    unready = (tmp_path / "bellwire.yaml").read_text().replace("${DEMO_NOTIFICATIONS}", "http://127.0.0.1:1")
    (tmp_path / "bellwire.yaml").write_text(unready)
    process = await start_demo(tmp_path)
    await eventually(lambda: "source_state" in said_by(tmp_path / "bellwire.log"))
    assert await ended_by(process, signal.SIGTERM, tmp_path) == 0


async def test_one_that_was_to_add_up_and_is_ended_before_says_so(tmp_path: Path) -> None:
    process = await start_demo(tmp_path, "--seconds", "600")
    await line_with(process, "Ctrl-C ends everything")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode == 1
    assert out.decode().rstrip().endswith("bellwire: stopped before it could add up")


async def test_however_often_it_is_told_it_leaves_no_process(tmp_path: Path) -> None:
    process = await start_demo(tmp_path)
    await line_with(process, "Ctrl-C ends everything")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
    assert await ended_by(process, signal.SIGTERM, tmp_path) == 0


async def ended_by(process: asyncio.subprocess.Process, number: signal.Signals, folder: Path) -> int | None:
    """Signal it; return its exit code, once it is sure that it left nothing that runs in ``folder``."""
    process.send_signal(number)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    left = [each for each in psutil.process_iter(["cmdline"]) if any(str(folder) in word for word in command_of(each))]
    assert left == [], out.decode()
    assert "Traceback" not in out.decode()
    return process.returncode


def command_of(process: psutil.Process) -> list[str]:
    words: list[str] = process.info["cmdline"] or []
    return words


def said_by(log: Path) -> str:
    return log.read_text() if log.exists() else ""

"""A ledger's disk that is full and free again, and a ledger that no start may touch."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Protocol

import pytest

from fault_scene import playing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fault_scene import Scene

_SIZE = 16 * 1024 * 1024


class Disk(Protocol):
    """Can be made full under a daemon that runs, and freed."""

    def fill(self) -> None: ...
    def free(self) -> None: ...


class Harm(Protocol):
    """Does something to a ledger's file."""

    __name__: str

    def __call__(self, path: Path) -> None: ...


class SmallDisk:
    """A file system of its own, that a file fills to the last byte."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass

    def free(self) -> None:
        self._filler.unlink()


class LargestFile:
    """A limit to the size of what the daemon's process writes: no disk, but the same end, and no root is needed."""

    def __init__(self, scene: Scene) -> None:
        self._pid = scene.daemon.pid

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))

    def free(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small file system at ``folder``: only root may."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)  # noqa: S603 - our own words
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)  # noqa: S603, S607 - as above


def may_mount() -> bool:
    """Return whether a file system can be mounted here: not without root, and in few containers."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    with contextlib.suppress(OSError):
        return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - as above
    return False


DISKS = ["largest_file", "small_disk"] if may_mount() else ["largest_file"]
"""Where no file system may be mounted, the limit stands for it: the test's name says which it was."""


@pytest.mark.parametrize("kind", DISKS)
async def test_a_full_disk_stops_everything_and_loses_nothing(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        folder = tmp_path / "disk"
        mounted = stack.enter_context(small_disk(folder)) if kind == "small_disk" else None
        storage = {"url": f"sqlite:///{folder if mounted else tmp_path}/ledger.db"}
        async with playing(tmp_path, storage=storage) as scene:
            disk: Disk = mounted or LargestFile(scene)
            scene.oracle.emit(20)
            await scene.steady_has_all()
            disk.fill()
            with scene.oracle.cut():  # what is sent as it fills up may stay unwritten
                await no_longer_written(scene)
                status, reasons = await scene.daemon.get("/-/ready")
                assert (status, "the ledger cannot write" in reasons) == (503, True)
                known = len(scene.oracle.wanted)
                scene.oracle.emit(50)
                await scene.told(event="ledger_cannot_write")
                assert not scene.oracle.taken_by_any() & set(scene.oracle.wanted[known:])
            disk.free()
            await scene.oracle.settled(scene.daemon)
            assert (await scene.daemon.get("/-/ready"))[0] == 200


async def no_longer_written(scene: Scene) -> None:
    """Let items come until the ledger has no room for them."""

    def is_full() -> bool:
        return any(line.get("event") == "ledger_cannot_write" for line in scene.daemon.logged.messages)

    while not is_full():
        scene.oracle.emit(20)
        with contextlib.suppress(TimeoutError):
            await scene.daemon.logged.wait_until(lambda _: is_full(), 0.05)


@pytest.mark.skipif(len(DISKS) == 1, reason="no file system may be mounted here")
async def test_a_daemon_that_starts_on_a_full_disk_waits_for_room_or_for_its_end(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        storage = {"url": f"sqlite:///{tmp_path}/disk/ledger.db"}
        async with playing(tmp_path, storage=storage) as scene:
            scene.oracle.emit(20)
            await scene.oracle.settled(scene.daemon)
            await scene.kill()
            disk.fill()
            await scene.daemon.start()
            await scene.told(event="ledger_cannot_write")
            async with asyncio.timeout(10):
                assert await scene.daemon.terminate() == 0
            await scene.daemon.start()
            await scene.told(event="ledger_cannot_write")
            disk.free()
            await scene.daemon.streaming()
            scene.oracle.emit(20)
            await scene.oracle.settled(scene.daemon)


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def half_a_database(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096])


def spoilt_schema(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    path.write_bytes(content)


def spoilt_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xa5" * 64
    path.write_bytes(content)


def of_the_future(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


@pytest.mark.parametrize("harm", [no_database, half_a_database, spoilt_schema, spoilt_pages, of_the_future])
async def test_a_damaged_ledger_is_refused_and_left_as_it_is(harm: Harm, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with playing(tmp_path) as scene:
        scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon)
        await scene.daemon.terminate()
        harm(path)
        before = path.read_bytes()
        sent = len(scene.steady.messages)
        scene.oracle.emit(20)
        await scene.daemon.start()
        async with asyncio.timeout(20):
            assert await scene.daemon.exit_code() == 1
        said = scene.daemon.output.decode().splitlines()[-1]
        assert said.startswith(f"bellwire: {path}: the ledger")
        assert "backup" in said
        assert path.read_bytes() == before
        assert len(scene.steady.messages) == sent

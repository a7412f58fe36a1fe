"""The daemon's words to the service manager, heard by a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bellwire.cli.notify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A listening service manager and the address that it hands out."""
    path = tmp_path / "notify"
    name, address = {
        "path": (str(path), str(path)),
        "abstract": (f"\0bellwire-test-{os.getpid()}", f"@bellwire-test-{os.getpid()}"),
    }[request.param]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(5)
        yield sock, address


def heard(sock: socket.socket) -> list[str]:
    return sock.recv(4096).decode().split("\n")


def test_each_message_is_one_datagram_of_assignments(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    daemon = ServiceManager.from_environ({"NOTIFY_SOCKET": address})
    daemon.ready("2 accounts")
    assert heard(sock) == ["READY=1", "STATUS=2 accounts"]
    daemon.status("1 of 2 accounts streaming")
    assert heard(sock) == ["STATUS=1 of 2 accounts streaming"]
    daemon.alive()
    assert heard(sock) == ["WATCHDOG=1"]
    daemon.stopping("3 sends unfinished")
    assert heard(sock) == ["STOPPING=1", "STATUS=3 sends unfinished"]


def test_a_reload_bears_the_monotonic_time_of_its_beginning(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    before = time.monotonic_ns() // 1000
    ServiceManager(address).reloading()
    after = time.monotonic_ns() // 1000
    state, moment = heard(sock)
    assert state == "RELOADING=1"
    name, _, value = moment.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= after


def test_a_line_end_in_a_status_starts_no_assignment_of_its_own(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    ServiceManager(address).status("bad\nMAINPID=1\r\nname")
    assert heard(sock) == ["STATUS=bad MAINPID=1 name"]


def test_without_a_manager_nothing_is_said_and_nothing_fails() -> None:
    with capture_logs() as logs:
        ServiceManager.from_environ({}).ready("all well")
    assert logs == []


def test_a_manager_that_is_gone_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    with capture_logs() as logs:
        ServiceManager(str(tmp_path / "gone")).ready("all well")
    assert [entry["event"] for entry in logs] == ["service_manager_unreachable"]


def test_a_manager_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        daemon = ServiceManager(str(tmp_path / "notify"))
        with capture_logs() as logs:
            while not logs:  # until the kernel's queue is full; the test's time-out bounds it
                daemon.alive()
    assert logs[0]["event"] == "service_manager_unreachable"


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_the_time_that_it_waits(environ: dict[str, str], interval: float | None) -> None:
    assert ServiceManager.from_environ(environ).watchdog == interval

"""What the daemon tells the service manager, by systemd's protocol: one datagram of ``NAME=value`` lines a message."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

log = structlog.get_logger()


class ServiceManager:
    """The service manager that started this process, or nobody: then every message is dropped.

    A message that cannot be handed over is logged and lost: the manager's troubles never stop the daemon.
    """

    def __init__(self, address: str = "", *, watchdog: float | None = None) -> None:
        self._address = address
        self.watchdog = watchdog
        """How often `alive` must be called, in seconds; None if nobody watches."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ServiceManager:
        """Read ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``."""
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog=_watchdog(environ))

    def ready(self, status: str) -> None:
        """Say that start-up, or a reload, is done."""
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """Say that a reload begins; `ready` must follow, whether or not the new configuration was taken."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Say that the daemon is on its way out."""
        self._tell("STOPPING=1", _status(status))

    def status(self, status: str) -> None:
        """Set the one line that ``systemctl status`` shows."""
        self._tell(_status(status))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, *assignments: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(0)  # a manager that does not read must not stop the loop
                sock.connect(_socket_name(self._address))
                sock.send("\n".join(assignments).encode())
        except OSError as exc:
            log.warning("service_manager_unreachable", error=str(exc))


def _status(text: str) -> str:
    """Return the assignment on one line: a line end in the text would start another."""
    return f"STATUS={' '.join(text.split())}"


def _socket_name(address: str) -> str:
    """Return the socket's name as the kernel has it: a leading ``@`` stands for the abstract namespace."""
    return f"\0{address[1:]}" if address.startswith("@") else address


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Return half of the time that the manager waits, so that one late call is forgiven; None if it watches no one here."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or not int(microseconds):
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # meant for another process, which passed its environment on
    return int(microseconds) / 2_000_000

"""A program that has imported all of Bellwire and waits for lives to give: it forks a process for whoever asks.

Starting Python and importing takes a second or two of the CPU; tests that start hundreds of processes have no time for
that. ``forked.py`` is the other end, and says what passes between the two.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

import bellwire
import bellwire.cli

_PROGRAMS = {"bellwire.__main__", "bellwire.ledger.migrations.env"}
"""Modules that are run, not imported."""

NEEDED = (
    "encodings.idna",
    "uvloop",
    *(each.name for each in pkgutil.walk_packages(bellwire.__path__, "bellwire.") if each.name not in _PROGRAMS),
)


def main() -> None:
    """Fork for each one that asks, until nobody holds the other end any more."""
    for module in NEEDED:
        importlib.import_module(module)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever tends a life is not waited for
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        word, given, _, _ = socket.recv_fds(asked, 1, 3)
        if not word:
            return
        if os.fork() == 0:
            asked.close()
            tend(*given)
        for each in given:
            os.close(each)


def tend(line: int, stdout: int, stderr: int) -> NoReturn:
    """Give one life, tell whoever asked how it went, and end it once nobody listens."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        talk = socket.socket(fileno=line)
        with talk.makefile("rb") as said:
            arguments, environ = json.loads(said.readline())
        pid = os.fork()
        if pid == 0:
            talk.close()
            live(arguments, environ, stdout, stderr)
        os.close(stdout)
        os.close(stderr)
        with suppress(OSError):
            talk.sendall(b"%d\n" % pid)
        ended = os.pidfd_open(pid)
        if ended not in select.select([ended, talk.fileno()], [], [])[0]:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            talk.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def live(arguments: list[str], environ: dict[str, str], stdout: int, stderr: int) -> NoReturn:
    """Be ``bellwire`` with these arguments, and nothing else after it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, standard in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(ours, standard)
        os.close(ours)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv = ["bellwire", *arguments]
    code = 1
    try:
        bellwire.cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - told as Python itself would tell it
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()

"""A program that has imported all of Bellwire and waits for lives to give: a line of arguments in, a daemon forked.

It says each one's process id, and once that has ended its exit code. Starting Python and importing takes a second or two;
a test that kills a hundred daemons has no time for that.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys

NEEDED = (
    "bellwire.app",
    "bellwire.cli.run",
    "bellwire.cli.logs",
    "bellwire.cli.notify",
    "bellwire.web.serve",
    "uvloop",
)


def main() -> None:
    for module in NEEDED:
        importlib.import_module(module)
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(json.loads(line))
        print(pid, flush=True)  # noqa: T201 - the answer to the one who asked
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - as above


def live(arguments: list[str]) -> None:
    """Be the daemon, and nothing else after it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    sys.argv = ["bellwire", *arguments]
    from bellwire.cli import main as cli  # noqa: PLC0415 - only a child is a daemon

    try:
        cli()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


if __name__ == "__main__":
    main()

"""``bellwire demo``: all of it at work on this machine alone."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@click.command("demo")
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="End by itself after so long, and add up; else on Ctrl-C."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Its files.",
)
def demo(seconds: float | None, folder: Path) -> None:
    """Start a notifications server, receivers and the daemon, all on loopback, and send alerts through.

    With --seconds it ends by itself, prints what was emitted, forwarded and marked as read, and exits 1 unless all of
    it adds up. SIGTERM and Ctrl-C end everything, at any moment.
    """
    from bellwire.errors import BellwireError  # noqa: PLC0415 - the command line must start fast

    def leave(_number: int, _frame: object) -> None:
        sys.exit(_stopped(seconds))  # nothing runs yet

    for number in _SIGNALS:
        signal.signal(number, leave)
    try:
        good = asyncio.run(_demo(folder, seconds))
    except BellwireError as error:
        click.echo(f"bellwire: {error}", err=True)
        good = False
    except ModuleNotFoundError as error:
        click.echo(f"bellwire: the demo needs {error.name}: pip install 'bellwire[demo]'", err=True)
        good = False
    sys.exit(0 if good else 1)


async def _demo(folder: Path, seconds: float | None) -> bool:
    """Run the demo until it ends, or a signal ends it; return whether all is as it should be."""
    from bellwire.demo.run import Demo  # noqa: PLC0415 - it imports everything

    work = asyncio.create_task(Demo(folder, click.echo).run(seconds), name="demo")
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, work.cancel)
    await asyncio.wait({work})
    return work.result() if not work.cancelled() else _stopped(seconds) == 0


def _stopped(seconds: float | None) -> int:
    """Return the exit code of a demo that a signal ended: it may always do that, unless the demo was to add up."""
    if seconds is not None:
        click.echo("bellwire: stopped before it could add up", err=True)
    return 0 if seconds is None else 1

"""``bellwire demo``: all of it at work on this machine alone."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click


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
    it adds up.
    """
    from bellwire.errors import BellwireError  # noqa: PLC0415 - the command line must start fast

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
    from bellwire.demo.run import Demo  # noqa: PLC0415 - it imports everything

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await Demo(folder, click.echo).run(stop, seconds)

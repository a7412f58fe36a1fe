"""``bellwire run``: the daemon as a process, with its signals, its exit codes and its word to the service manager."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from bellwire.cli.errors import configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bellwire.app import App
    from bellwire.cli.notify import ServiceManager
    from bellwire.config.schema import Config

log = structlog.get_logger(__name__)


@click.command("run")
@click.option(
    "--config", "option", metavar="FILE", help="The configuration; else $BELLWIRE_CONFIG, else ./bellwire.yaml."
)
@click.option("--dry-run", "dry", is_flag=True, help="Take in, route and show; send nothing, mark nothing as read.")
def run(option: str | None, dry: bool) -> None:  # noqa: FBT001 - click's way
    """Run the daemon until SIGTERM or Ctrl-C.

    A dry run has a ledger of its own that is thrown away: a real run beside it, or after it, knows nothing of it.
    """
    config, url = configured(option)
    from bellwire.cli.logs import configure_logs  # noqa: PLC0415 - nothing is logged before the configuration is good
    from bellwire.errors import BellwireError  # noqa: PLC0415

    configure_logs(config.global_.log_format, config.global_.log_level)
    try:
        with (
            _throwaway_ledger(url) if dry else _same(url) as ledger_url,
            asyncio.Runner(loop_factory=_loop()) as runner,
        ):
            runner.run(_serve(config, ledger_url, dry=dry))
    except BellwireError as error:
        click.echo(f"bellwire: {error}", err=True)
        sys.exit(1)


async def _serve(config: Config, url: str, *, dry: bool) -> None:
    from bellwire.app import opened  # noqa: PLC0415 - it imports everything
    from bellwire.cli.notify import ServiceManager  # noqa: PLC0415

    manager = ServiceManager.from_environ(os.environ)
    stop = asyncio.Event()

    def end() -> None:
        manager.stopping("sending what is under way")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    # Unhandled, it would end the daemon, and the service manager would take that for a clean exit.
    loop.add_signal_handler(signal.SIGHUP, lambda: log.warning("reload_not_supported", remedy="restart the daemon"))
    async with opened(config, url, dry=dry) as app:
        watchdog = asyncio.create_task(_feed_watchdog(app, manager), name="watchdog")
        try:
            await app.run(stop, lambda: manager.ready(f"{len(app.sources)} accounts, {len(app.dispatchers)} channels"))
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            watchdog.cancel()


async def _feed_watchdog(app: App, manager: ServiceManager) -> None:
    """Say that the daemon is alive for as long as its parts make progress."""
    if manager.watchdog is None:
        return
    while True:
        if await app.view.progressing():
            manager.alive()
        await asyncio.sleep(manager.watchdog)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it has no wheel everywhere
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextmanager
def _throwaway_ledger(_url: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bellwire-dry-") as folder:
        yield f"sqlite:///{Path(folder) / 'ledger.db'}"


@contextmanager
def _same(url: str) -> Iterator[str]:
    yield url

"""``bellwire run``: the daemon as a process, with its signals, its exit codes and its word to the service manager."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import sys
import tempfile
from contextlib import AsyncExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click
import structlog

from bellwire.cli.errors import configured, reread
from bellwire.cli.folding import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from bellwire.app import App
    from bellwire.cli.folding import Folding
    from bellwire.cli.notify import ServiceManager
    from bellwire.config.schema import Config

A = TypeVar("A")

_COLLECT_AFTER = 5_000  # more objects than before: a burst makes many that are soon gone by themselves

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
    sys.setswitchinterval(0.001)  # the event loop and the ledger take turns: five times as often as by default
    gc.disable()  # until everything is imported: there is nothing to collect, and much to look through
    config, url = _anew(lambda: configured(option))
    from bellwire.cli.logs import configure_logs  # noqa: PLC0415 - nothing is logged before the configuration is good
    from bellwire.errors import BellwireError  # noqa: PLC0415

    folding = configure_logs(config.global_.log_format, config.global_.log_level)
    try:
        with (
            _throwaway_ledger() if dry else nullcontext(url) as ledger_url,
            asyncio.Runner(loop_factory=_loop()) as runner,
        ):
            runner.run(_counting(folding, _serve(config, ledger_url, lambda: _anew(lambda: reread(option)), dry=dry)))
    except BellwireError as error:
        click.echo(f"bellwire: {error}", err=True)
        sys.exit(1)


def _anew(read: Callable[[], A]) -> A:
    """Return what ``read`` does, written down and made anew once everything else of the reading is gone.

    Reading takes many times what is kept of it; what was kept would lie between, and hold on to all of it.
    """
    written = pickle.dumps(read())
    gc.collect()
    return cast("A", pickle.loads(written))  # noqa: S301 - our own, of a moment ago


async def _counting(folding: Folding, work: Coroutine[None, None, None]) -> None:
    """Do ``work``; meanwhile, and at its end, have the log say how often its faults repeated."""

    async def flush() -> None:
        while True:
            await asyncio.sleep(WINDOW)
            folding.flush()

    flushing = asyncio.create_task(flush(), name="log counts")
    try:
        await work
    finally:
        flushing.cancel()
        folding.flush(everything=True)


async def _serve(config: Config, url: str, reread: Callable[[], Config], *, dry: bool) -> None:
    from bellwire.app import opened  # noqa: PLC0415 - it imports everything
    from bellwire.cli.notify import ServiceManager  # noqa: PLC0415

    manager = ServiceManager.from_environ(os.environ)
    stop, reload = asyncio.Event(), asyncio.Event()

    def end() -> None:
        manager.stopping("sending what is under way")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, reload.set)  # from the first moment: unhandled, it would end the daemon
    async with AsyncExitStack() as stack:
        app = await _unless(stop, stack.enter_async_context(opened(config, url, reread=reread, dry=dry)))
        if app is None:
            return
        companions = [
            asyncio.create_task(_feed_watchdog(app, manager)),
            asyncio.create_task(_reload(app, manager, reload)),
        ]
        try:
            await app.run(stop, lambda: _started(app, manager))
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            for companion in companions:
                companion.cancel()


async def _unless(stop: asyncio.Event, opening: Coroutine[None, None, App]) -> App | None:
    """Return what is being opened, or None if the end comes first: a ledger that cannot write is not waited for."""
    task, stopped = asyncio.ensure_future(opening), asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        return None
    return task.result()


async def _reload(app: App, manager: ServiceManager, asked: asyncio.Event) -> None:
    """Reload whenever it is asked for. Several that come during a reload are one more."""
    from bellwire.errors import BellwireError  # noqa: PLC0415 - see run

    while True:
        await asked.wait()
        asked.clear()
        manager.reloading()
        try:
            await app.reload()
        except BellwireError as error:
            log.error("reload_failed", faults=str(error).splitlines())
            manager.ready(f"{_status(app)}; the last reload failed")
        except Exception:
            # Whatever it is, the next one must be heard.
            log.exception("reload_failed")
            manager.ready(f"{_status(app)}; the last reload failed")
        else:
            manager.ready(_status(app))


def _started(app: App, manager: ServiceManager) -> None:
    # What is here now stays for good. Looking through it again and again would hold up alerts for a tenth of a second.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
    gc.enable()
    manager.ready(_status(app))


def _status(app: App) -> str:
    return f"accounts: {len(app.watched)}, channels: {len(app.dispatchers)}"


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
def _throwaway_ledger() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bellwire-dry-") as folder:
        yield f"sqlite:///{Path(folder) / 'ledger.db'}"

"""Blocking calls of libraries that know no event loop, in threads that cannot hold up the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class DaemonThreads:
    """Runs at most ``limit`` calls at once, each in a thread of its own.

    A call that nobody waits for any more keeps its place until it ends: a service that hangs takes up its own places only.
    An executor's threads are joined when the interpreter ends; these are not.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._places = asyncio.Semaphore(limit)
        self._name = name

    async def place(self) -> None:
        """Wait for a place; the call to `run` that follows takes it, and gives it back when its thread ends."""
        await self._places.acquire()

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call in a thread and return what it returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            self._places.release()
            if future.done():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]  # None only where the call itself returned it
            else:
                future.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = call()
            except Exception as exc:  # noqa: BLE001 - handed to whoever waits
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile: nobody waits
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return await future

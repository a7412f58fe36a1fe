"""What has arrived, and waiting for more of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Journal(Generic[T]):
    """A list that can be waited on."""

    def __init__(self) -> None:
        self.messages: list[T] = []
        self._waiting: list[tuple[Callable[[list[T]], bool], asyncio.Future[None]]] = []

    def add(self, message: T) -> None:
        """Keep a message and wake whom it was that they waited for."""
        self.messages.append(message)
        self.changed()

    def changed(self) -> None:
        """Wake those whose condition holds."""
        for condition, future in self._waiting:
            if not future.done() and condition(self.messages):
                future.set_result(None)

    async def wait_until(self, condition: Callable[[list[T]], bool], seconds: float = 60.0) -> list[T]:
        """Wait until the condition holds of all messages, and return them; TimeoutError if it does not come to that."""
        if not condition(self.messages):
            waiting = (condition, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            try:
                async with asyncio.timeout(seconds):
                    await waiting[1]
            finally:
                self._waiting.remove(waiting)
        return self.messages

    async def wait_for(self, count: int, seconds: float = 60.0) -> list[T]:
        """Wait until at least so many messages are here, and return all."""
        return await self.wait_until(lambda messages: len(messages) >= count, seconds)

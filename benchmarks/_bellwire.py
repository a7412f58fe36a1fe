"""Bellwire as one of the systems that are compared: the real daemon, with the defaults that a user has."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import _machine
from _vendor import Vendor, vending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from _receiver import Receiver


class Bellwire:
    """The daemon before one account at a vendor of our own."""

    kept = "each alert before it is sent, each outcome before its mark (fdatasync)"
    missing = ""

    def __init__(self, api: str, name: str, *, receivers: int = 1) -> None:
        self.name = name
        self._api = api
        self._vendor = Vendor()
        self._receivers = receivers
        self.base_url = ""

    @property
    def left(self) -> dict[int, float]:
        return self._vendor.left

    @property
    def marks(self) -> int:
        return self._vendor.marks

    @property
    def marked_at(self) -> float:
        return self._vendor.marked_at

    @asynccontextmanager
    async def surroundings(self, folder: Path) -> AsyncIterator[None]:
        """Run the vendor."""
        del folder
        async with vending() as (self._vendor, address):
            self.base_url = f"{address}/{self._api}"
            yield

    @asynccontextmanager
    async def running(self, folder: Path, receiver: Receiver) -> AsyncIterator[asyncio.subprocess.Process]:
        path = folder / "bellwire.yaml"
        path.write_text(json.dumps(configuration(folder, receiver.url, [self._account()], self._receivers)))
        self._vendor.pages = 0
        command = (sys.executable, "-m", "bellwire", "run", "--config", str(path))
        async with _machine.program(command, folder / "bellwire.log") as process:
            async with asyncio.timeout(30):
                while not (self._vendor.pages and (self._vendor.streams or self._api == "elan")):
                    await asyncio.sleep(0.05)
            yield process

    def _account(self) -> dict[str, Any]:
        account: dict[str, Any] = {
            "name": "vendor",
            "api": self._api,
            "base_url": self.base_url,
            "authorization": {"credentials": "token"},
        }
        if self._api == "elan":  # else a run would wait for polls that have grown rare, up to 5 minutes
            account["poll"] = {"min_interval": "5s", "max_interval": "5s"}
        return account

    async def put(self, numbers: Iterable[int]) -> None:
        """Let these alerts come into being."""
        self._vendor.put(numbers)

    async def all_marked(self, seconds: float) -> bool:
        """Wait until the vendor has read marks for all; False if time runs out."""
        return await self._vendor.all_marked(seconds)

    def clear(self) -> None:
        self._vendor.clear()


def configuration(folder: Path, url: str, accounts: list[dict[str, Any]], webhooks: int = 1) -> dict[str, Any]:
    """Return a configuration with the defaults wherever there are any; each receiver has one webhook."""
    names = [f"hook{number}" for number in range(webhooks)]
    routes = [{"receiver": name, "continue": True} for name in names] if webhooks > 1 else []
    return {
        "storage": {"url": f"sqlite:///{folder}/ledger.db"},
        "web": {"listen": "127.0.0.1:0"},
        "accounts": accounts,
        "route": {"receiver": names[0], "routes": routes},
        "receivers": [{"name": name, "webhook_configs": [{"url": url}]} for name in names],
    }

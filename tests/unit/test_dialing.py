"""Names that are looked up for connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from bellwire.dialing import Dialer, Origin, UnreachedError


class Names:
    """Stands where the loop asks the system, and counts; answers once it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def look_up(self, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        await self.answers.wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_who_connects_at_the_same_time_asks_for_a_name_once_and_a_failure_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.look_up)
    dialer = Dialer(ssl.create_default_context())
    origin = Origin("vendor.test", 80, secure=False)
    connecting = [asyncio.create_task(dialer.connect(origin, 10, asyncio.Protocol)) for _ in range(20)]
    with pytest.raises(UnreachedError) as caught:  # one that does not wait so long takes the name from nobody
        await dialer.connect(origin, 0.01, asyncio.Protocol)
    assert caught.value.reason == "connect_timeout"
    names.answers.set()
    outcomes = await asyncio.gather(*connecting, return_exceptions=True)
    assert [getattr(each, "reason", each) for each in outcomes] == ["dns_error"] * 20
    assert names.asked == 1
    with pytest.raises(UnreachedError):
        await dialer.connect(origin, 10, asyncio.Protocol)
    assert names.asked == 2

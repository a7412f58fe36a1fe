"""Slack's Socket Mode: what people press arrives over a connection that we open, so that no port need be open to Slack.

The library's own client makes sessions, takes proxies from the environment, follows redirects, and keeps what arrives
without bound: this one goes over the pool's connections. See https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import structlog

from bellwire.channels.http_post import session_of
from bellwire.channels.slack_client import SlackClient
from bellwire.errors import BellwireError, DeliveryError

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Clock

    Handler = Callable[[Any], Awaitable[None]]

log = structlog.get_logger(__name__)

_PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds between two attempts, the last one again and again
_TO_CONNECT = 30.0  # seconds until Slack's hello
_SHORT = 5.0  # seconds: a connection that ends sooner is not followed by another at once
_HEARTBEAT = 20.0  # seconds between pings of ours
_LARGEST = 1024 * 1024  # bytes of a message; a press brings along the message that it is under
_AT_ONCE = 50  # presses under way; Slack tells whoever presses meanwhile that the app did not answer
_TEXT = aiohttp.WSMsgType.TEXT


class _LostError(BellwireError):
    """The connection is no more; ``reason`` is a constant word, ``pause`` what Slack asks for, in seconds."""

    def __init__(self, *, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause


class SocketMode:
    """The connection of one app. ``handle`` gets what was pressed, after Slack has been told that it arrived.

    ``connected_at`` is since when it is connected, None if it is not; ``error`` is why it last was not.
    """

    def __init__(
        self, settings: SlackConfig, pool: HttpPool, clock: Clock, chance: random.Random, handle: Handler
    ) -> None:
        self._settings = settings.model_copy(update={"token": settings.app_token})
        self._client = SlackClient(self._settings, pool)
        self._pool = pool
        self._clock = clock
        self._chance = chance
        self._handle = handle
        self._presses: set[asyncio.Task[None]] = set()
        self.connected_at: datetime | None = None
        self.error: str | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pauses = iter(_PAUSES)
        try:
            while True:
                try:
                    await self._connect()
                    pauses = iter(_PAUSES)  # Slack wants a new connection every few hours
                except _LostError as lost:
                    if self.connected_at is not None:
                        pauses = iter(_PAUSES)
                    self._lost(lost.reason)
                    pause = next(pauses, _PAUSES[-1]) * (0.5 + self._chance.random())
                    await self._clock.sleep(max(pause, lost.pause or 0.0))
                except Exception:
                    # Whatever it is, it must end neither the buttons nor the daemon.
                    log.exception("slack_app_failed")
                    self._lost("internal_error")
                    await self._clock.sleep(_PAUSES[-1])
        finally:
            self.connected_at = None
            for press in list(self._presses):
                press.cancel()

    async def _connect(self) -> None:
        """Connect, and hand on what is pressed until Slack wants another connection. Raises `_LostError`."""
        url = await self._address()
        try:
            async with asyncio.timeout(_TO_CONNECT) as limit:
                async with session_of(self._pool, self._settings).ws_connect(
                    url, heartbeat=_HEARTBEAT, max_msg_size=_LARGEST, timeout=aiohttp.ClientWSTimeout(ws_close=2.0)
                ) as socket:
                    if (await _receive(socket)).get("type") != "hello":
                        raise _LostError(reason="no_hello")
                    limit.reschedule(None)
                    self._connected()
                    began = self._clock.now()
                    await self._listen(socket)
                    if (self._clock.now() - began).total_seconds() < _SHORT:
                        raise _LostError(reason="ended_at_once")
        except TimeoutError:
            reason = "timeout"
        except DeliveryError as error:
            reason = error.reason
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = type(error).__name__
        else:
            return
        raise _LostError(
            reason=reason
        )  # outside of the handlers: the library's errors hold the address, which is a secret

    async def _address(self) -> str:
        try:
            answer = await self._client.post("apps.connections.open", {}, self._clock.wall())
        except DeliveryError as error:
            reason, pause = error.reason, error.retry_after
        else:
            url = answer.get("url")
            plain = self._settings.base_url.startswith("http://")
            if isinstance(url, str) and url.startswith(("wss://", "ws://") if plain else "wss://"):
                return url
            reason, pause = "no_address", None
        raise _LostError(reason=reason, pause=pause)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await _receive(socket)
            if message.get("type") == "disconnect":
                if message.get("reason") == "link_disabled":
                    raise _LostError(reason="link_disabled")
                return
            envelope_id = message.get("envelope_id")
            if not isinstance(envelope_id, str) or len(self._presses) >= _AT_ONCE:
                continue
            await socket.send_str(orjson.dumps({"envelope_id": envelope_id}).decode())
            if message.get("type") == "interactive":
                press = asyncio.create_task(self._press(message.get("payload")), name="slack-press")
                self._presses.add(press)
                press.add_done_callback(self._presses.discard)

    async def _press(self, payload: Any) -> None:
        try:
            await self._handle(payload)
        except Exception:
            log.exception("slack_press_failed")

    def _connected(self) -> None:
        if self.connected_at is None:
            log.info("slack_app_connected")
        self.connected_at, self.error = self._clock.wall(), None

    def _lost(self, reason: str) -> None:
        if self.connected_at is not None or self.error is None:
            log.warning("slack_app_disconnected", reason=reason)
        self.connected_at, self.error = None, reason


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message, whatever it says; one that is no JSON object says nothing. Raises `_LostError` at the end."""
    while True:
        received = await socket.receive()
        if received.type is _TEXT:
            with contextlib.suppress(orjson.JSONDecodeError):
                message = orjson.loads(received.data)
                return message if isinstance(message, dict) else {}
            return {}
        if received.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            raise _LostError(reason="closed")
        if received.type is aiohttp.WSMsgType.ERROR:
            raise _LostError(reason="broken")

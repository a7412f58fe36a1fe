"""Slack's side of Socket Mode: apps connect, presses are handed to them, and what they acknowledge is kept."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSMsgType, web

from bellwire.demo.receivers.http import HttpServer
from bellwire.demo.receivers.journal import Journal

if TYPE_CHECKING:
    import ssl


@dataclass(kw_only=True, slots=True, eq=False)
class Connection:
    """One app's connection; ``acknowledged`` are the ids of envelopes that it has confirmed."""

    socket: web.WebSocketResponse
    acknowledged: list[str] = field(default_factory=list)


class SlackSocket(Journal[Connection]):
    """Serves connections: `messages` are all that were ever made, the newest last.

    It listens on a port of its own, as Slack's sockets have a host of their own. ``greets`` False leaves out the hello.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.greets = True
        self.port = 0
        self._tls = tls
        self._ids = itertools.count(1)
        self._server = HttpServer(self._handle, tls)
        self._open: set[Connection] = set()

    async def start(self) -> None:
        """Listen."""
        self.port = await self._server.start()

    async def stop(self) -> None:
        """Close every connection and the port."""
        for connection in list(self._open):
            await connection.socket.close()
        await self._server.stop()

    @property
    def url(self) -> str:
        """Where an app is to connect, with a ticket in it."""
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/link/?ticket=secret-ticket-{next(self._ids)}"

    @property
    def connected(self) -> list[Connection]:
        """The connections that are open."""
        return [each for each in self.messages if each in self._open]

    async def press(self, payload: Any, kind: str = "interactive") -> str:
        """Hand something to the newest open connection; return the envelope's id once it is acknowledged."""
        await self.wait_until(lambda _: bool(self._open))
        connection = self.connected[-1]
        envelope_id = f"envelope-{next(self._ids)}"
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": True}
        await self.send(orjson.dumps(envelope).decode(), connection)
        await self.wait_until(lambda _: envelope_id in connection.acknowledged)
        return envelope_id

    async def send(self, text: str, connection: Connection | None = None) -> None:
        """Send a text as it is."""
        await (connection or self.connected[-1]).socket.send_str(text)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the newest connection to go, as Slack does every few hours."""
        await self.send(orjson.dumps({"type": "disconnect", "reason": reason}).decode())

    async def cut(self) -> None:
        """Break off every connection without a word."""
        for connection in list(self._open):
            await connection.socket.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket=socket)
        if self.greets:
            await socket.send_json({"type": "hello", "num_connections": 1})
        self._open.add(connection)
        self.add(connection)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    connection.acknowledged.append(orjson.loads(message.data).get("envelope_id"))
                    self.changed()
        finally:
            self._open.discard(connection)
            self.changed()
        return socket


def a_press(message: dict[str, Any], action_id: str, **changes: Any) -> dict[str, Any]:
    """Return what Slack sends when someone presses a button of ``message``: as the history gives it, with ``channel``."""
    buttons = [
        element
        for attachment in message.get("attachments", [])
        for block in attachment.get("blocks", [])
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    action = next((each for each in buttons if each["action_id"] == action_id), {"action_id": action_id, "value": ""})
    shown = {name: value for name, value in message.items() if name != "channel"}
    return {
        "type": "block_actions",
        "user": {"id": "U0123ABCD", "username": "dana", "name": "dana", "team_id": "T000"},
        "channel": {"id": message["channel"], "name": "ops"},
        "container": {"type": "message_attachment", "message_ts": message["ts"], "channel_id": message["channel"]},
        "message": shown,
        "actions": [{**action, "block_id": "bellwire", "type": "button", "action_ts": "1.000001"}],
        "trigger_id": "1.2.3",
    } | changes

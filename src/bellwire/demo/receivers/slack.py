"""A Slack-compatible Web API: conversations in memory, the limits that Slack has, and the errors it is told to give."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson
from aiohttp import web

from bellwire.demo.receivers.http import HttpServer, Reply, respond
from bellwire.demo.receivers.journal import Journal
from bellwire.demo.receivers.slack_socket import SlackSocket, a_press

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

_MAX_BLOCKS = 50
_MAX_SECTION = 3000
_MAX_BUTTON = 75
_MAX_TEXT = 40_000
_PAGE = 100


@dataclass(kw_only=True, slots=True)
class SlackMessage:
    """A message as it stands in a conversation; ``content`` is what was posted."""

    channel: str
    ts: str
    content: dict[str, Any]
    edits: int = 0
    deleted: bool = False

    @property
    def delivery_id(self) -> str | None:
        """The delivery that it came from, by its metadata."""
        payload = (self.content.get("metadata") or {}).get("event_payload") or {}
        found = payload.get("delivery_id")
        return found if isinstance(found, str) else None

    def shown(self, *, metadata: bool) -> dict[str, Any]:
        """Return the message as the history gives it."""
        hidden = {"channel"} if metadata else {"channel", "metadata"}
        content = {key: value for key, value in self.content.items() if key not in hidden}
        return {"type": "message", "user": "UBELLWIRE", "ts": self.ts} | content


@dataclass(kw_only=True, slots=True)
class Script:
    """Answers that are given instead of, or (``after``) once the call has done its work."""

    before: list[Reply] = field(default_factory=list)
    after: list[Reply] = field(default_factory=list)


class SlackApi(Journal[SlackMessage]):
    """Slack's Web API so far as Bellwire uses it, and an incoming webhook.

    `messages` has all conversations in the order of arrival; a conversation comes to be when it is first named. ``calls``
    counts calls by method. ``scopes`` are the token's; ``outside`` are ids of conversations that the app is not in, and
    ``archived`` of those that are. ``told`` is what one person alone sees. `socket` is where apps connect.
    """

    def __init__(
        self,
        *,
        token: str = "xoxb-demo",  # noqa: S107 - it guards nothing
        app_token: str = "xapp-demo",  # noqa: S107 - as above
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.token = token
        self.app_token = app_token
        self.port = port
        self.calls: dict[str, int] = {}
        self.channels: dict[str, str] = {}
        self.scopes = "chat:write,channels:history,channels:read"
        self.outside: set[str] = set()
        self.archived: set[str] = set()
        self.editable = True
        self.told: Journal[dict[str, Any]] = Journal()
        self.socket = SlackSocket(tls)
        self._scripts: dict[str, Script] = {}
        self._tls = tls
        self._ids = itertools.count(1)
        self._times = itertools.count(1)
        self._server = HttpServer(self._handle, tls)

    @property
    def _origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base address of the Web API."""
        return f"{self._origin}/api/"

    @property
    def webhook_url(self) -> str:
        """The address of the incoming webhook; what it is sent goes to ``#incoming``."""
        return f"{self._origin}/services/T000/B000/incoming"

    async def __aenter__(self) -> Self:
        self.port = await self._server.start(self.port)
        await self.socket.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.stop()
        await self._server.stop()

    # --- what tests tell it ---

    def delete(self, message: SlackMessage) -> None:
        """Delete a message, as a person may."""
        message.deleted = True

    def rename(self, old: str, new: str) -> None:
        """Give a conversation another name; its id stays."""
        self.channels[new.lstrip("#")] = self.channels.pop(old.lstrip("#"))

    def press(self, message: SlackMessage, action_id: str, **changes: Any) -> dict[str, Any]:
        """Return what an app is sent when someone presses this button under the message."""
        shown = message.shown(metadata=False) | {"channel": message.channel}
        return a_press(shown, action_id, **({"response_url": f"{self._origin}/actions/T000/1/secret"} | changes))

    def fail(
        self, method: str, error: str, *, times: int = 1, status: int = 200, retry_after: int | None = None
    ) -> None:
        """Answer the next calls of the method with an error, without doing anything."""
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        body = orjson.dumps({"ok": False, "error": error})
        reply = Reply(status=status, body=body, headers={"Content-Type": "application/json", **headers})
        self.answer(method, *[reply] * times)

    def answer(self, method: str, *replies: Reply) -> None:
        """Answer the next calls of the method so, without doing anything."""
        self._script(method).before += replies

    def then(self, method: str, *replies: Reply) -> None:
        """Let the next calls of the method do their work, but answer so: ``Reply(drop=True)`` loses the answer."""
        self._script(method).after += replies

    def _script(self, method: str) -> Script:
        return self._scripts.setdefault(method, Script())

    def channel_id(self, name: str) -> str:
        """Return the id of the conversation with this name or id."""
        if name in self.channels.values():
            return name
        return self.channels.setdefault(name.lstrip("#"), f"C{next(self._ids):08d}")

    # --- what clients see ---

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.removeprefix("/api/") if request.path.startswith("/api/") else "incoming"
        method = "response_url" if request.path.startswith("/actions/") else method
        arguments = await _arguments(request)
        self.calls[method] = self.calls.get(method, 0) + 1
        script = self._script(method)
        if script.before:
            return await respond(request, script.before.pop(0))
        direct = {"incoming": self._incoming, "response_url": self._respond}.get(method)
        answer = direct(arguments) if direct else self._call(method, request, arguments)
        if script.after:
            return await respond(request, script.after.pop(0))
        return answer

    def _call(self, method: str, request: web.BaseRequest, arguments: dict[str, Any]) -> web.Response:
        work = self._methods.get(method)
        if work is None:
            return _json(_error("unknown_method"))
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given != (self.app_token if method == "apps.connections.open" else self.token):
            return _json(_error("invalid_auth" if given else "not_authed"))
        return _json(work(self, arguments), {"X-OAuth-Scopes": self.scopes})

    def _respond(self, arguments: dict[str, Any]) -> web.Response:
        self.told.add(arguments)
        return web.Response(text="ok")

    def _ephemeral(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if not arguments.get("user") or arguments.get("channel") not in self.channels.values():
            return _error("user_not_in_channel" if arguments.get("user") else "channel_not_found")
        self.told.add(arguments)
        return {"ok": True, "message_ts": "1.000001"}

    def _connections_open(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "url": self.socket.url}

    def _incoming(self, arguments: dict[str, Any]) -> web.Response:
        fault = _fault(arguments)
        if fault:
            return web.Response(status=400, text=fault)
        self._store("#incoming", arguments)
        return web.Response(text="ok")

    def _store(self, name: str, content: dict[str, Any]) -> SlackMessage:
        channel = self.channel_id(name)
        message = SlackMessage(channel=channel, ts=f"{int(time.time())}.{next(self._times):06d}", content=content)
        self.add(message)
        return message

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name, fault = arguments.get("channel"), _fault(arguments)
        if not isinstance(name, str) or not name:
            return _error("channel_not_found")
        if fault:
            return _error(fault)
        if self.channel_id(name) in self.archived:
            return _error("is_archived")
        if "thread_ts" in arguments and self._find(self.channel_id(name), arguments["thread_ts"]) is None:
            # what was deleted has no thread: Slack then posts to the conversation, and says so by leaving this out
            arguments = {key: value for key, value in arguments.items() if key not in ("thread_ts", "reply_broadcast")}
        message = self._store(name, arguments)
        return {"ok": True, "channel": message.channel, "ts": message.ts, "message": message.shown(metadata=False)}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._find(arguments.get("channel"), arguments.get("ts"))
        fault = _fault(arguments)
        if message is None or fault or not self.editable:
            return _error(fault or ("message_not_found" if message is None else "edit_window_closed"))
        message.content = message.content | {k: v for k, v in arguments.items() if k not in ("channel", "ts")}
        message.edits += 1
        self.changed()
        return {"ok": True, "channel": message.channel, "ts": message.ts, "text": message.content.get("text")}

    def _find(self, channel: Any, ts: Any) -> SlackMessage | None:
        return next((m for m in self.messages if m.channel == channel and m.ts == ts and not m.deleted), None)

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        wanted = [m for m in self.messages if not m.content.get("thread_ts") or m.content.get("reply_broadcast")]
        return self._page(arguments, wanted[::-1])

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts = arguments.get("ts")
        if self._find(arguments.get("channel"), ts) is None:
            return _error("thread_not_found")
        return self._page(arguments, [m for m in self.messages if ts in (m.ts, m.content.get("thread_ts"))])

    def _page(self, arguments: dict[str, Any], wanted: list[SlackMessage]) -> dict[str, Any]:
        channel = arguments.get("channel")
        if channel not in self.channels.values() or channel in self.outside:
            return _error("not_in_channel" if channel in self.outside else "channel_not_found")
        oldest, start = float(arguments.get("oldest") or 0), int(arguments.get("cursor") or 0)
        limit = min(int(arguments.get("limit") or _PAGE), 999)
        found = [m for m in wanted if m.channel == channel and float(m.ts) >= oldest and not m.deleted]
        metadata = str(arguments.get("include_all_metadata", "0")).lower() in ("1", "true")
        more = len(found) > start + limit
        return {
            "ok": True,
            "messages": [m.shown(metadata=metadata) for m in found[start : start + limit]],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _auth_test(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "ok": True,
            "url": self._origin,
            "team": "demo",
            "user": "bellwire",
            "team_id": "T000",
            "user_id": "U000",
        }

    def _info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = arguments.get("channel")
        if channel not in self.channels.values():
            return _error("channel_not_found")
        return {"ok": True, "channel": self._shown(str(channel))}

    def _list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ids, start = list(self.channels.values()), int(arguments.get("cursor") or 0)
        end = start + int(arguments.get("limit") or _PAGE)
        cursor = str(end) if end < len(ids) else ""
        shown = [self._shown(each) for each in ids[start:end]]
        return {"ok": True, "channels": shown, "response_metadata": {"next_cursor": cursor}}

    def _shown(self, channel: str) -> dict[str, Any]:
        name = next(name for name, each in self.channels.items() if each == channel)
        return {
            "id": channel,
            "name": name,
            "is_archived": channel in self.archived,
            "is_member": channel not in self.outside,
        }

    _methods: dict[str, Callable[[SlackApi, dict[str, Any]], dict[str, Any]]] = {  # noqa: RUF012 - never changed
        "apps.connections.open": _connections_open,
        "auth.test": _auth_test,
        "chat.postEphemeral": _ephemeral,
        "chat.postMessage": _post,
        "chat.update": _update,
        "conversations.history": _history,
        "conversations.info": _info,
        "conversations.list": _list,
        "conversations.replies": _replies,
    }


async def _arguments(request: web.BaseRequest) -> dict[str, Any]:
    if request.content_type == "application/json":
        body = orjson.loads(await request.content.read(-1) or b"{}")
        return body if isinstance(body, dict) else {}
    return dict(request.query) | {k: v for k, v in (await request.post()).items() if isinstance(v, str)}


def _fault(content: dict[str, Any]) -> str | None:
    """Return the error that Slack has for such a message, None if it would take it."""
    blocks = list(content.get("blocks") or [])
    for attachment in content.get("attachments") or []:
        blocks += attachment.get("blocks") or []
    if len(blocks) > _MAX_BLOCKS or any(not _fits(block) for block in blocks):
        return "invalid_blocks"
    if len(content.get("text") or "") > _MAX_TEXT:
        return "msg_too_long"
    return None if blocks or content.get("text") else "no_text"


def _fits(block: dict[str, Any]) -> bool:
    if block.get("type") == "actions":
        texts = [each.get("text", {}) for each in block.get("elements", [])]
        ids = {each.get("action_id") for each in block.get("elements", [])}
        return len(ids) == len(texts) and all(0 < len(text.get("text") or "") <= _MAX_BUTTON for text in texts)
    texts = [block["text"]] if block.get("type") == "section" else block.get("elements", [])
    return bool(texts) and all(0 < len(text.get("text") or "") <= _MAX_SECTION for text in texts)


def _error(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


def _json(answer: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json", headers=headers)

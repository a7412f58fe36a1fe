"""Channels joined to the receivers that they are tried against, one rig for each kind."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.channels import channels_of
from bellwire.config.schema import ReceiverConfig
from bellwire.demo.receivers import Reply, SlackApi, SmtpInbox, WebhookReceiver
from bellwire.errors import DeliveryError, Verdict
from bellwire.http import HttpPool
from bellwire.model import Alert, DeliveryKind, Envelope, Message, Severity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bellwire.ports import Channel

NOW = datetime.now(UTC).replace(microsecond=0)
DELIVERY = "01JDELIVERY000000000000001"
TOKEN = "tok3n-MARKED-secret-value"


def an_alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "01JALERT000000000000000001",
        "account": "vision",
        "api": "visual_layer",
        "upstream_id": "n-1",
        "type": "alert",
        "severity": Severity.WARNING,
        "title": "Scratches: 12 new results in line-4",
        "message": "The monitor found 12 new results.",
        "url": "https://vendor.example/views/7?tab=1&x=2",
        "created_at": NOW - timedelta(seconds=3),
        "received_at": NOW,
        "labels": {
            "account": "vision",
            "api": "visual_layer",
            "type": "alert",
            "severity": "warning",
            "result_count": "12",
        },
        "payload": {"id": "n-1", "metadata": {"result_count": 12}},
    }
    return Alert(**(values | changes))


def a_message(*alerts: Alert, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "delivery_id": DELIVERY,
        "kind": DeliveryKind.ALERT,
        "receiver": "ops",
        "alerts": alerts or (an_alert(),),
    }
    return Message(**(values | changes))


def envelope(channel: Channel, message: Message | None = None, **changes: Any) -> Envelope:
    message = message or a_message()
    values: dict[str, Any] = {
        "delivery_id": message.delivery_id,
        "attempt": 1,
        "body": channel.render(message),
        "sent_at": datetime.now(UTC),
    }
    return Envelope(**(values | changes))


async def failure_of(channel: Channel, sent: Envelope) -> DeliveryError:
    """Send, and return the error that it must end with."""
    try:
        receipt = await channel.send(sent)
    except DeliveryError as exc:
        return exc
    message = f"sent, though it should have failed: {receipt}"
    raise AssertionError(message)


@contextlib.asynccontextmanager
async def a_channel(kind: str, **settings: Any) -> AsyncIterator[Channel]:
    """Make a channel of a kind from the settings that a configuration file would have."""
    receiver = ReceiverConfig.model_validate({"name": "ops", f"{kind}_configs": [{"timeout": "10s", **settings}]})
    pool = HttpPool()
    try:
        (channel,) = channels_of(receiver, pool).values()
        yield channel
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def a_server(
    lines: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve each connection as the function says; yield the port, and leave nothing open."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await lines(reader, writer)
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*serving)
        await server.wait_closed()


@dataclass(kw_only=True)
class Rig:
    """A channel and its receiver. ``ids`` are the delivery ids that arrived; the rest tells the receiver how to behave."""

    channel: Channel
    settings: dict[str, Any]
    ids: Callable[[], list[str]]
    bodies: Callable[[], list[bytes]]
    arrived: Callable[[int], Any]
    refuse_credentials: Callable[[], None]
    drop: Callable[[], None]
    hang: Callable[[], None]
    secrets: list[str] = field(default_factory=list)
    # Apprise does not tell why it failed
    credentials_refused: Verdict = Verdict.CHANNEL_FAULT


@contextlib.asynccontextmanager
async def webhook_rig(**settings: Any) -> AsyncIterator[Rig]:
    async with WebhookReceiver() as hook:
        given = {
            "url": f"{hook.url}/{TOKEN}",
            "headers": {"X-Api-Key": f"{TOKEN}-key"},
            "signing_secret": "whsec_" + "c2Vj" * 8,
        }
        async with a_channel("webhook", **given, **settings) as channel:
            yield Rig(
                channel=channel,
                settings=given,
                ids=lambda: [request.id for request in hook.messages],
                bodies=lambda: [request.body for request in hook.messages],
                arrived=hook.wait_for,
                refuse_credentials=lambda: hook.answer(
                    Reply(status=401, body=f"no {TOKEN}-key at /hook/{TOKEN}".encode())
                ),
                drop=lambda: hook.answer(Reply(drop=True)),
                hang=lambda: hook.answer(Reply(until=asyncio.Event())),
                secrets=[TOKEN, "c2Vj" * 8],
            )


@contextlib.asynccontextmanager
async def apprise_rig(**settings: Any) -> AsyncIterator[Rig]:
    async with WebhookReceiver() as hook:
        given = {"url": f"json://user:{TOKEN}@127.0.0.1:{hook.port}/{TOKEN}/?+X-Key={TOKEN}"}
        released = asyncio.Event()
        async with a_channel("apprise", **given, **settings) as channel:
            yield Rig(
                channel=channel,
                settings=given,
                ids=lambda: [DELIVERY for _ in hook.messages],  # Apprise has no place for an id
                bodies=lambda: [request.body for request in hook.messages],
                arrived=hook.wait_for,
                refuse_credentials=lambda: hook.answer(Reply(status=401, body=TOKEN.encode())),
                drop=lambda: hook.answer(Reply(drop=True)),
                hang=lambda: hook.answer(Reply(until=released)),
                secrets=[TOKEN],
                credentials_refused=Verdict.RETRY,
            )
        released.set()


@contextlib.asynccontextmanager
async def slack_rig(**settings: Any) -> AsyncIterator[Rig]:
    async with SlackApi(token=f"xoxb-{TOKEN}") as slack:
        given = {"token": f"xoxb-{TOKEN}", "channel": "#ops", "base_url": slack.url}
        async with a_channel("slack", **given, **settings) as channel:
            yield Rig(
                channel=channel,
                settings=given,
                ids=lambda: [message.delivery_id or "" for message in slack.messages],
                bodies=lambda: [repr(message.content).encode() for message in slack.messages],
                arrived=slack.wait_for,
                refuse_credentials=lambda: slack.fail("chat.postMessage", "invalid_auth"),
                drop=lambda: slack.then("chat.postMessage", Reply(drop=True)),
                hang=lambda: slack.then("chat.postMessage", Reply(until=asyncio.Event())),
                secrets=[TOKEN],
            )


@contextlib.asynccontextmanager
async def email_rig(**settings: Any) -> AsyncIterator[Rig]:
    async with SmtpInbox(login=("bellwire", TOKEN)) as inbox:
        given = {
            "to": ["oncall@example.com"],
            "from": "Bellwire <bellwire@example.com>",
            "smarthost": inbox.smarthost,
            "tls": "none",
            "auth_username": "bellwire",
            "auth_password": TOKEN,
        }
        async with a_channel("email", **given, **settings) as channel:
            yield Rig(
                channel=channel,
                settings=given,
                ids=lambda: [mail.delivery_id for mail in inbox.messages],
                bodies=lambda: [mail.raw for mail in inbox.messages],
                arrived=inbox.wait_for,
                refuse_credentials=inbox.refuse_login,
                drop=lambda: inbox.data_replies.append("drop"),
                hang=lambda: inbox.data_replies.append("hang"),
                secrets=[TOKEN],
            )


RIGS: dict[str, Callable[..., contextlib.AbstractAsyncContextManager[Rig]]] = {
    "slack": slack_rig,
    "email": email_rig,
    "webhook": webhook_rig,
    "apprise": apprise_rig,
}

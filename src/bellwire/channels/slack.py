"""Slack, in two forms: the Web API with a bot token, and an incoming webhook.

The Web API can be asked whether a message has arrived: every message bears its delivery id as metadata
(https://docs.slack.dev/messaging/message-metadata), which ``conversations.history`` gives back.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from bellwire.channels.http_post import Request, post
from bellwire.channels.slack_blocks import payload
from bellwire.channels.slack_client import SlackClient
from bellwire.channels.slack_mentions import Mentions
from bellwire.channels.text import secrets_of_url
from bellwire.errors import BellwireError, DeliveryError, Verdict
from bellwire.model import Envelope, Message, Receipt

if TYPE_CHECKING:
    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

_log = structlog.get_logger(__name__)

_CONVERSATION_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_LOOKED_BACK = timedelta(days=1)  # no delivery is tried for longer by default
_LOOKED_THROUGH = 5  # pages of
_PAGE = 200  # messages


class SlackWebApi:
    """Posts with a bot token, and asks before it posts again what may have arrived."""

    def __init__(self, settings: SlackConfig, pool: HttpPool) -> None:
        if not settings.token or not settings.channel:
            message = "a Slack channel needs a token and a channel, or an api_url"
            raise BellwireError(message)
        self._channel = settings.channel
        self._mentions = Mentions(settings.mention)
        self._client = SlackClient(settings, pool)

    def render(self, message: Message) -> bytes:
        """Return the arguments of ``chat.postMessage``, but the channel."""
        return orjson.dumps(payload(message, self._mentions.of(message.alerts)))

    async def send(self, envelope: Envelope) -> Receipt:
        """Post the message, unless an earlier attempt did; the receipt keeps the conversation's id for such questions."""
        conversation = envelope.remote or (self._channel if _CONVERSATION_ID.fullmatch(self._channel) else "")
        if envelope.doubtful and await self._arrived(envelope, conversation):
            return Receipt(detail="found at Slack: an earlier attempt had arrived", remote=conversation)
        arguments = {**orjson.loads(envelope.body), "channel": self._channel}
        answer = await self._client.post("chat.postMessage", arguments, envelope.sent_at)
        return Receipt(detail=f"posted at {answer.get('ts')}", remote=str(answer.get("channel") or conversation))

    async def _arrived(self, envelope: Envelope, conversation: str) -> bool:
        if not conversation:
            _log.warning("slack_lookup_unavailable", delivery=envelope.delivery_id, reason="conversation_unknown")
            return False
        try:
            return await self._listed(envelope, conversation)
        except DeliveryError as exc:
            if exc.verdict not in (Verdict.CHANNEL_FAULT, Verdict.MESSAGE_FAULT):
                # the question remains: it is asked again before anything is posted
                exc.verdict = Verdict.IN_DOUBT
                raise
            _log.warning("slack_lookup_unavailable", delivery=envelope.delivery_id, reason=exc.reason)
            return False

    async def _listed(self, envelope: Envelope, conversation: str) -> bool:
        """Return whether the conversation's last day holds a message with the delivery's id."""
        arguments: dict[str, Any] = {
            "channel": conversation,
            "oldest": str((envelope.sent_at - _LOOKED_BACK).timestamp()),
            "include_all_metadata": True,
            "limit": _PAGE,
        }
        for _ in range(_LOOKED_THROUGH):
            answer = await self._client.get("conversations.history", arguments, envelope.sent_at)
            if any(_delivery_of(message) == envelope.delivery_id for message in answer.get("messages") or []):
                return True
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return False
            arguments = {**arguments, "cursor": cursor}
        return False


def _delivery_of(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    found = (metadata.get("event_payload") or {}).get("delivery_id")
    return found if isinstance(found, str) else None


class SlackIncomingWebhook:
    """Posts to the address of an incoming webhook, which can be neither asked nor told."""

    def __init__(self, settings: SlackConfig, pool: HttpPool) -> None:
        self._settings = settings
        self._pool = pool
        self._mentions = Mentions(settings.mention)

    def render(self, message: Message) -> bytes:
        """Return the body; metadata is the Web API's."""
        body = payload(message, self._mentions.of(message.alerts))
        del body["metadata"]
        return orjson.dumps(body)

    async def send(self, envelope: Envelope) -> Receipt:
        """Post the body (answers: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors)."""
        url = self._settings.api_url.get_secret_value() if self._settings.api_url else ""
        request = Request(
            method="POST",
            url=url,
            body=envelope.body,
            headers={"Content-Type": "application/json"},
            sent_at=envelope.sent_at,
            secrets=secrets_of_url(url),
        )
        return Receipt(detail=f"HTTP {await post(self._pool, self._settings, request)}")


def build(settings: SlackConfig, pool: HttpPool) -> Channel:
    """Return the form that the settings ask for."""
    return SlackIncomingWebhook(settings, pool) if settings.api_url else SlackWebApi(settings, pool)

"""Slack, in two forms: the Web API with a bot token, and an incoming webhook.

Over the Web API, the follow-ups of a group go into the thread of its first message, and what may have arrived is asked
about before it is posted again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from bellwire.channels.http_post import Poster
from bellwire.channels.slack_blocks import payload
from bellwire.channels.slack_client import SlackClient
from bellwire.channels.slack_count import RunningCount
from bellwire.channels.slack_lookup import Lookup
from bellwire.channels.slack_mentions import Mentions
from bellwire.channels.slack_thread import Thread, load_thread, time_of
from bellwire.errors import BellwireError, DeliveryError, Verdict
from bellwire.model import Envelope, Message, Receipt

if TYPE_CHECKING:
    from bellwire.channels.wording import Wording
    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

log = structlog.get_logger(__name__)

_CONVERSATION_ID = re.compile(r"[CGD][A-Z0-9]{7,}")

_NO_REPLY = frozenset(
    {
        # the thread; https://docs.slack.dev/reference/methods/chat.postMessage#errors
        "slack_cannot_reply_to_message",
        "slack_message_not_found",
        "slack_restricted_action_non_threadable_channel",
        "slack_restricted_action_thread_locked",
        "slack_thread_not_found",
        # the conversation that it is in, which need not be the one that the configuration names by now
        "slack_channel_not_found",
        "slack_is_archived",
        "slack_not_in_channel",
    }
)
"""Nothing was posted, and nothing can be in this thread: a new message may still do."""


class SlackWebApi:
    """Posts with a bot token, and asks before it posts again what may have arrived."""

    def __init__(self, settings: SlackConfig, pool: HttpPool, words: Wording) -> None:
        if not settings.token or not settings.channel:
            message = "a Slack channel needs a token and a channel, or an api_url"
            raise BellwireError(message)
        self._channel = settings.channel
        self._threads = settings.thread
        self._buttons = settings.app_token is not None
        self._words = words
        self._mentions = Mentions(settings.mention)
        self._client = SlackClient(settings, pool)
        self._count = RunningCount(self._client)
        self.lookup = Lookup(self._client)

    def render(self, message: Message) -> bytes:
        """Return the arguments of ``chat.postMessage``, but the channel."""
        mention = self._mentions.of(message.alerts)
        return orjson.dumps(payload(message, mention, self._words, buttons=self._buttons))

    async def send(self, envelope: Envelope) -> Receipt:
        """Post the message, unless an earlier attempt did; the receipt keeps the conversation's id for such questions."""
        conversation = envelope.remote or (self._channel if _CONVERSATION_ID.fullmatch(self._channel) else "")
        thread = load_thread(envelope.group, self._channel) if self._threads else None
        note = ""
        if envelope.doubtful:
            found, conversation, note = await self.lookup.find(envelope, self._channel, conversation, thread)
            if found is not None:
                place = thread.channel if thread and thread.is_reply(found) else conversation
                detail = "found at Slack: an earlier attempt had arrived"
                return self._receipt(envelope, place, found, thread, detail)
        answer = await self._post(envelope, thread)
        posted = (answer.get("message") or {}) | {"ts": str(answer.get("ts") or "")}
        detail = "; ".join(part for part in (f"posted at {posted['ts']}", note) if part)
        return self._receipt(envelope, str(answer.get("channel") or conversation), posted, thread, detail)

    async def _post(self, envelope: Envelope, thread: Thread | None) -> dict[str, Any]:
        """Post it, into the thread if there is one and it can be had; return Slack's answer."""
        body = orjson.loads(envelope.body)
        if thread is not None:
            try:
                return thread.answered(
                    await self._client.post("chat.postMessage", thread.reply(body), envelope.sent_at)
                )
            except DeliveryError as exc:
                if exc.reason not in _NO_REPLY:
                    raise
                log.info("slack_thread_lost", delivery=envelope.delivery_id, reason=exc.reason)
        return await self._client.post("chat.postMessage", {**body, "channel": self._channel}, envelope.sent_at)

    def _receipt(
        self, envelope: Envelope, conversation: str, message: dict[str, Any], thread: Thread | None, detail: str
    ) -> Receipt:
        """Return what the message is remembered by, which now stands in the conversation."""
        if envelope.group is None or not self._threads or not conversation or not message.get("ts"):
            return Receipt(detail=detail, remote=conversation)
        body = orjson.loads(envelope.body)
        if thread is None or not thread.is_reply(message):
            begun = Thread.begun(self._channel, conversation, message["ts"], body)
            return Receipt(detail=detail, remote=conversation, group=begun.dump())
        thread = thread.with_reply(body)
        show = self._count.showing(thread, time_of(message) or envelope.sent_at, envelope.sent_at)
        # the thread may be in a conversation that has another name by now: questions go to the one that is configured
        return Receipt(detail=f"{detail}, in the thread", remote=envelope.remote, group=thread.dump(), afterwards=show)


class SlackIncomingWebhook:
    """Posts to the address of an incoming webhook, which can be neither asked nor told."""

    def __init__(self, settings: SlackConfig, pool: HttpPool, words: Wording) -> None:
        url = settings.api_url.get_secret_value() if settings.api_url else ""
        self._poster = Poster(pool, settings, url, {}, "POST")
        self._words = words
        self._mentions = Mentions(settings.mention)

    def render(self, message: Message) -> bytes:
        """Return the body; metadata is the Web API's."""
        body = payload(message, self._mentions.of(message.alerts), self._words)
        del body["metadata"]
        return orjson.dumps(body)

    async def send(self, envelope: Envelope) -> Receipt:
        """Post the body (answers: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors)."""
        said = await self._poster.post({"Content-Type": "application/json"}, envelope.body, envelope.sent_at)
        if said.body.lstrip().startswith(b"<"):  # Slack says `ok`; a portal on the way shows its page
            message = "a web page answered in Slack's stead"
            raise DeliveryError(message, verdict=Verdict.IN_DOUBT, reason="slack_unreadable")
        return Receipt(detail=f"HTTP {said.status}")


def build(settings: SlackConfig, pool: HttpPool, words: Wording) -> Channel:
    """Return the form that the settings ask for."""
    return SlackIncomingWebhook(settings, pool, words) if settings.api_url else SlackWebApi(settings, pool, words)

"""Asking Slack whether a message has arrived: every message bears its delivery's id as metadata.

See https://docs.slack.dev/messaging/message-metadata. It takes ``channels:history`` or ``groups:history``, membership, and
the conversation's id: of a channel that is configured by its name, the answer to the first message tells it, and until then
the list of conversations (``channels:read``, ``groups:read``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from bellwire.errors import DeliveryError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.channels.slack_client import SlackClient
    from bellwire.channels.slack_thread import Thread
    from bellwire.model import Envelope

log = structlog.get_logger(__name__)

_LOOKED_BACK = timedelta(days=1)  # no delivery is tried for longer by default
_LOOKED_THROUGH = 5  # pages of
_PAGE = 200  # messages
_LISTED = 10  # pages of
_LIST_PAGE = 999  # conversations: https://docs.slack.dev/reference/methods/conversations.list

_GONE = frozenset({"slack_thread_not_found", "slack_message_not_found"})
"""There is no such thread: nothing can be in it."""

_REMEDIES = {
    "conversation_unknown": "its id is known from the first message on; with channels:read and groups:read, before that too",
    "slack_missing_scope": "add channels:history or groups:history to the app",
    "slack_not_in_channel": "invite the app to the channel",
    "slack_channel_not_found": "invite the app to the channel",
}


class Found(NamedTuple):
    """What came of looking: the message, or None; ``note`` says why that may not be certain.

    ``conversation`` is where it was looked for: the id that was known, or that the lookup found.
    """

    message: dict[str, Any] | None
    conversation: str
    note: str = ""


class Lookup:
    """Looks for deliveries of one channel. ``blind`` says why it could not look the last time; empty if it could."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self.blind = ""

    async def find(self, envelope: Envelope, channel: str, conversation: str, thread: Thread | None) -> Found:
        """Look for the delivery in its thread and in the conversation; without its id, that is found by ``channel``.

        Raises `DeliveryError`, in doubt, while Slack does not say: the question remains.
        """
        note = ""
        known = conversation or await self._id_of(channel, envelope)
        # what is listed under no such name may be an id of a form that we do not know
        for method, arguments in _places(known or channel, thread):
            try:
                message, whole = await self._search(method, arguments, envelope)
            except DeliveryError as exc:
                if exc.reason in _GONE:
                    continue
                _unless_refused(exc)
                return self._unavailable(envelope, known, exc.reason if known else "conversation_unknown")
            self.blind = ""
            if message is not None:
                return Found(message, known or channel)
            if not whole:
                note = f"not among the last {_LOOKED_THROUGH * _PAGE:,} messages of the channel"
        return Found(None, known, note)

    def _unavailable(self, envelope: Envelope, conversation: str, reason: str) -> Found:
        log.warning("slack_lookup_unavailable", delivery=envelope.delivery_id, reason=reason)
        code = reason.removeprefix("slack_")
        remedy = f" ({_REMEDIES[reason]})" if reason in _REMEDIES else ""
        if reason != "conversation_unknown":  # that passes by itself
            self.blind = f"cannot be asked what arrived: {code}{remedy}"
        return Found(None, conversation, f"sent again without asking, for Slack could not be asked: {code}{remedy}")

    async def _id_of(self, channel: str, envelope: Envelope) -> str:
        """Return the id of the conversation with this name; empty if none is listed, or the list may not be read."""
        arguments: dict[str, Any] = {"types": "public_channel,private_channel", "limit": _LIST_PAGE}
        for _ in range(_LISTED):
            try:
                answer = await self._client.get("conversations.list", arguments, envelope.sent_at)
            except DeliveryError as exc:
                _unless_refused(exc)
                return ""
            for each in answer.get("channels") or []:
                if each.get("name") == channel.removeprefix("#"):
                    return str(each.get("id") or "")
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return ""
            arguments = {**arguments, "cursor": cursor}
        return ""

    async def _search(
        self, method: str, arguments: dict[str, Any], envelope: Envelope
    ) -> tuple[dict[str, Any] | None, bool]:
        """Return the message with the delivery's id, if there is one, and whether all of the last day was seen."""
        oldest = str((envelope.sent_at - _LOOKED_BACK).timestamp())
        arguments = {**arguments, "oldest": oldest, "include_all_metadata": True, "limit": _PAGE}
        for _ in range(_LOOKED_THROUGH):
            answer = await self._client.get(method, arguments, envelope.sent_at)
            for message in answer.get("messages") or []:
                if _delivery_of(message) == envelope.delivery_id:
                    return message, True
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None, True
            arguments = {**arguments, "cursor": cursor}
        return None, False


def _unless_refused(error: DeliveryError) -> None:
    """Raise the error, in doubt, unless it says that Slack will not answer this question later either."""
    if error.verdict not in (Verdict.CHANNEL_FAULT, Verdict.MESSAGE_FAULT):
        error.verdict = Verdict.IN_DOUBT
        raise error


def _places(conversation: str, thread: Thread | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it may be: what could not go into its thread went into the conversation."""
    if thread is not None:
        yield "conversations.replies", {"channel": thread.channel, "ts": thread.ts}
    yield "conversations.history", {"channel": conversation}


def _delivery_of(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    found = (metadata.get("event_payload") or {}).get("delivery_id")
    return found if isinstance(found, str) else None

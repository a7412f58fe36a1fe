"""Asking Slack whether a message has arrived: every message bears its delivery's id as metadata.

See https://docs.slack.dev/messaging/message-metadata. It takes ``channels:history`` or ``groups:history``, membership, and
the conversation's id.
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

_GONE = frozenset({"slack_thread_not_found", "slack_message_not_found"})
"""There is no such thread: nothing can be in it."""

_REMEDIES = {
    "conversation_unknown": "its id is known from the first message on",
    "slack_missing_scope": "add channels:history or groups:history to the app",
    "slack_not_in_channel": "invite the app to the channel",
    "slack_channel_not_found": "invite the app to the channel",
}


class Found(NamedTuple):
    """What came of looking: the message, or None; ``note`` says why that may not be certain."""

    message: dict[str, Any] | None
    note: str = ""


class Lookup:
    """Looks for deliveries of one channel. ``blind`` says why it could not look the last time; empty if it could."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self.blind = ""

    async def find(self, envelope: Envelope, conversation: str, thread: Thread | None) -> Found:
        """Look for the delivery in its thread and in the conversation.

        Raises `DeliveryError`, in doubt, while Slack does not say: the question remains.
        """
        note = ""
        for method, arguments in _places(conversation, thread):
            try:
                message, whole = await self._search(method, arguments, envelope)
            except DeliveryError as exc:
                if exc.reason in _GONE:
                    continue
                if exc.verdict not in (Verdict.CHANNEL_FAULT, Verdict.MESSAGE_FAULT):
                    exc.verdict = Verdict.IN_DOUBT
                    raise
                return self._unavailable(envelope, exc.reason)
            self.blind = ""
            if message is not None:
                return Found(message)
            if not whole:
                note = f"not among the last {_LOOKED_THROUGH * _PAGE:,} messages of the channel"
        return Found(None, note) if conversation else self._unavailable(envelope, "conversation_unknown")

    def _unavailable(self, envelope: Envelope, reason: str) -> Found:
        log.warning("slack_lookup_unavailable", delivery=envelope.delivery_id, reason=reason)
        code = reason.removeprefix("slack_")
        remedy = f" ({_REMEDIES[reason]})" if reason in _REMEDIES else ""
        if reason != "conversation_unknown":  # that passes by itself
            self.blind = f"cannot be asked what arrived: {code}{remedy}"
        return Found(None, f"sent again without asking, for Slack could not be asked: {code}{remedy}")

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


def _places(conversation: str, thread: Thread | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it may be: what could not go into its thread went into the conversation."""
    if thread is not None:
        yield "conversations.replies", {"channel": thread.channel, "ts": thread.ts}
    if conversation:
        yield "conversations.history", {"channel": conversation}


def _delivery_of(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    found = (metadata.get("event_payload") or {}).get("delivery_id")
    return found if isinstance(found, str) else None

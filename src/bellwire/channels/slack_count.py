"""The running count in the first message of a thread: an edit in place, which may fail without harm."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import DeliveryError

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.channels.slack_client import SlackClient
    from bellwire.channels.slack_thread import Thread

log = structlog.get_logger(__name__)

_REMEMBERED = 500  # threads

# https://docs.slack.dev/reference/methods/chat.update#errors
_NEVER = frozenset(
    {
        "slack_cant_update_message",
        "slack_channel_not_found",
        "slack_edit_window_closed",
        "slack_is_archived",
        "slack_message_not_found",
        "slack_missing_scope",
    }
)
"""A message that was refused so will not be edited later either."""


class RunningCount:
    """Edits the first messages of one channel's threads. What cannot be edited is logged once a thread."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self._failed: OrderedDict[tuple[str, str], bool] = OrderedDict()  # True: for good

    async def show(self, thread: Thread, last: datetime, sent_at: datetime) -> None:
        """Show how many alerts the group had so far, and when the last ones came."""
        key = (thread.channel, thread.ts)
        if self._failed.get(key):
            return
        try:
            await self._client.post("chat.update", thread.edit(last), sent_at)
        except DeliveryError as exc:
            if key not in self._failed:
                log.warning("slack_edit_failed", reason=exc.reason, conversation=thread.channel, message=thread.ts)
            self._failed[key] = exc.reason in _NEVER
            if len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)

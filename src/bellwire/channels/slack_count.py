"""The running count in the first message of a thread: an edit in place, which may fail without harm."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bellwire.channels.slack_client import SlackClient
    from bellwire.channels.slack_thread import Thread

log = structlog.get_logger(__name__)

_REMEMBERED = 500  # threads
_SHORTEST = 1.0  # seconds: a pause of none would be asked for again at once

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
        self._latest: OrderedDict[tuple[str, str], int] = OrderedDict()  # the greatest count that is to be shown

    def showing(self, thread: Thread, last: datetime, sent_at: datetime) -> Callable[[], Awaitable[float | None]]:
        """Return what shows how many alerts the group had so far, and when the last ones came.

        It returns for how many seconds Slack asked to be left alone: then it is to be shown again. What a later count has
        overtaken is shown no more.
        """
        key = (thread.channel, thread.ts)
        self._latest[key] = max(thread.alerts, self._latest.get(key, 0))
        if len(self._latest) > _REMEMBERED:
            self._latest.popitem(last=False)
        return partial(self._show, key, thread, last, sent_at)

    async def _show(self, key: tuple[str, str], thread: Thread, last: datetime, sent_at: datetime) -> float | None:
        if self._failed.get(key) or self._latest.get(key, 0) > thread.alerts:
            return None
        return await self._edit(key, thread.edit(last), sent_at)

    async def _edit(self, key: tuple[str, str], arguments: dict[str, Any], sent_at: datetime) -> float | None:
        try:
            await self._client.post("chat.update", arguments, sent_at)
        except DeliveryError as exc:
            if exc.retry_after is not None:
                log.info("slack_edit_waits", conversation=key[0], message=key[1], seconds=exc.retry_after)
                return max(exc.retry_after, _SHORTEST)
            if key not in self._failed:
                log.warning("slack_edit_failed", reason=exc.reason, conversation=key[0], message=key[1])
            self._failed[key] = exc.reason in _NEVER
            if len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)
        return None

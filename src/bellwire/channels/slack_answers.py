"""Answers to whoever pressed a button in Slack: a message that they alone see, and a line that everyone sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from bellwire.channels.http_post import session_of, time_limits
from bellwire.channels.http_verdicts import NO_ANSWER
from bellwire.channels.slack_buttons import with_presses
from bellwire.channels.slack_client import SlackClient
from bellwire.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.channels.slack_buttons import Press
    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool

log = structlog.get_logger(__name__)

_LONGEST = 10_000  # characters of markup
_HOSTS = (".slack.com", ".slack-gov.com")


class SlackAnswers:
    """Answers with one channel's token. What fails is logged, and nothing else."""

    def __init__(self, settings: SlackConfig, pool: HttpPool) -> None:
        self._settings = settings
        self._pool = pool
        self._client = SlackClient(settings, pool)

    async def tell(self, press: Press, markup: str, now: datetime) -> None:
        """Tell whoever pressed, and nobody else."""
        markup = markup[:_LONGEST]
        if self._is_slacks(press.response_url) and await self._respond(press.response_url, markup):
            return
        arguments = {"channel": press.channel, "user": press.user_id, "text": markup}
        if press.thread_ts:
            arguments["thread_ts"] = press.thread_ts
        try:
            await self._client.post("chat.postEphemeral", arguments, now)
        except DeliveryError as error:
            log.warning("slack_answer_failed", reason=error.reason)

    async def show(self, press: Press, told: Sequence[str], now: datetime) -> None:
        """Show below the message's buttons who pressed them."""
        content = with_presses(press.shown, told)
        if content is None or not press.channel or not press.ts:
            return
        try:
            await self._client.post("chat.update", {"channel": press.channel, "ts": press.ts, **content}, now)
        except DeliveryError as error:
            log.warning("slack_edit_failed", reason=error.reason, conversation=press.channel, message=press.ts)

    def _is_slacks(self, url: str) -> bool:
        """Return whether an address is one that answers may go to: it comes with what was pressed."""
        try:
            there, api = urlsplit(url), urlsplit(self._settings.base_url)
        except ValueError:
            return False
        if (there.scheme, there.netloc) == (api.scheme, api.netloc):
            return True
        return there.scheme == "https" and (there.hostname or "").endswith(_HOSTS)

    async def _respond(self, url: str, markup: str) -> bool:
        """Answer at the address that came along (https://docs.slack.dev/interactivity/handling-user-interaction)."""
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": markup}
        try:
            async with session_of(self._pool, self._settings).post(
                url, json=body, allow_redirects=False, timeout=time_limits(self._settings.send_timeout)
            ) as response:
                return response.ok and response.status < 300  # noqa: PLR2004 - no redirect
        except (*NO_ANSWER, DeliveryError):  # the address is a secret: nothing of the error is told
            return False

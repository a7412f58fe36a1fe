"""A group's thread in Slack, as the ledger keeps it between two messages of the group. Pure.

The group's first message begins it; follow-ups are replies to that, and it shows how many alerts there were so far.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """Where a group's messages go. ``to`` is the channel as configured, ``channel`` and ``ts`` name its first message.

    ``alerts`` is how many the group had so far, ``severity`` the highest of them. ``text`` and ``blocks`` are the first
    message's own, to which the count is added.
    """

    to: str
    channel: str
    ts: str
    alerts: int
    severity: int
    text: str
    blocks: list[Json]

    @classmethod
    def begun(cls, to: str, channel: str, ts: str, posted: Json) -> Thread:
        """Return the thread that a message begins which was ``posted``."""
        alerts, severity = weight_of(posted)
        text, blocks = posted.get("text") or "", posted.get("blocks") or []
        return cls(to=to, channel=channel, ts=ts, alerts=alerts, severity=severity, text=text, blocks=blocks)

    def with_reply(self, posted: Json) -> Thread:
        """Return the thread after a reply."""
        alerts, severity = weight_of(posted)
        return replace(self, alerts=self.alerts + alerts, severity=max(self.severity, severity))

    def reply(self, body: Json) -> Json:
        """Return the arguments of ``chat.postMessage`` for a follow-up: the channel sees it where it is worse than all before."""
        arguments = {**body, "channel": self.channel, "thread_ts": self.ts}
        return arguments | ({"reply_broadcast": True} if weight_of(body)[1] > self.severity else {})

    def is_reply(self, message: Json) -> bool:
        """Return whether a message stands in this thread. Slack posts a reply to what was deleted as any other message."""
        return message.get("thread_ts") == self.ts != message.get("ts")

    def answered(self, answer: Json) -> Json:
        """Return the answer to a reply; one that does not show the message says nothing against its being one."""
        shown = answer.get("message") or {}
        return answer if "ts" in shown else answer | {"message": shown | {"thread_ts": self.ts}}

    def edit(self, last: datetime) -> Json:
        """Return the arguments of ``chat.update`` that bring the count up to date; ``last`` is when the last reply came.

        Attachments that are not named stay as they are (https://docs.slack.dev/reference/methods/chat.update).
        """
        at = f"<!date^{int(last.timestamp())}^{{time}}|{last.astimezone(UTC):%H:%M} UTC>"
        count = {"type": "mrkdwn", "text": f"… {self.alerts:,} alerts so far, last {at}"}
        blocks = [*self.blocks, {"type": "context", "block_id": "bellwire_count", "elements": [count]}]
        return {"channel": self.channel, "ts": self.ts, "text": self.text, "blocks": blocks}

    def dump(self) -> str:
        """Return it as the ledger keeps it."""
        return orjson.dumps(asdict(self)).decode()


def load_thread(kept: str | None, to: str) -> Thread | None:
    """Return the thread that was kept, None if there is none, or if the channel is configured to be another one now."""
    if not kept:
        return None
    try:
        thread = Thread(**orjson.loads(kept))
    except (ValueError, TypeError):  # of another version: a new thread loses nothing
        return None
    return thread if thread.to == to else None


def weight_of(posted: Json) -> tuple[int, int]:
    """Return how many alerts a message names, and the rank of the worst of them, as its metadata say."""
    payload = (posted.get("metadata") or {}).get("event_payload") or {}
    return int(payload.get("alerts", 1)), int(payload.get("severity", 0))


def time_of(message: Json) -> datetime | None:
    """Return when a message was posted, by Slack's clock."""
    try:
        return datetime.fromtimestamp(float(message["ts"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None

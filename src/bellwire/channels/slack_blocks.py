"""A message as Slack shows it: Block Kit, made to be read on a phone. Pure.

Limits (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks a message, 3,000 characters a section, 40,000 of text.
What a vendor wrote is never markup: ``& < >`` are escaped, so that no mention or link can be forged, and ``verbatim``
keeps Slack from finding some by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from bellwire.channels.text import (
    COLORS,
    MARKS,
    headline,
    is_single,
    labels_of,
    link_of,
    one_line,
    remarks,
    shorten,
    source_of,
    stamp,
    title_of,
    whole_of,
    worst,
)
from bellwire.model import DeliveryKind

if TYPE_CHECKING:
    from bellwire.model import Alert, Message

Block: TypeAlias = dict[str, Any]

_SECTION = 3000
_TITLE = 300
_LABELS = 20
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def payload(message: Message, mention: str = "") -> Block:
    """Return the arguments of ``chat.postMessage`` but the channel; ``mention`` is markup from the configuration."""
    before = f"{mention} " if mention else ""
    if is_single(message):
        blocks, attachments = _single(message, before)
    else:
        blocks, attachments = _several(message, before)
    return {
        "text": f"{before}{MARKS[worst(message.alerts)]} {_escape(headline(message, _TITLE), 2 * _TITLE)}",
        "blocks": blocks,
        "attachments": attachments,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": "bellwire_delivery", "event_payload": {"delivery_id": message.delivery_id}},
    }


def _single(message: Message, before: str) -> tuple[list[Block], list[Block]]:
    alert = message.alerts[0]
    told = "" if message.kind in (DeliveryKind.ALERT, DeliveryKind.GROUP) else f"_{message.kind.value}_ "
    blocks = [_section(f"{before}{MARKS[alert.severity]} {told}{_linked_title(alert)}")]
    inside = []
    text = _escape(shorten(alert.message, _SECTION, whole_of(alert)), _SECTION)
    if text:
        inside.append(_section(text))
    labels = [f"{_escape(k, 160)}: *{_escape(v, 400)}*" for k, v in labels_of(alert, _LABELS)]
    if labels:
        inside.append(_context(" · ".join(_fitting(labels, _SECTION))))
    inside.append(_context(f"{_escape(source_of(alert), 800)} · {_time(alert)}"))
    inside += [_context(_escape(remark, 1000)) for remark in remarks(message)]
    return blocks, [_attachment(alert, inside)]


def _several(message: Message, before: str) -> tuple[list[Block], list[Block]]:
    title = _escape(headline(message, _TITLE), 2 * _TITLE)
    blocks = [_section(f"{before}{MARKS[worst(message.alerts)]} *{title}*")]
    blocks += [_context(_escape(remark, 1000)) for remark in remarks(message)[:5]]
    share = min(_SECTION, 30_000 // max(1, len(message.alerts)))
    return blocks, [_attachment(alert, [_section(_named(alert, share))]) for alert in message.alerts]


def _named(alert: Alert, share: int) -> str:
    """Return one alert among others: its title, the beginning of its message, where it comes from."""
    source = f"{_escape(source_of(alert), 800)} · {_time(alert)}"
    parts = [f"{MARKS[alert.severity]} {_linked_title(alert)}"]
    room = share - len(parts[0]) - len(source)
    text = one_line(alert.message, 280)
    if text and room > 100:  # noqa: PLR2004 - less than this says nothing
        parts.append(_escape(text, room))
    return "\n".join([*parts, source])[:_SECTION]


def _linked_title(alert: Alert) -> str:
    title = _escape(title_of(alert, _TITLE), 2 * _TITLE)
    link = link_of(alert)
    return f"*<{link.replace('&', '&amp;')}|{title}>*" if link else f"*{title}*"


def _time(alert: Alert) -> str:
    """Return the time in the reader's own time zone (https://docs.slack.dev/messaging/formatting-message-text#date-formatting)."""
    created = alert.created_at
    return f"<!date^{int(created.timestamp())}^{{date_short_pretty}} {{time_secs}}|{stamp(created)}>"


def _escape(text: str, limit: int) -> str:
    """Return text that Slack shows as it is, in at most ``limit`` characters of markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= limit:
        return escaped
    return _HALF_ENTITY.sub("", escaped[: limit - 1]) + "…"


def _fitting(parts: list[str], limit: int) -> list[str]:
    """Return as many of the parts as fit, and say how many do not."""
    length = 0
    for index, part in enumerate(parts):
        length += len(part) + 3
        if length > limit - 20:
            return [*parts[:index], f"… {len(parts) - index} more"]
    return parts


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}]}


def _attachment(alert: Alert, blocks: list[Block]) -> Block:
    return {"color": COLORS[alert.severity], "fallback": _escape(title_of(alert, _TITLE), _SECTION), "blocks": blocks}

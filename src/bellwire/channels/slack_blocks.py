"""A message as Slack shows it: Block Kit, made to be read on a phone. Pure.

Limits (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks a message, 3,000 characters a section, 40,000 of text.
What a vendor wrote is never markup: ``& < >`` are escaped, so that no mention or link can be forged, and ``verbatim``
keeps Slack from finding some by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from bellwire.channels.slack_buttons import buttons_for
from bellwire.channels.text import (
    COLORS,
    cut_note,
    headline,
    is_single,
    labels_of,
    one_line,
    remarks,
    shorten,
    source_of,
    stamp,
    title_of,
)
from bellwire.channels.wording import PLAIN_WORDING, Wording, cut
from bellwire.model import DeliveryKind
from bellwire.templating.escaping import mrkdwn
from bellwire.templating.view import MARKS, link_of, whole_of, worst

if TYPE_CHECKING:
    from bellwire.model import Alert, Message

Block: TypeAlias = dict[str, Any]

_SECTION = 3000
_TITLE = 300
_EXCERPT = 280
_LABELS = 20
_TEMPLATED_TITLE = 1000  # characters of markup
_TEMPLATED = 30_000  # of markup: ten sections


def payload(message: Message, mention: str = "", words: Wording = PLAIN_WORDING, *, buttons: bool = False) -> Block:
    """Return the arguments of ``chat.postMessage`` but the channel; ``mention`` is markup from the configuration."""
    before = f"{mention} " if mention else ""
    own = f"{MARKS[worst(message.alerts)]} {_escape(headline(message, _TITLE), 2 * _TITLE)}"
    title = words.title(message, _TEMPLATED_TITLE)
    text = words.text(message, _TEMPLATED)
    lead = _section(before + (title or (_lead(message) if is_single(message) else _several_lead(message))))
    blocks, attachments = _body(message, words) if text is None else ([], [_templated(message, text)])
    known = {
        "delivery_id": message.delivery_id,
        "alerts": len(message.alerts),
        "severity": int(worst(message.alerts)),
    }
    return {
        "text": before + (title or own),
        "blocks": [lead, *blocks],
        "attachments": [*attachments, *(buttons_for(message) if buttons else ())],
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": "bellwire_delivery", "event_payload": known},
    }


def _lead(message: Message) -> str:
    alert = message.alerts[0]
    told = "" if message.kind in (DeliveryKind.ALERT, DeliveryKind.GROUP) else f"_{message.kind.value}_ "
    return f"{MARKS[alert.severity]} {told}{_linked_title(alert)}"


def _several_lead(message: Message) -> str:
    return f"{MARKS[worst(message.alerts)]} *{_escape(headline(message, _TITLE), 2 * _TITLE)}*"


def _templated(message: Message, text: str) -> Block:
    """Return what a template made, in as many sections as it takes, and Bellwire's remarks below."""
    blocks = [_section(part) for part in _pieces(text)]
    blocks += [_context(_escape(remark, 1000)) for remark in remarks(message)[:5]]
    fallback = _escape(headline(message, _TITLE), _SECTION)
    return {"color": COLORS[worst(message.alerts)], "fallback": fallback, "blocks": blocks}


def _pieces(text: str) -> list[str]:
    """Return the text in pieces that fit a section, parted between lines, else between words."""
    pieces = []
    while len(text) > _SECTION:
        at = max(text.rfind("\n", 1, _SECTION), 0) or max(text.rfind(" ", 1, _SECTION), 0)
        piece = text[:at] if at else cut(text, _SECTION, "")
        pieces.append(piece)
        text = text[len(piece) :].lstrip("\n ")
    return [piece for piece in [*pieces, text] if piece]


def _body(message: Message, words: Wording) -> tuple[list[Block], list[Block]]:
    """Return the blocks below the first one, and the attachments, in the channel's own form."""
    url = words.external_url
    if is_single(message):
        return [], [_attachment(message.alerts[0], _single(message, url))]
    blocks = [_context(_escape(remark, 1000)) for remark in remarks(message)[:5]]
    share = min(_SECTION, 30_000 // max(1, len(message.alerts)))
    return blocks, [_attachment(alert, [_section(_named(alert, share, url))]) for alert in message.alerts]


def _single(message: Message, external_url: str | None) -> list[Block]:
    alert = message.alerts[0]
    inside = []
    whole = whole_of(alert, external_url)
    # markup is longer than what it stands for: what was short enough may have to be cut now
    note = f" … [cut, {len(alert.message):,} characters; whole: {mrkdwn(whole)}]"
    text = cut(mrkdwn(shorten(alert.message, _SECTION, whole)), _SECTION, note)
    if text:
        inside.append(_section(text))
    labels = [f"{_escape(k, 160)}: *{_escape(v, 400)}*" for k, v in labels_of(alert, _LABELS, external_url)]
    if labels:
        inside.append(_context(" · ".join(_fitting(labels, _SECTION - 200, mrkdwn(whole)))))
    inside.append(_context(f"{_escape(source_of(alert), 800)} · {_time(alert)}"))
    said = [*remarks(message), cut_note(alert, external_url, title=_TITLE)]
    return inside + [_context(_escape(remark, 1000)) for remark in said if remark]


def _named(alert: Alert, share: int, external_url: str | None) -> str:
    """Return one alert among others: its title, the beginning of its message, where it comes from, what was cut."""
    source = f"{_escape(source_of(alert), 800)} · {_time(alert)}"
    parts = [f"{MARKS[alert.severity]} {_linked_title(alert)}"]
    text = one_line(alert.message, _EXCERPT)
    note = _escape(cut_note(alert, external_url, title=_TITLE, message=_EXCERPT), 600)
    room = share - len(parts[0]) - len(source) - len(note)
    if text and room > 100:  # noqa: PLR2004 - less than this says nothing
        parts.append(_escape(text, room))
    return "\n".join(part for part in [*parts, source, note] if part)[:_SECTION]


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
    return cut(mrkdwn(text), limit, "…")


def _fitting(parts: list[str], limit: int, whole: str) -> list[str]:
    """Return as many of the parts as fit, and say how many do not, and where they are."""
    length = 0
    for index, part in enumerate(parts):
        length += len(part) + 3
        if length > limit - 20:
            return [*parts[:index], f"… {len(parts) - index} more; all: {whole}"]
    return parts


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}]}


def _attachment(alert: Alert, blocks: list[Block]) -> Block:
    return {"color": COLORS[alert.severity], "fallback": _escape(title_of(alert, _TITLE), _SECTION), "blocks": blocks}

"""A message as people will see it, made of the very bytes that a channel would send. Pure.

Slack's blocks are imitated, mails are taken apart, JSON is laid out. Whatever cannot be read is shown as it is.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Answer = dict[str, Any]

_LONGEST = 200_000  # characters of a text that are shown
_MARKUP = re.compile(
    r"<(?P<target>[^<>|]+)(?:\|(?P<label>[^<>]*))?>|(?<![\w*])\*(?P<bold>[^*\n]+)\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>[^_\n]+)_(?![\w_])|`(?P<code>[^`\n]+)`"
)
_HREF = Markup('<a href="{}" rel="noreferrer noopener">{}</a>')


def imitate(preview: Answer) -> Answer:
    """Return the preview (see `bellwire.web.view.InsightView.previews`) with ``form`` and what that form shows."""
    kind, body = preview["channel"], preview["body"]
    told = {name: preview[name] for name in ("receiver", "channel", "name", "error")}
    if body is None:
        return told | {"form": "error"}
    try:
        return told | _FORMS.get(kind, _plain)(body)
    except (ValueError, KeyError, TypeError, AttributeError):  # a form of a later version
        return told | _plain(body)


def mail_html(body: bytes) -> str | None:
    """Return a mail's HTML, None if it has none."""
    mail = email.message_from_bytes(body, policy=email.policy.default)
    part = mail.get_body(("html",))
    return None if part is None else str(part.get_content())


def mrkdwn(text: str) -> Markup:
    """Return Slack's markup as HTML: links, bold, italics, code; everything else escaped."""
    pieces, at = [], 0
    for found in _MARKUP.finditer(text):
        pieces += [_plain_text(text[at : found.start()]), _marked(found)]
        at = found.end()
    pieces.append(_plain_text(text[at:]))
    return Markup("").join(pieces)


def _marked(found: re.Match[str]) -> Markup:
    for name, form in (("bold", "<b>{}</b>"), ("italic", "<i>{}</i>"), ("code", "<code>{}</code>")):
        if (inside := found[name]) is not None:
            return Markup(form).format(inside if name == "code" else mrkdwn(inside))  # noqa: S704 - constants
    target, label = html.unescape(found["target"]), found["label"]
    if target.startswith(("http://", "https://")):
        return _HREF.format(target, mrkdwn(label) if label else target)
    # a date or a mention: Slack's own names are not known here
    return Markup('<span class="mention">{}</span>').format(html.unescape(label or target))


def _plain_text(text: str) -> Markup:
    return escape(html.unescape(text))


def _slack(body: bytes) -> Answer:
    message = json.loads(body)
    attachments = [
        {"color": _color(each.get("color")), "blocks": [_block(block) for block in each.get("blocks", [])]}
        for each in message.get("attachments", [])
    ]
    blocks = [_block(block) for block in message.get("blocks", [])]
    return {"form": "slack", "blocks": blocks or [_told(mrkdwn(message["text"]))], "attachments": attachments}


def _block(block: Answer) -> Answer:
    if block["type"] == "section":
        return _told(mrkdwn(block["text"]["text"]))
    if block["type"] == "actions":
        buttons = [str(each["text"]["text"]) for each in block["elements"] if each.get("type") == "button"]
        return _told(Markup(""), buttons=buttons)
    texts = [mrkdwn(each["text"]) for each in block.get("elements", []) if isinstance(each.get("text"), str)]
    return _told(Markup(" ").join(texts), quiet=True)


def _told(text: Markup, *, quiet: bool = False, buttons: Sequence[str] = ()) -> Answer:
    return {"quiet": quiet, "html": text, "buttons": list(buttons)}


def _color(color: Any) -> str | None:
    return color if isinstance(color, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", color) else None


def _email(body: bytes) -> Answer:
    mail = email.message_from_bytes(body, policy=email.policy.default)
    text = mail.get_body(("plain",))
    heads = [(name, str(mail[name])) for name in ("From", "To", "Subject") if mail[name]]
    told = str(text.get_content()) if text is not None else ""
    return {"form": "mail", "heads": heads, "text": _cut(told), "has_html": mail.get_body(("html",)) is not None}


def _json(body: bytes) -> Answer:
    return {"form": "text", "text": _cut(json.dumps(json.loads(body), indent=2, ensure_ascii=False))}


def _apprise(body: bytes) -> Answer:
    message = json.loads(body)
    return {"form": "note", "title": str(message["title"]), "text": _cut(str(message["body"]))}


def _plain(body: bytes) -> Answer:
    return {"form": "text", "text": _cut(body.decode("utf-8", "replace"))}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… ({len(text):,} characters)"


_FORMS: dict[str, Callable[[bytes], Answer]] = {
    "slack": _slack,
    "email": _email,
    "webhook": _json,
    "apprise": _apprise,
}

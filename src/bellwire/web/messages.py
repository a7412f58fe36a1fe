"""An alert's messages for programs: what the page shows of them, without its markup. Pure."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING, Any

import orjson

from bellwire.web.imitation import mail_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = dict[str, Any]

_NOTHING: Answer = {"title": None, "text": None, "html": None, "body": None}


def message_of(preview: Answer) -> Answer:
    """Return a preview (see `bellwire.web.view.InsightView.previews`) as `bellwire.web.schemas.ChannelMessage` has it."""
    told = {name: preview[name] for name in ("receiver", "channel", "name", "error")} | _NOTHING
    body = preview["body"]
    if body is None:
        return told
    try:
        return told | _FORMS.get(preview["channel"], _plain)(body)
    except (ValueError, KeyError, TypeError, AttributeError):  # a form of a later version
        return told | _plain(body)


def _slack(body: bytes) -> Answer:
    message = orjson.loads(body)
    attached = [block for each in message.get("attachments", []) for block in each.get("blocks", [])]
    lines = [line for block in (*message.get("blocks", []), *attached) for line in _lines(block)]
    return {"title": message["text"], "text": "\n".join(lines) or message["text"], "body": message}


def _lines(block: Answer) -> Iterator[str]:
    """Yield what is to be read of a block, in Slack's own markup."""
    for part in (block.get("text"), *block.get("elements", [])):
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text


def _email(body: bytes) -> Answer:
    mail = email.message_from_bytes(body, policy=email.policy.default)
    text = mail.get_body(("plain",))
    told = None if text is None else str(text.get_content())
    return {"title": str(mail["Subject"]), "text": told, "html": mail_html(body)}


def _json(body: bytes) -> Answer:
    message = orjson.loads(body)
    return {"title": message.get("title"), "text": message.get("text"), "body": message}


def _apprise(body: bytes) -> Answer:
    message = orjson.loads(body)
    return {"title": str(message["title"]), "text": str(message["body"])}


def _plain(body: bytes) -> Answer:
    return {"text": body.decode("utf-8", "replace")}


_FORMS: dict[str, Callable[[bytes], Answer]] = {
    "slack": _slack,
    "email": _email,
    "webhook": _json,
    "apprise": _apprise,
}

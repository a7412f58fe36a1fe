"""The buttons under a message in Slack, and what a press of one says. Pure.

What arrives is Slack's word for who pressed what; the value of a button is text that anyone who may post as the app could
have written, so that nothing is taken from it but the id of a delivery.
See https://docs.slack.dev/reference/interaction-payloads/block_actions-payload.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from bellwire.channels.text import COLORS, one_line
from bellwire.model import DeliveryKind
from bellwire.templating.escaping import mrkdwn
from bellwire.templating.view import worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellwire.model import Message

Json: TypeAlias = dict[str, Any]

_ID = "bellwire"  # of the block with the buttons
_PRESSED = "bellwire_pressed"  # of the block that tells who pressed them
_SECTION = 3000
_DELIVERY = re.compile(r"[0-9A-Z]{26}")
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_CONVERSATION = re.compile(r"[CGD][A-Z0-9]{2,20}")
_TIME = re.compile(r"\d{1,12}\.\d{1,8}")


class Button(enum.StrEnum):
    """What a button does; the value is its action's id."""

    MARK_READ = "bellwire_mark_read"
    SILENCE = "bellwire_silence_1h"
    EXPLAIN = "bellwire_explain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """Who pressed which button of which message.

    ``button`` is None and ``delivery_id`` empty where what was pressed is not ours, or not any more. ``response_url`` takes
    answers for half an hour; ``shown`` is the message as it stood.
    """

    button: Button | None
    delivery_id: str
    user_id: str
    user_name: str
    channel: str
    ts: str
    thread_ts: str
    response_url: str
    shown: Json = field(repr=False)

    @property
    def who(self) -> str:
        """Who it was, as it is kept with what people do."""
        return f"{self.user_name} ({self.user_id}) in Slack" if self.user_name else f"{self.user_id} in Slack"


def buttons_for(message: Message) -> Iterator[Json]:
    """Yield the attachment with the buttons, if the message is about alerts that something can be done about."""
    if message.kind in (DeliveryKind.META, DeliveryKind.TEST) or not message.alerts:
        return
    number = len(message.alerts)
    texts = {
        Button.MARK_READ: "Mark read" if number == 1 else f"Mark {number} read",
        Button.SILENCE: "Silence 1 h" if number == 1 else f"Silence {number} for 1 h",
        Button.EXPLAIN: "Explain",
    }
    elements = [
        {
            "type": "button",
            "action_id": button.value,
            "text": {"type": "plain_text", "text": text},
            "value": message.delivery_id,
        }
        for button, text in texts.items()
    ]
    blocks = [{"type": "actions", "block_id": _ID, "elements": elements}]
    yield {"color": COLORS[worst(message.alerts)], "fallback": "Buttons", "blocks": blocks}


def read_press(payload: Any) -> Press | None:
    """Return what was pressed; None where it cannot even be answered."""
    if not isinstance(payload, dict) or payload.get("type") != "block_actions":
        return None
    user, container = _part(payload, "user"), _part(payload, "container")
    user_id = _fitting(_USER, user.get("id"))
    channel = _fitting(_CONVERSATION, _part(payload, "channel").get("id") or container.get("channel_id"))
    url = payload.get("response_url")
    url = url if isinstance(url, str) and len(url) <= 1000 else ""  # noqa: PLR2004 - a URL, not a book
    if not user_id or not (url or channel):
        return None
    actions = payload.get("actions")
    action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    shown = _part(payload, "message")
    name = user.get("username") or user.get("name")
    return Press(
        button=_button(action.get("action_id")),
        delivery_id=_fitting(_DELIVERY, action.get("value")),
        user_id=user_id,
        user_name=one_line(name, 80) if isinstance(name, str) else "",
        channel=channel,
        ts=_fitting(_TIME, container.get("message_ts") or shown.get("ts")),
        thread_ts=_fitting(_TIME, shown.get("thread_ts")),
        response_url=url,
        shown=shown,
    )


def with_presses(shown: Json, told: Sequence[str]) -> Json | None:
    """Return the message's content with these lines of markup below its buttons; None if there are no buttons in it."""
    attachments = shown.get("attachments")
    if not isinstance(attachments, list):
        return None
    changed, found = [], False
    for each in attachments:
        blocks = each.get("blocks") if isinstance(each, dict) else None
        if isinstance(blocks, list) and any(_is(block, _ID) for block in blocks):
            found = True
            kept = [block for block in blocks if not _is(block, _PRESSED)]
            changed.append({**each, "blocks": [*kept, _pressed(told)]})
        else:
            changed.append(each)
    if not found:
        return None
    # Slack keeps neither text nor blocks for certain if only one of them is named
    content = {name: shown[name] for name in ("text", "blocks") if shown.get(name)}
    return content | {"attachments": changed}


def user_markup(user_id: str, who: str) -> str:
    """Return a person as Slack shows one; nobody is notified by it."""
    return f"<@{user_id}>" if _USER.fullmatch(user_id) else mrkdwn(one_line(who, 100))


def _pressed(told: Sequence[str]) -> Json:
    text = "\n".join(told)
    while len(text) > _SECTION:
        told = told[1:]
        text = "\n".join(told)
    return {"type": "context", "block_id": _PRESSED, "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _button(action_id: Any) -> Button | None:
    return next((button for button in Button if button.value == action_id), None)


def _is(block: Any, block_id: str) -> bool:
    return isinstance(block, dict) and block.get("block_id") == block_id


def _part(payload: Json, name: str) -> Json:
    part = payload.get(name)
    return part if isinstance(part, dict) else {}


def _fitting(pattern: re.Pattern[str], text: Any) -> str:
    return text if isinstance(text, str) and pattern.fullmatch(text) else ""

"""How a channel words its messages: its templates, where it has some, and where the whole of what it cuts is seen. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bellwire.channels.text import one_line, prefix_of
from bellwire.model import DeliveryKind
from bellwire.templating.stationery import FORMS, NOTHING
from bellwire.templating.view import whole_of

if TYPE_CHECKING:
    from bellwire.config.schema import ChannelConfig
    from bellwire.model import Message
    from bellwire.templating.stationery import Stationery
    from bellwire.templating.template import Template

_HALF_ENTITY = re.compile(r"&[#a-zA-Z0-9]{0,8}$")


class Wording:
    """The templates of one channel. Raises `TemplateError` for one that cannot be read."""

    def __init__(self, kind: str = "", settings: ChannelConfig | None = None, stationery: Stationery = NOTHING) -> None:
        self.external_url = stationery.external_url
        self._title: Template | None = None
        self._text: Template | None = None
        if settings and (settings.title or settings.text):
            from bellwire.templating.template import compile_template  # noqa: PLC0415 - Jinja2: only where it is used

            form = FORMS[kind]
            self._title = compile_template(settings.title, form.title, stationery) if settings.title else None
            self._text = compile_template(settings.text, form.text, stationery) if settings.text else None

    def title(self, message: Message, limit: int) -> str | None:
        """Return the templated title on one line of at most ``limit`` characters, escaped; None for the channel's own."""
        written = _written(self._title, message)
        if not written:
            return None
        line = re.sub(r"\s+", " ", prefix_of(message) + written)
        return cut(line, limit, "…")

    def text(self, message: Message, limit: int) -> str | None:
        """Return the templated text in at most ``limit`` characters, escaped; None for the channel's own."""
        written = _written(self._text, message)
        if not written:
            return None
        return cut(written, limit, f" … [cut, {len(written):,} characters; whole: {self.whole(message)}]")

    def whole(self, message: Message) -> str:
        """Return where the whole of all that a message says is to be seen."""
        if len(message.alerts) == 1:
            return whole_of(message.alerts[0], self.external_url)
        return self.external_url or "`bellwire explain ID` for each alert, first " + ", ".join(
            alert.id for alert in message.alerts[:3]
        )


def _written(template: Template | None, message: Message) -> str:
    if template is None or message.own_form or message.kind is DeliveryKind.META:
        return ""
    return str(template.render(message)).strip()


def cut(escaped: str, limit: int, note: str) -> str:
    """Return escaped text of at most ``limit`` characters, with ``note`` at its end where it was cut, no entity in two."""
    if len(escaped) <= limit:
        return escaped
    return _HALF_ENTITY.sub("", escaped[: max(0, limit - len(note))]).rstrip() + one_line(note, limit)


PLAIN_WORDING = Wording()
"""No templates, and no address for links."""

"""What messages are written on, and in which form of text each kind of channel wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.templating.escaping import Html, Mrkdwn, Plain, Tame

if TYPE_CHECKING:
    from bellwire.templating.escaping import Safe


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateFile:
    """A file of ``templates``. Templates import it by its ``name``, the last part of its ``path``."""

    name: str
    path: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stationery:
    """What all channels' messages are written on: the address for links, the time zone, the template files."""

    external_url: str | None = None
    timezone: str = "UTC"
    files: tuple[TemplateFile, ...] = ()


NOTHING = Stationery()


@dataclass(frozen=True, kw_only=True, slots=True)
class Forms:
    """The forms of a channel's ``title`` and ``text``."""

    title: type[Safe]
    text: type[Safe]


FORMS: dict[str, Forms] = {
    "slack": Forms(title=Mrkdwn, text=Mrkdwn),
    "email": Forms(title=Plain, text=Html),
    "webhook": Forms(title=Plain, text=Plain),
    "apprise": Forms(title=Tame, text=Tame),
}
"""By kind of channel."""

"""A message as a mail: text and HTML, the same bytes whenever it is made. Pure."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from html import escape
from typing import TYPE_CHECKING

from bellwire.channels.mail_markup import BLOCKS, without_tags
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
from bellwire.channels.wording import PLAIN_WORDING, Wording
from bellwire.model import Severity
from bellwire.templating.escaping import clean
from bellwire.templating.view import MARKS, link_of, whole_of, worst

if TYPE_CHECKING:
    from bellwire.model import Alert, Message

_SUBJECT = 200
_TITLE = 500
_LABELS = 60
_WHOLE = 50_000  # characters of an alert's message that stands alone
_PART = 1_000  # and of one among others
_TEMPLATED = 1_000_000  # characters: no template may make more, so that HTML is never cut in the middle of a tag


def mail(message: Message, sender: str, recipient: str, words: Wording = PLAIN_WORDING) -> bytes:
    """Return the mail. Its Message-ID comes from the delivery id, so that every attempt is the same mail."""
    utf8 = not (sender.isascii() and recipient.isascii())
    written = EmailMessage(policy=SMTPUTF8 if utf8 else SMTP)
    written["From"] = address_of(sender)
    written["To"] = address_of(recipient)
    title = words.title(message, _SUBJECT)
    subject = one_line(title, _SUBJECT) if title else f"{MARKS[worst(message.alerts)]} {headline(message, _SUBJECT)}"
    written["Subject"] = subject.replace(
        "=?", "= ?"
    )  # which begins an encoded word: it would be shown as what it encodes
    if message.alerts:
        written["Date"] = format_datetime(max(alert.received_at for alert in message.alerts))
    written["Message-ID"] = f"<{message.delivery_id}@{_id_domain(address_of(sender))}>"
    written["X-Bellwire-Delivery"] = message.delivery_id
    written["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    if worst(message.alerts) is Severity.CRITICAL:
        written["Importance"] = "high"
    body = words.text(message, _TEMPLATED)
    text = _text(message, words) if body is None else _with_foot(without_tags(body), message)
    written.set_content(text, charset="utf-8", cte="quoted-printable")
    written.add_alternative(_html(message, words, body), subtype="html", charset="utf-8", cte="quoted-printable")
    # quoted-printable never holds "=_"; the library's own choice would be random
    written.set_boundary(f"=_{message.delivery_id}")
    return written.as_bytes()


def address_of(text: str) -> Address:
    """Return the address in ``Name <address>``; ValueError if there is none."""
    name, address = parseaddr(clean(text))
    user, _, domain = address.rpartition("@")
    if not user or not domain or " " in address or "@" in user:
        raise ValueError(text)
    return Address(display_name=name, username=user, domain=domain)  # addr_spec would refuse what is beyond ASCII


def _id_domain(sender: Address) -> str:
    return sender.domain if sender.domain.isascii() else "bellwire.invalid"


# --- text ----------------------------------------------------------------------------------------------------------


def _text(message: Message, words: Wording) -> str:
    room = _WHOLE if is_single(message) else _PART
    parts = [] if is_single(message) else [headline(message, _TITLE)]
    parts += [_alert_text(alert, room, words.external_url) for alert in message.alerts]
    return _with_foot("\n\n".join(parts), message)


def _with_foot(text: str, message: Message) -> str:
    return f"{text}\n\n" + "\n".join(_foot(message)) + "\n"


def _foot(message: Message) -> list[str]:
    return [*remarks(message), f"Delivery {message.delivery_id} to {one_line(message.receiver, 100)}"]


def _alert_text(alert: Alert, room: int, external_url: str | None) -> str:
    lines = [f"{MARKS[alert.severity]} {title_of(alert, _TITLE)}", f"{source_of(alert)} · {stamp(alert.created_at)}"]
    link = link_of(alert)
    if link:
        lines.append(link)
    text = shorten(alert.message, room, whole_of(alert, external_url))
    if text:
        lines += ["", text, ""]
    lines += [f"{name}: {value}" for name, value in labels_of(alert, _LABELS, external_url)]
    note = cut_note(alert, external_url, title=_TITLE)
    return "\n".join([*lines, note] if note else lines)


# --- HTML ----------------------------------------------------------------------------------------------------------

_FONT = (
    "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.4;color:#1f2328"
)
_QUIET = "color:#656d76;font-size:13px"
_BUTTON = (
    "display:inline-block;padding:8px 14px;border-radius:6px;background:#1f2328;color:#ffffff;text-decoration:none"
)


def _html(message: Message, words: Wording, body: str | None) -> str:
    foot = "".join(f"<p style='{_QUIET}'>{escape(line)}</p>" for line in _foot(message))
    return (
        f"<!DOCTYPE html>\n<html><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'></head>\n"
        f"<body style='{_FONT};margin:0;padding:12px'>"
        f"{_own_html(message, words) if body is None else _templated_html(body)}{foot}</body></html>\n"
    )


def _templated_html(body: str) -> str:
    """Return what a template made; its line ends stay line ends unless it has HTML of its own for that."""
    return (
        f"<div dir='auto'>{body}</div>\n"
        if BLOCKS.search(body)
        else f"<div dir='auto' style='white-space:pre-wrap'>{body}</div>\n"
    )


def _own_html(message: Message, words: Wording) -> str:
    room = _WHOLE if is_single(message) else _PART
    head = "" if is_single(message) else f"<h2 style='font-size:18px'>{escape(headline(message, _TITLE))}</h2>"
    return head + "".join(_alert_html(alert, room, words.external_url) for alert in message.alerts)


def _alert_html(alert: Alert, room: int, external_url: str | None) -> str:
    text = escape(shorten(alert.message, room, whole_of(alert, external_url)))
    told = f"<p dir='auto' style='white-space:pre-wrap;word-break:break-word'>{text}</p>\n" if text else ""
    note = cut_note(alert, external_url, title=_TITLE)
    noted = f"<p style='{_QUIET}'>{escape(note)}</p>\n" if note else ""
    link = link_of(alert)
    button = f"<p><a href='{escape(link)}' style='{_BUTTON}'>Open</a></p>\n" if link else ""
    rows = "".join(
        f"<tr><td style='{_QUIET};padding:2px 12px 2px 0'>{escape(name)}</td><td>{escape(value)}</td></tr>\n"
        for name, value in labels_of(alert, _LABELS, external_url)
    )
    return (
        f"<div style='border-left:4px solid {COLORS[alert.severity]};padding:4px 0 4px 12px;margin:0 0 20px'>\n"
        f"<p dir='auto' style='font-size:17px;font-weight:600;margin:0'>{escape(title_of(alert, _TITLE))}</p>\n"
        f"<p style='{_QUIET};margin:4px 0'>{escape(source_of(alert))} · {stamp(alert.created_at)}</p>\n"
        f"{told}{button}{f'<table>{rows}</table>' if rows else ''}{noted}</div>\n"
    )

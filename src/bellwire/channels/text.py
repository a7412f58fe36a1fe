"""Alerts as text for people, whatever a vendor put into them: pure, shared by the channels that write prose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bellwire.model import Alert, DeliveryKind, Message, Severity
from bellwire.templating.escaping import clean
from bellwire.templating.view import whole_of

if TYPE_CHECKING:
    from datetime import datetime

SOURCE_LABELS = frozenset({"account", "api", "type", "severity"})  # shown in the source line, not among the labels

COLORS = {
    Severity.INFO: "#3b82c4",
    Severity.WARNING: "#d9a514",
    Severity.ERROR: "#e0631b",
    Severity.CRITICAL: "#b3161b",
}

_LABEL_NAME = 80  # characters
_LABEL = 200

_SPACES = re.compile(r"\s+")


def shorten(text: str, limit: int, whole: str) -> str:
    """Return cleaned text of at most ``limit`` characters; what is cut says so, and ``whole`` says where the rest is."""
    # looked at no further than needed: cleaning ten megabytes would hold up everything else
    head = clean(text[: 2 * limit]).strip()
    if len(head) <= limit and len(text) <= 2 * limit:
        return head
    note = f" … [cut, {len(text):,} characters; whole: {whole}]"
    return head[: max(0, limit - len(note))].rstrip() + note


def one_line(text: str, limit: int) -> str:
    """Return the text on one line of at most ``limit`` characters, ``…`` at the end of what was cut."""
    line = _SPACES.sub(" ", clean(text[: 2 * limit])).strip()
    if len(line) <= limit and len(text) <= 2 * limit:
        return line
    return line[: limit - 1].rstrip() + "…"


def title_of(alert: Alert, limit: int) -> str:
    """Return the alert's title on one line, or what can stand for one."""
    return one_line(alert.title, limit) or one_line(alert.message, limit) or f"{alert.type} from {alert.account}"


def labels_of(alert: Alert, limit: int, external_url: str | None = None) -> list[tuple[str, str]]:
    """Return the alert's own labels, at most ``limit`` of them; a last one tells how many are not shown."""
    labels = [(name, value) for name, value in sorted(alert.labels.items()) if name not in SOURCE_LABELS and value]
    shown = [(one_line(name, _LABEL_NAME), one_line(value, _LABEL)) for name, value in labels[:limit]]
    if len(labels) > limit:
        shown.append(("…", f"{len(labels) - limit} more labels; all: {whole_of(alert, external_url)}"))
    return shown


def cut_note(alert: Alert, external_url: str | None, *, title: int, message: int | None = None) -> str:
    """Return what of an alert is shown cut, and where the whole is; empty if nothing is. Limits are in characters."""
    parts = [f"title of {len(alert.title):,} characters"] if len(alert.title) > title else []
    if message is not None and len(alert.message) > message:
        parts.append(f"message of {len(alert.message):,} characters")
    if any(len(name) > _LABEL_NAME or len(value) > _LABEL for name, value in alert.labels.items()):
        parts.append("labels")
    return f"[cut: {', '.join(parts)}; whole: {whole_of(alert, external_url)}]" if parts else ""


def source_of(alert: Alert) -> str:
    """Return whose alert it is, of what kind, and how urgent."""
    parts = (alert.account, alert.api, alert.type, alert.severity.text)
    return " · ".join(one_line(part, 80) for part in parts)


def headline(message: Message, limit: int) -> str:
    """Return what the message is about, on one line."""
    return one_line(prefix_of(message) + _subject(message, limit) + _part(message), limit)


def is_single(message: Message) -> bool:
    """Return whether the message is about one alert, shown in full."""
    return len(message.alerts) == 1 and message.kind is not DeliveryKind.DIGEST


def remarks(message: Message) -> list[str]:
    """Return what is to be said at the end: repeats left out, where a replay comes from, Bellwire's own troubles."""
    said = []
    if message.suppressed:
        said.append(f"{message.suppressed} repeats were left out")
    if message.origin:
        said.append(f"replay of {message.origin}")
    return said + [f"Bellwire: {one_line(error, 500)}" for error in message.errors[:10]]


_PREFIXES = {
    DeliveryKind.FALLBACK: "[fallback] ",
    DeliveryKind.REPLAY: "[replay] ",
    DeliveryKind.TEST: "[test] ",
    DeliveryKind.META: "[Bellwire] ",
}


def prefix_of(message: Message) -> str:
    """Return what stands before the title of a message that is no plain alert."""
    return _PREFIXES.get(message.kind, "")


def _subject(message: Message, limit: int) -> str:
    if is_single(message):
        return title_of(message.alerts[0], max(20, limit - 40))
    if not message.alerts:
        return one_line(message.errors[0], max(20, limit - 40)) if message.errors else "a message without alerts"
    count = "1 alert" if len(message.alerts) == 1 else f"{len(message.alerts)} alerts"
    subject = f"Digest: {count}" if message.kind is DeliveryKind.DIGEST else count
    shared = ", ".join(f"{one_line(k, 40)}={one_line(v, 80)}" for k, v in message.group_labels.items())
    return f"{subject} · {shared}" if shared else subject


def _part(message: Message) -> str:
    return f" ({message.part} of {message.parts})" if message.parts > 1 else ""


def stamp(time: datetime) -> str:
    """Return a time in UTC for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")

"""How answers look on a page: times, tones, words. Pure; the templates do the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bellwire.model import (
    AlertState,
    DeliveryState,
    MarkState,
    ObligationState,
    Severity,
    SourceState,
    Suppression,
    TroubleKind,
)

# A tone is a colour and a glyph, never alone: the word stands beside it.
_TONES: dict[str, str] = {
    SourceState.STREAMING: "good",
    SourceState.POLLING: "good",
    SourceState.CONNECTING: "busy",
    SourceState.BACKING_OFF: "warn",
    SourceState.UNAUTHORIZED: "bad",
    SourceState.STOPPED: "idle",
    AlertState.IN_FLIGHT: "busy",
    AlertState.DELIVERED: "good",
    AlertState.SUPPRESSED: "idle",
    AlertState.DEAD: "bad",
    ObligationState.OPEN: "busy",
    ObligationState.SENT: "good",
    ObligationState.COVERED: "good",
    DeliveryState.PENDING: "busy",
    DeliveryState.SENDING: "busy",
    DeliveryState.MERGED: "idle",
    DeliveryState.REPLAYED: "idle",
    DeliveryState.SUPPRESSED: "idle",
    MarkState.CONFIRMED: "good",
    MarkState.FAILED: "bad",
    Severity.INFO.text: "idle",
    Severity.WARNING.text: "warn",
    Severity.ERROR.text: "bad",
    Severity.CRITICAL.text: "bad",
    "retry": "warn",
    "in_doubt": "warn",
    "message_fault": "bad",
    "channel_fault": "bad",
}
_GLYPHS = {"good": "✓", "busy": "…", "warn": "!", "bad": "✕", "idle": "·"}
_WHY_NOT = {
    Suppression.DROPPED: "dropped by a rule",
    Suppression.CATCH_UP: "left out by the catch-up policy",
    Suppression.BEFORE_FIRST_START: "there before the first start",
    Suppression.INHIBITED: "inhibited by another alert",
    Suppression.REPEAT: "a repeat of one that was sent",
    Suppression.MUTED: "its time window was closed",
}
_SAID_ELSEWHERE = frozenset({TroubleKind.CHANNEL_BROKEN, TroubleKind.DELIVERIES_DEAD})
_WAITS = {
    "window": "held until its window opens:",
    "digest": "collected for the digest of",
    "repeat": "waits for what becomes of one like it",
}
_MACROS = frozenset({"chip", "severity", "channel", "labels", "heads", "fault", "live", "went", "steps", "action"})
_MACROS |= {"alert_rows", "account_rows", "branch"}
_TIME = Markup('<time datetime="{}" title="{}">{}</time>')
NOTHING = "\N{EN DASH}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def environment() -> Environment:
    """Return the templates, with everything in them escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "rough": rough,
        "moment": moment,
        "exact": exact,
        "span": span,
        "tone": tone,
        "glyph": lambda value: _GLYPHS[tone(value)],
        "words": words,
        "waits": lambda reason: _WAITS.get(reason, "due"),
        "why_not": lambda reason: _WHY_NOT.get(reason, words(reason)),
        "web_link": web_link,
        "number": lambda value: f"{value:,}",
        "value": lambda value: "nothing" if value is None else json.dumps(value, ensure_ascii=False),
    }
    # for blocks too, which are rendered without the page around them
    macros = made.get_template("parts.html").module
    made.globals |= {name: getattr(macros, name) for name in _MACROS}
    return made


def moment(at: datetime | None, now: datetime) -> Markup | str:
    """Return a time as people read it beside ``now``: the day only where it is another one, and the year likewise."""
    if at is None:
        return NOTHING
    at, today = at.astimezone(UTC), now.astimezone(UTC).date()
    if at.date() == today:
        return _tag(at, f"{at:%H:%M:%S}")
    return _tag(at, f"{at.day} {at:%b %H:%M}" if at.year == today.year else f"{at.day} {at:%b %Y %H:%M}")


def exact(at: datetime | None) -> Markup | str:
    """Return a time with its day, to the millisecond."""
    return NOTHING if at is None else _tag(at.astimezone(UTC), _full(at.astimezone(UTC)))


def span(seconds: float | None) -> str:
    """Return a length of time in at most two units."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def rough(seconds: float) -> str:
    """Return a length of time to come in one unit: it is read once, and not counted down."""
    for length, unit in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return "a minute" if seconds >= _MINUTE else "less than a minute"


def tone(value: object) -> str:
    """Return the tone of a state or severity."""
    return _TONES.get(str(value), "idle")


def words(value: object) -> str:
    """Return a constant word as people write it."""
    return str(value).replace("_", " ")


def web_link(url: str | None) -> str | None:
    """Return ``url`` if a browser may be sent there: vendors' addresses are not ours to trust."""
    try:
        safe = url is not None and urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return None
    return url if safe else None


def verdict(overview: dict[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Return how things are in a sentence: its tone, its title, and what there is to say more."""
    if reasons:
        return {"tone": "bad", "title": "Bellwire is not ready", "lines": reasons}
    if lines := _worries(overview):
        return {"tone": "warn", "title": "Running, with something to look at", "lines": lines}
    waiting = overview["totals"].get("alerts.in_flight", 0)
    line = f"{waiting:,} on the way" if waiting else "nothing waits"
    return {"tone": "good", "title": "All is well", "lines": [f"Every account is connected; {line}."]}


def _worries(overview: dict[str, Any]) -> list[str]:
    broken = [
        f"{channel_name(channel)} takes nothing at the moment"
        for channel in overview["channels"]
        if channel["broken_since"]
    ]
    dead = overview["totals"].get("deliveries.dead", 0)
    there = [each for each in overview["troubles"] if each["ended_at"] is None]
    broken += [_trouble(each) for each in there if each["kind"] not in _SAID_ELSEWHERE]
    broken += _untold(overview["troubles"])
    broken += _heartbeat(overview["heartbeat"])
    broken += overview.get("notes", [])
    broken += [
        _slack_app(app) for app in overview.get("slack_apps", []) if app["connected_at"] is None and app["error"]
    ]
    return broken + ([f"{dead:,} {'delivery is' if dead == 1 else 'deliveries are'} dead"] if dead else [])


def _trouble(trouble: dict[str, Any]) -> str:
    return f"{trouble['text']}, since {trouble['began_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _untold(troubles: list[dict[str, Any]]) -> list[str]:
    waiting = sum(trouble["untold"] for trouble in troubles)
    return [f"{waiting:,} of the messages about this could not be sent to meta_receiver yet"] if waiting else []


def _slack_app(app: dict[str, Any]) -> str:
    return f"the buttons of {', '.join(app['receivers'])} in Slack are not connected: {app['error']}"


def _heartbeat(heartbeat: dict[str, Any] | None) -> list[str]:
    why = heartbeat and (heartbeat["withheld"] or heartbeat["failing"])
    return [f"the heartbeat is silent: {why}"] if why else []


def channel_name(channel: dict[str, Any]) -> str:
    """Return a channel as people name it."""
    return "/".join(part for part in (channel["receiver"], channel["channel"], channel["name"]) if part)


def _full(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def _tag(at: datetime, text: str) -> Markup:
    return _TIME.format(at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), _full(at) + " UTC", text)

"""The webhook's JSON body: the contract's keys, in the contract's order. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from bellwire.model import Alert, Message


def webhook_body(message: Message, *, title: str | None = None, text: str | None = None) -> bytes:
    """Return the body; ``errors`` is there only if Bellwire had troubles of its own with the message.

    So are ``title`` and ``text``, which the channel's templates made: nothing else of the body is theirs to change.
    """
    body: dict[str, Any] = {
        "version": "1",
        "delivery_id": message.delivery_id,
        "kind": message.kind.value,
        "receiver": message.receiver,
        "group_key": message.group_key,
        "group_labels": dict(message.group_labels),
        "part": message.part,
        "parts": message.parts,
        "origin": message.origin,
        "suppressed": message.suppressed,
        "alerts": [_alert(alert) for alert in message.alerts],
    }
    if title is not None:
        body["title"] = title
    if text is not None:
        body["text"] = text
    if message.errors:
        body["errors"] = list(message.errors)
    return _dump(body)


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "account": alert.account,
        "api": alert.api,
        "upstream_id": alert.upstream_id,
        "type": alert.type,
        "severity": alert.severity.text,
        "title": alert.title,
        "message": alert.message,
        "url": alert.url,
        "created_at": _timestamp(alert.created_at),
        "labels": dict(alert.labels),
        "payload": alert.payload,
    }


def _timestamp(time: datetime) -> str:
    """Return a time in UTC as the contract writes it: ``2026-11-22T10:00:00Z``, with a fraction only if there is one."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _dump(body: dict[str, Any]) -> bytes:
    """Return the JSON text, also of what the fast writer refuses: whole numbers beyond 64 bits, lone surrogates.

    A lone surrogate becomes U+FFFD: no encoding can carry it, and strict receivers would refuse the message for it.
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        text = json.dumps(_finite(body), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _finite(value: Any) -> Any:
    """Return the value with null where JSON has no number, as the fast writer does it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value

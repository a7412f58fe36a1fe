"""The webhook's JSON body: the contract's keys, in the contract's order. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from bellwire.model import Alert, Message


def webhook_body(message: Message) -> bytes:
    """Return the body; ``errors`` is there only if Bellwire had troubles of its own with the message."""
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
    """Return the JSON text, also of what the fast writer refuses: lone surrogates, whole numbers beyond 64 bits."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, separators=(",", ":")).encode("ascii")

"""The items of the Agent Triage Protocol, what becomes of them, and the feed of both that a stream follows."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import orjson

from bellwire.reference import times
from bellwire.reference.store import Inbox, NewItem, Selection, StoredItem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from bellwire.model import Json
    from bellwire.reference.context import Context, Occasion
    from bellwire.reference.store import Store

NAME: Final = "atp"
SETTLED: Final = frozenset({"responded", "completed", "expired", "invalidated"})
"""The states in which nothing is left to decide."""

_PENDING: Final = frozenset({"created", "delivered"})
_UPDATES: Final = "atp.updates"  # a name that no face has: what became of items lies beside them, in the same order
_SERVICES: Final = (("deploy-bot", "Deploy Bot"), ("mail-agent", "Mail Agent"), ("invoice-agent", "Invoice Agent"))
_TITLES: Final = ("Approve the release?", "Answer this letter?", "Pay this invoice?")
_PRIORITIES: Final = ("low", "normal", "high", "urgent", "critical")

# --- items ---------------------------------------------------------------------------------------------------------


def complete(given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
    """Return something to decide. Within ``service`` and ``context`` too, what is given is kept."""
    number = occasion.number
    service_id, service_name = _SERVICES[number % len(_SERVICES)]
    item: dict[str, Json] = {
        "id": str(uuid.uuid4()),
        "version": "1.0",
        "timestamp": times.zulu(occasion.now),
        "deadline": times.zulu(occasion.now + timedelta(hours=1)),
        "service": {"id": service_id, "name": service_name},
        "context": {
            "title": _TITLES[number % len(_TITLES)],
            "description": f"Request {number} waits for a decision.",
            "project": f"project-{number % 2}",
            "metadata": {"request": number, "dry_run": number % 2 == 0},
        },
        "actions": [
            {"id": "approve", "label": "Approve", "response_type": "simple"},
            {"id": "reject", "label": "Reject", "response_type": "text"},
        ],
        "priority": _PRIORITIES[number % len(_PRIORITIES)],
        "status": "delivered" if number % 2 else "created",
    }
    merged = {
        key: item[key] | value
        for key, value in given.items()
        if key in {"service", "context"} and isinstance(value, dict)
    }
    return item | dict(given) | merged


def pack(item: Mapping[str, Json], now: datetime) -> NewItem:
    """Return an item in the store's form; what is acknowledged counts as read."""
    return NewItem(
        id=str(item["id"]) if "id" in item else f"without-id-{uuid.uuid4()}",
        created_at=times.read(item.get("timestamp"), now),
        body=_dumps(dict(item)),
        facets=_facets(item),
        read_at=now if item.get("status") == "acknowledged" else None,
    )


def unpack(item: StoredItem) -> bytes:
    """Return the JSON of an item, which has its status."""
    return item.body


def _dumps(value: Json) -> bytes:
    """Write JSON, also with what orjson does not: numbers beyond 64 bits, and half a surrogate pair."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, allow_nan=False).encode()


def status_of(item: StoredItem) -> str:
    """Return where an item stands."""
    status = json.loads(item.body).get("status")
    return status if isinstance(status, str) else "created"


def selection(status: str | None, service_id: str | None, project: str | None) -> Selection:
    """Return which items a client asks for."""
    asked = {"service_id": service_id, "project": project}
    facets = {name: value for name, value in asked.items() if value is not None}
    if status == "pending":
        return Selection(unread_only=True, facets=facets | {"pending": "yes"})
    return Selection(facets=facets if status is None else facets | {"status": status})


def _facets(item: Mapping[str, Json]) -> dict[str, str]:
    service, context = item.get("service"), item.get("context")
    status = item.get("status", "created")
    found = {
        "service_id": service.get("id") if isinstance(service, dict) else None,
        "project": context.get("project") if isinstance(context, dict) else None,
        "status": status,
        "pending": "yes" if isinstance(status, str) and status in _PENDING else "no",
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


# --- what becomes of them ------------------------------------------------------------------------------------------


def change_status(context: Context, inbox: Inbox, item_id: str, status: str) -> dict[str, Json]:
    """Move an item on, tell the streams, and return what they are told; KeyError if the inbox has no such item.

    Where it stands there already, nobody is told.
    """
    item = context.store.get(inbox, item_id)
    if item is None:
        raise KeyError(item_id)
    now = context.now()
    changed = json.loads(item.body) | {"status": status}
    update = {"notification_id": item_id, "status": status, "updated_at": times.zulu(now)}
    if status == status_of(item):
        return update
    context.store.amend(inbox, item_id, _dumps(changed), _facets(changed))
    news = NewItem(id=str(uuid.uuid4()), created_at=now, body=orjson.dumps(update))
    context.store.insert(_updates(inbox), [news])
    return update


def _updates(inbox: Inbox) -> Inbox:
    return Inbox(api=_UPDATES, user=inbox.user)


# --- the stream ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """An inbox with what becomes of its items, in one order; ``types`` are the events that are wanted."""

    store: Store
    types: frozenset[str]

    @property
    def position(self) -> int:
        """The sequence number of the newest of all."""
        return self.store.position

    def since(self, inbox: Inbox, position: int, limit: int = -1) -> list[StoredItem]:
        """Return events after a sequence number, oldest first, their text as the body."""
        parts = (("notification", inbox), ("status_update", _updates(inbox)))
        events = [
            replace(item, body=b"event: %b\ndata: %b" % (name.encode(), item.body))
            for name, part in parts
            if name in self.types
            for item in self.store.since(part, position, limit)
        ]
        events.sort(key=lambda event: event.seq)
        return events if limit < 0 else events[:limit]

    def watch(self, inbox: Inbox) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever there is more."""
        return self.store.watch(inbox, _updates(inbox))


def encode(events: Sequence[StoredItem]) -> bytes:
    """Write events, each with its id."""
    return b"".join(b"id: %d\n%b\n\n" % (event.seq, event.body) for event in events)

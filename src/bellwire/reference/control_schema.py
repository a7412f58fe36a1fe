"""The control API's bodies, for the OpenAPI page alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from bellwire.model import Json

ITEMS_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "Parts of items; the server fills in the rest. One object with a count is meant so many times.",
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {"type": "array", "items": {"type": "object"}, "maxItems": 10_000},
                    {
                        "type": "object",
                        "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 1}},
                    },
                ]
            },
            "examples": {
                "one alert": {"value": [{"metadata": {"view_name": "Blurry frames", "result_count": 12}}]},
                "a hundred": {"value": {"count": 100}},
            },
        }
    },
}

CHANGE_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "What the item says now: objects are laid over its own, null takes a key out.",
    "content": {
        "application/json": {
            "schema": {"type": "object"},
            "examples": {"another number": {"value": {"metadata": {"result_count": 40}}}},
        }
    },
}


class Created(BaseModel):
    """The ids of the new items, in the order in which they were given."""

    ids: list[str]


class Item(BaseModel):
    """An item as it stands; ``marks`` counts how often it was marked as read, ``item`` is the vendor's JSON."""

    id: str
    seq: int
    created_at: datetime
    is_read: bool
    read_at: datetime | None
    marks: int
    item: dict[str, Json]


class LogEntry(BaseModel):
    """One request; ``user`` is null where nobody proved to be one, ``status`` until the answer began."""

    number: int
    method: str
    path: str
    user: str | None
    status: int | None


class Log(BaseModel):
    """Requests of clients; ``total`` counts the forgotten ones too."""

    total: int
    requests: list[LogEntry]


class Stream(BaseModel):
    """An open stream and how many items it was sent."""

    api: str
    user: str
    sent: int


class Dropped(BaseModel):
    """How many streams were closed."""

    dropped: int


class Health(BaseModel):
    """The server answers."""

    status: str
    apis: list[str]


class Problem(BaseModel):
    """Why not."""

    detail: str

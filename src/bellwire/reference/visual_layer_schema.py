"""The Visual Layer API's answers, for the OpenAPI page alone: what is sent is written without these."""

from __future__ import annotations

from pydantic import BaseModel

from bellwire.model import Json


class Notification(BaseModel):
    """A notification; what a monitor's alert says stands in ``metadata``."""

    id: str
    user_id: str
    entity_type: str
    entity_id: str
    title: str
    message: str | None
    metadata: dict[str, Json] | None
    dataset_id: str | None
    created_at: str
    is_read: bool
    read_at: str | None


class NotificationPage(BaseModel):
    """A page of notifications; ``total`` counts all that match."""

    notifications: list[Notification]
    total: int
    has_more: bool


class UnreadCount(BaseModel):
    """How many are unread."""

    unread_count: int


class Marked(BaseModel):
    """How many were marked as read."""

    marked_count: int


class Problem(BaseModel):
    """Why not."""

    detail: str

"""The ELAN API's answers, for the OpenAPI page, and the one body that clients send."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bellwire.model import Json


class Notification(BaseModel):
    """What became of a workflow. ``event_data`` is absent where there is none."""

    notification_id: str
    event_type: str
    title: str
    message: str
    event_data: dict[str, Json] = Field(default={})
    is_read: bool
    created_at: str
    read_at: str | None


class NotificationPage(BaseModel):
    """A page of notifications; ``total`` counts all that match, ``unread_count`` all that are unread."""

    notifications: list[Notification]
    total: int
    unread_count: int


class UnreadCount(BaseModel):
    """How many are unread."""

    unread_count: int


class ReadRequest(BaseModel):
    """Which notifications to mark as read."""

    model_config = ConfigDict(strict=True)

    notification_ids: list[str]


class Marked(BaseModel):
    """How many were marked as read: what had been read already is not counted."""

    marked_count: int


class Problem(BaseModel):
    """Why not."""

    detail: str

"""The Agent Triage Protocol's answers, for the OpenAPI page, and the bodies that services send."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bellwire.model import Json

Status = Literal["created", "delivered", "acknowledged", "responded", "completed", "expired", "invalidated"]


class _Open(BaseModel):
    """An object that may have more fields than are named."""

    model_config = ConfigDict(extra="allow", strict=True)


class Service(_Open):
    """Who sends."""

    id: str = Field(min_length=1)
    name: str
    icon: str | None = None


class Subject(_Open):
    """What it is about: the protocol's ``context``."""

    title: str = Field(min_length=1)
    description: str = ""
    project: str | None = None
    metadata: dict[str, Json] = {}
    attachments: list[Json] = []


class Action(_Open):
    """A way to respond."""

    id: str
    label: str
    response_type: str


class Notification(_Open):
    """What somebody is asked to decide."""

    id: str
    version: str
    timestamp: str
    deadline: str | None = None
    service: Service
    context: Subject
    actions: list[Action]
    priority: str | None = None
    status: Status


class Pagination(BaseModel):
    """Where the list goes on."""

    next_cursor: str | None
    has_more: bool
    total_count: int


class NotificationPage(BaseModel):
    """A page of notifications."""

    notifications: list[Notification]
    pagination: Pagination


class StatusUpdate(BaseModel):
    """What became of a notification."""

    notification_id: str
    status: Status
    updated_at: str


class Acknowledgement(BaseModel):
    """Which notifications to acknowledge, each by its id."""

    model_config = ConfigDict(strict=True)

    notification_ids: list[str] = Field(min_length=1, max_length=100)


class Acknowledged(BaseModel):
    """How many are acknowledged now, of how many that were named."""

    acknowledged_count: int
    requested_count: int


class NewNotification(_Open):
    """What a service sends."""

    context: Subject
    service: Service | None = None
    actions: list[Action] = []
    priority: str | None = None
    deadline: str | None = None


class Accepted(BaseModel):
    """That it was taken."""

    notification_id: str
    status: Literal["created"]
    estimated_delivery: str


class Invalidation(BaseModel):
    """That nothing is left to decide."""

    model_config = ConfigDict(strict=True)

    status: Literal["invalidated"]
    reason: str | None = None


class Problem(BaseModel):
    """Why not."""

    code: str
    message: str
    details: dict[str, Json]
    request_id: str

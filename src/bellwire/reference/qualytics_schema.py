"""The Qualytics API's bodies, for the OpenAPI page and for the one body that is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator

TriggerType = Literal["Anomaly", "PartitionScan", "Operation", "Manual"]


def _number(value: object) -> object:
    """Refuse what would only be taken for a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = "must be a number"
        raise ValueError(message)  # noqa: TRY004 - the one that becomes a 422
    return value


class Flow(BaseModel):
    """What was set to notify."""

    id: int
    name: str


class FlowExecution(BaseModel):
    """One run of a flow."""

    id: int
    flow: Flow


class ActionExecution(BaseModel):
    """One action of a run."""

    id: int
    flow_execution: FlowExecution


class Notification(BaseModel):
    """What happened; its id is not the one to acknowledge."""

    id: int
    created: str
    notification_type: str
    message: str
    target_uri: str | None
    target_url: str | None
    action_execution: ActionExecution | None = None


class Acknowledged(BaseModel):
    """A notification of a user, in short."""

    id: int
    created: str
    acknowledged: bool


class UserNotification(Acknowledged):
    """A notification of a user: its id is the one to acknowledge."""

    notification: Notification


class NotificationPage(BaseModel):
    """A page of notifications, of ``pages``."""

    items: list[UserNotification]
    total: int
    page: int
    size: int
    pages: int


class Target(BaseModel):
    """One of several notifications to be marked as read."""

    id: Annotated[int, BeforeValidator(_number)]


class Counts(BaseModel):
    """How many were marked as read, of how many that were named."""

    acknowledged_count: int
    requested_count: int


class Problem(BaseModel):
    """Why not."""

    detail: str

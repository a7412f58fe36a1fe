"""The Owlmetry API's bodies, for the OpenAPI page alone: what is sent is written without these."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel


class Notification(BaseModel):
    """A notification; ``link`` is a path of the vendor's web pages."""

    id: str
    type: str
    title: str
    body: str | None
    link: str | None
    team_id: str | None
    read_at: str | None
    created_at: str


class NotificationPage(BaseModel):
    """A page of notifications; ``cursor`` leads to the next one, if there is one."""

    notifications: list[Notification]
    cursor: str | None
    has_more: bool


class UnreadCount(BaseModel):
    """How many are unread."""

    count: int


class Marked(BaseModel):
    """How many were marked as read."""

    marked: int


class One(BaseModel):
    """A notification as it stands now."""

    notification: Notification


class Deleted(BaseModel):
    """What is gone."""

    id: str


class Problem(BaseModel):
    """Why not, in the vendor's words."""

    error: str


class FrameworkProblem(Problem):
    """Why not, in the words of the framework beneath."""

    statusCode: int  # noqa: N815 - the vendor's name
    code: str | None = None
    message: str


def optional_body(name: str, what: str) -> dict[str, Any]:
    """Return what the page says of a body that may be missing and whose only key may have any value."""
    schema = {"properties": {name: {"description": what}}}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": FrameworkProblem, "description": "What was sent cannot be read"},
    401: {"model": Problem, "description": "Not logged in"},
    403: {"model": Problem, "description": "An API key, which is nobody's"},
}
BODY_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    413: {"model": FrameworkProblem, "description": "More than was ever meant"},
    415: {"model": FrameworkProblem, "description": "Neither JSON nor text"},
}
"""What is answered besides to a call that may have a body."""

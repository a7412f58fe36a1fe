"""The ELAN notifications API.

Documented: the paths, parameters, fields and answers, the limit of 100, errors as ``{"detail": …}``, times in three
forms, ``event_data`` that may be absent. Assumed: ``total`` counts what the list is filtered to; a mark skips ids that
are unknown or read already; a user belongs to every organisation that is asked for, and to `DEFAULT_ORG` first.

An item that is put in with ``org_id`` is that organisation's; the vendor's items do not say whose they are.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference import times
from bellwire.reference.context import Occasion, context_of, note_user
from bellwire.reference.elan_schema import (
    Marked,
    Notification,
    NotificationPage,
    Problem,
    ReadRequest,
    UnreadCount,
)
from bellwire.reference.legible import StrictRoute
from bellwire.reference.store import Inbox, NewItem, Selection, StoredItem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bellwire.model import Json

NAME: Final = "elan"
DEFAULT_ORG: Final = "org_1"
"""The organisation that is active where a call names none."""

_MAX_OFFSET: Final = 2**63 - 1  # what the store can count to
_JOBS: Final = ("Marketing Docs", "Terms of Use", "Release Notes", "Handbook")
_EVENTS: Final = (
    ("workflow.completed", "Translation Complete", "Your translation job '{}' has completed successfully."),
    ("workflow.failed", "Translation Failed", "Your translation job '{}' could not be completed."),
    ("workflow.started", "Translation Started", "Your translation job '{}' is on its way."),
    ("workflow.step.completed", "Step Complete", "A step of your translation job '{}' is done."),
    ("workflow.step.failed", "Step Failed", "A step of your translation job '{}' could not be done."),
)
_READ_STATE: Final = frozenset({"is_read", "read_at"})

router = APIRouter(
    prefix="/v1/notifications",
    tags=[NAME],
    route_class=StrictRoute,
    responses={401: {"model": Problem, "description": "Not logged in"}},
)

# --- who is asking -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A user, and which of their organisations is meant."""

    inbox: Inbox
    org_id: str

    def selection(self, *, unread_only: bool = False) -> Selection:
        """Return what the organisation's inbox has."""
        return Selection(unread_only=unread_only, facets={"org_id": self.org_id})


_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]
_OrgId = Annotated[str, Header(alias="X-Org-Id", description="The organisation; without it, the user's active one.")]


async def _member(request: Request, bearer: _Bearer, org_id: _OrgId = DEFAULT_ORG) -> Member:
    context = context_of(request)
    user = None
    if not context.settings.auth:
        user = context.settings.users[0].name
    elif bearer is not None:
        user = context.credentials.user_of_token(bearer.credentials)
    if user is None:
        detail = "Not authenticated" if bearer is None else "Invalid API key"
        raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
    note_user(request, user)
    return Member(inbox=Inbox(api=NAME, user=user), org_id=org_id)


Caller = Annotated[Member, Depends(_member)]
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Problem, "description": "No such notification"}}

# --- the endpoints -------------------------------------------------------------------------------------------------


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


@router.get("", responses={200: {"model": NotificationPage}})
async def list_notifications(
    request: Request,
    caller: Caller,
    *,
    unread_only: bool = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET)] = 0,
) -> Response:
    """List notifications, newest first."""
    store = context_of(request).store
    selection = caller.selection(unread_only=unread_only)
    return _json(
        {
            "notifications": [
                orjson.Fragment(unpack(item)) for item in store.page(caller.inbox, selection, limit, offset)
            ],
            "total": store.count(caller.inbox, selection),
            "unread_count": store.count(caller.inbox, caller.selection(unread_only=True)),
        }
    )


@router.get("/unread/count", responses={200: {"model": UnreadCount}})
async def count_unread(request: Request, caller: Caller) -> Response:
    """Count unread notifications."""
    count = context_of(request).store.count(caller.inbox, caller.selection(unread_only=True))
    return _json({"unread_count": count})


@router.post("/read", responses={200: {"model": Marked}, 400: {"model": Problem, "description": "The body is no text"}})
async def mark_read(request: Request, caller: Caller, body: ReadRequest) -> Response:
    """Mark notifications as read. An empty list marks none."""
    context = context_of(request)
    marked = 0
    for item_id in dict.fromkeys(body.notification_ids):
        if context.store.has(caller.inbox, caller.selection(), item_id):
            marked += context.store.has(caller.inbox, caller.selection(unread_only=True), item_id)
            context.store.mark(caller.inbox, item_id, context.now())
    return _json({"marked_count": marked})


@router.post("/read/all", responses={200: {"model": Marked}})
async def mark_all_read(request: Request, caller: Caller) -> Response:
    """Mark all notifications as read."""
    context = context_of(request)
    return _json({"marked_count": context.store.mark_all(caller.inbox, caller.selection(), context.now())})


@router.get("/{notification_id}", responses={200: {"model": Notification}, **_NOT_FOUND})
async def get_notification(request: Request, caller: Caller, notification_id: str) -> Response:
    """Return one notification."""
    store = context_of(request).store
    item = store.get(caller.inbox, notification_id)
    if item is None or not store.has(caller.inbox, caller.selection(), notification_id):
        raise HTTPException(404, "Notification not found")
    return Response(unpack(item), media_type="application/json")


@router.delete("/{notification_id}", status_code=204, response_class=Response, responses=_NOT_FOUND)
async def delete_notification(request: Request, caller: Caller, notification_id: str) -> Response:
    """Remove one notification for good."""
    store = context_of(request).store
    if not store.has(caller.inbox, caller.selection(), notification_id):
        raise HTTPException(404, "Notification not found")
    store.delete(caller.inbox, notification_id)
    return Response(status_code=204)


# --- items ---------------------------------------------------------------------------------------------------------


def complete(given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
    """Return a workflow's event. What has only started has no ``event_data``."""
    kind, title, message = _EVENTS[occasion.number % len(_EVENTS)]
    job = _JOBS[occasion.number % len(_JOBS)]
    item: dict[str, Json] = {
        "notification_id": str(uuid.uuid4()),
        "event_type": kind,
        "title": title,
        "message": message.format(job),
        "created_at": times.FORMS[occasion.number % len(times.FORMS)](occasion.now),
    }
    if kind != "workflow.started":
        item["event_data"] = {"workflow_id": f"wf_{occasion.number:06x}", "job_name": job}
    return item | dict(given)


def pack(item: Mapping[str, Json], now: datetime) -> NewItem:
    """Return an item in the store's form."""
    org_id = item.get("org_id")
    body = {key: value for key, value in item.items() if key not in _READ_STATE and key != "org_id"}
    return NewItem(
        id=str(item["notification_id"]) if "notification_id" in item else f"without-id-{uuid.uuid4()}",
        created_at=times.read(item.get("created_at"), now),
        body=orjson.dumps(body),
        facets={"org_id": org_id if isinstance(org_id, str) else DEFAULT_ORG},
        read_at=times.read(item.get("read_at"), now) if item.get("is_read") is True else None,
    )


def unpack(item: StoredItem) -> bytes:
    """Return the vendor's JSON of an item."""
    start = item.body[:-1] + b"," if len(item.body) > len(b"{}") else b"{"
    if item.read_at is None:
        return start + b'"is_read":false,"read_at":null}'
    return start + b'"is_read":true,"read_at":"%b"}' % times.zulu(item.read_at).encode()

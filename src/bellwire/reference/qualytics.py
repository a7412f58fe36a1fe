"""The Qualytics in-app notifications API.

On the vendor's page: the paths, the parameters, the bodies and their fields, 404, that an empty bulk mark marks all.
Assumed: pages begin at 1 and have at most 100 items, 12 unless told; errors are ``{"detail": …}``, and 422 has the
framework's form; of several tags or trigger types any will do, and what no flow sent has no trigger type; a bulk mark
counts those of its ids that the user has, read before or not; one that marks all names as many as it marked; marking
again changes nothing.

Items may be given a ``trigger_type`` and a list of ``tags``: they are filtered by these and sent without them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference import times
from bellwire.reference.context import Occasion, context_of, note_user
from bellwire.reference.legible import StrictRoute
from bellwire.reference.qualytics_schema import (
    Acknowledged,
    Counts,
    NotificationPage,
    Problem,
    Target,
    TriggerType,
    UserNotification,
)
from bellwire.reference.store import Inbox, NewItem, Selection, StoredItem
from bellwire.reference.traps import Trap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.model import Json

NAME: Final = "qualytics"
_MOST_PAGES: Final = 2**53  # what every reader of JSON can count to
_SITE: Final = "https://your-instance.qualytics.io"
_HIDDEN: Final = ("trigger_type", "tags", "acknowledged")  # of an item's keys: filters, and what is written anew
_FLOWS: Final = ("Healthcare Nightly Quality Gate", "Orders freshness", "Customer anomalies", "Ledger reconciliation")

router = APIRouter(
    prefix="/api/user-notifications",
    tags=[NAME],
    route_class=StrictRoute,
    responses={401: {"model": Problem, "description": "Not logged in"}},
)

# --- who is asking -------------------------------------------------------------------------------------------------

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]


async def _inbox(request: Request, bearer: _Bearer) -> Inbox:
    context = context_of(request)
    if not context.settings.auth:
        user: str | None = context.settings.users[0].name
    elif bearer is None:
        raise HTTPException(401, "Not authenticated", _CHALLENGE)
    else:
        user = context.credentials.user_of_token(bearer.credentials)
    if user is None:
        raise HTTPException(401, "Invalid token", _CHALLENGE)
    note_user(request, user)
    return Inbox(api=NAME, user=user)


Caller = Annotated[Inbox, Depends(_inbox)]
Read = Annotated[bool, Query(description="Also those that are marked as read.")]
_NOT_FOUND: Final = {"model": Problem, "description": "The user has no such notification"}

# --- the endpoints -------------------------------------------------------------------------------------------------


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _shown(items: Sequence[StoredItem]) -> list[orjson.Fragment]:
    return [orjson.Fragment(unpack(item)) for item in items]


def _found(item: StoredItem | None) -> StoredItem:
    if item is None:
        raise HTTPException(404, "Notification not found")
    return item


@router.get("", responses={200: {"model": NotificationPage}})
async def list_notifications(  # noqa: PLR0913 - one parameter a parameter of the API
    request: Request,
    inbox: Caller,
    *,
    include_acknowledged: Read = False,
    trigger_type: Annotated[list[TriggerType] | None, Query()] = None,
    tag: Annotated[list[str] | None, Query()] = None,
    sort_created: Literal["asc", "desc"] = "desc",
    page: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 12,
) -> Response:
    """List notifications, page by page."""
    store = context_of(request).store
    given = {"trigger_type": trigger_type, "tag": tag}
    any_of = {name: values for name, values in given.items() if values}
    selection = Selection(unread_only=not include_acknowledged, any_of=any_of)
    total = store.count(inbox, selection)
    items = store.page(inbox, selection, size, (page - 1) * size, oldest_first=sort_created == "asc")
    return _json({"items": _shown(items), "total": total, "page": page, "size": size, "pages": -(-total // size)})


@router.get("/listing", responses={200: {"model": list[UserNotification]}})
async def list_all_notifications(request: Request, inbox: Caller, *, include_acknowledged: Read = False) -> Response:
    """List notifications, all at once, newest first."""
    selection = Selection(unread_only=not include_acknowledged)
    return _json(_shown(context_of(request).store.page(inbox, selection, -1, 0)))


@router.get("/{id}", responses={200: {"model": UserNotification}, 404: _NOT_FOUND})
async def show_notification(request: Request, inbox: Caller, id: int) -> Response:  # noqa: A002 - the vendor's name
    """Return one notification."""
    item = _found(context_of(request).store.get(inbox, str(id)))
    return Response(unpack(item), media_type="application/json")


@router.patch(
    "/acknowledge", responses={200: {"model": Counts}, 400: {"model": Problem, "description": "The body is no JSON"}}
)
async def acknowledge_many(request: Request, inbox: Caller, targets: list[Target]) -> Response:
    """Mark several notifications as read; none named means all."""
    context = context_of(request)
    if not targets:
        marked = 0
        if Trap.QUALYTICS_EMPTY_ARRAY_MARKS_ALL in context.traps:
            marked = context.store.mark_all(inbox, Selection(), context.now())
        return _json({"acknowledged_count": marked, "requested_count": marked})
    now = context.now()
    ids = dict.fromkeys(str(target.id) for target in targets)
    marked = sum(context.store.mark(inbox, item_id, now) is not None for item_id in ids)
    return _json({"acknowledged_count": marked, "requested_count": len(targets)})


@router.put("/acknowledge/{id}", responses={200: {"model": Acknowledged}, 404: _NOT_FOUND})
async def acknowledge(request: Request, inbox: Caller, id: int) -> Response:  # noqa: A002 - the vendor's name
    """Mark one notification as read."""
    context = context_of(request)
    item = _found(context.store.mark(inbox, str(id), context.now()))
    body = orjson.loads(unpack(item))
    return _json({name: body[name] for name in ("id", "created", "acknowledged") if name in body})


# --- items ---------------------------------------------------------------------------------------------------------


def complete(given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
    """Return what a flow sends. What is given as ``notification`` is laid over the made-up one."""
    number = occasion.number
    created = times.zulu(occasion.now)
    uri = f"/datastores/101/activity?operation_id={50_000 + number}"
    notification = {
        "id": 1_000_000 + number,  # never an outer id, so that nobody takes one for the other unnoticed
        "created": created,
        "notification_type": "flow",
        "message": "A Scan operation on Healthcare Analytics has completed.",
        "target_uri": uri,
        "target_url": _SITE + uri,
        "action_execution": {
            "id": 2_000_000 + number,
            "flow_execution": {
                "id": 3_000_000 + number,
                "flow": {"id": 1 + number % len(_FLOWS), "name": _FLOWS[number % len(_FLOWS)]},
            },
        },
    }
    own = given.get("notification")
    if isinstance(own, dict):
        notification |= own
    item = {"id": number, "created": created, "trigger_type": "Operation", **given}
    return item if "notification" in given and not isinstance(own, dict) else item | {"notification": notification}


def pack(item: Mapping[str, Json], now: datetime) -> NewItem:
    """Return an item in the store's form."""
    trigger, tags = item.get("trigger_type"), item.get("tags")
    facets: dict[str, str | Sequence[str]] = {}
    if isinstance(trigger, str):
        facets["trigger_type"] = trigger
    if isinstance(tags, list):
        facets["tag"] = [tag for tag in tags if isinstance(tag, str)]
    return NewItem(
        id=str(item["id"]) if "id" in item else f"without-id-{uuid.uuid4()}",
        created_at=times.read(item.get("created"), now),
        body=orjson.dumps({key: value for key, value in item.items() if key not in _HIDDEN}),
        facets=facets,
        read_at=now if item.get("acknowledged") is True else None,
    )


def unpack(item: StoredItem) -> bytes:
    """Return the vendor's JSON of an item."""
    start = item.body[:-1] + b"," if len(item.body) > len(b"{}") else b"{"
    return start + (b'"acknowledged":false}' if item.read_at is None else b'"acknowledged":true}')

"""The Visual Layer notifications API.

Documented: the paths, the list's parameters and answer, the item's fields, tokens minted from a key and its secret.
Assumed: the fields ``is_read``, ``created_at`` and ``read_at`` with times in UTC that do not say so, the path and the
answers of the read marks, the shape of the unread count, and that a token is looked at only as a stream is opened.
"""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference import times
from bellwire.reference.auth import Credentials, RefusedError
from bellwire.reference.context import Occasion, context_of, note_user
from bellwire.reference.legible import StrictRoute
from bellwire.reference.store import Inbox, NewItem, Selection, StoredItem
from bellwire.reference.streams import Dialect, EventStream
from bellwire.reference.visual_layer_schema import (
    Marked,
    Notification,
    NotificationPage,
    Problem,
    UnreadCount,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.model import Json

NAME: Final = "visual_layer"
_ISSUER: Final = "sdk"  # what clients name themselves in the tokens they mint
_IDS: Final = uuid.UUID(
    "6f6cbb0e-8c67-4d2c-9d0f-2b8f0f0f5f11"
)  # the space of the made-up ids, so that a name keeps its id
_MAX_OFFSET: Final = 2**63 - 1  # what the store can count to
_VIEWS: Final = (
    ("Blurry frames", "dock-cameras"),
    ("Missing safety vest", "site-north"),
    ("Unlabelled pallets", "warehouse-2"),
    ("Near duplicates", "dock-cameras"),
)

router = APIRouter(
    prefix="/api/v1/notifications",
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
        user = context.settings.users[0].name
    elif bearer is None:
        raise HTTPException(401, "Not authenticated", _CHALLENGE)
    else:
        user = _user(context.credentials, bearer.credentials)
    note_user(request, user)
    return Inbox(api=NAME, user=user)


def _user(credentials: Credentials, token: str) -> str:
    try:
        return credentials.user_of_token(token) or credentials.user_of_minted(token, _ISSUER)
    except RefusedError as exc:
        raise HTTPException(401, str(exc), _CHALLENGE) from exc


Caller = Annotated[Inbox, Depends(_inbox)]
DatasetId = Annotated[str | None, Query(description="Only those of one dataset.")]

# --- the endpoints -------------------------------------------------------------------------------------------------


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def _selection(dataset_id: str | None, *, unread_only: bool) -> Selection:
    facets = {} if dataset_id is None else {"dataset_id": dataset_id}
    return Selection(unread_only=unread_only, facets=facets)


@router.get("", responses={200: {"model": NotificationPage}})
async def list_notifications(
    request: Request,
    inbox: Caller,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET)] = 0,
    unread_only: bool = False,
    dataset_id: DatasetId = None,
) -> Response:
    """List notifications, newest first."""
    store = context_of(request).store
    selection = _selection(dataset_id, unread_only=unread_only)
    items = store.page(inbox, selection, limit, offset)
    total = store.count(inbox, selection)
    page = {
        "notifications": [orjson.Fragment(unpack(item)) for item in items],
        "total": total,
        "has_more": offset + len(items) < total,
    }
    return _json(orjson.dumps(page))


@router.get("/unread-count", responses={200: {"model": UnreadCount}})
async def count_unread(request: Request, inbox: Caller, dataset_id: DatasetId = None) -> Response:
    """Count unread notifications."""
    count = context_of(request).store.count(inbox, _selection(dataset_id, unread_only=True))
    return _json(orjson.dumps({"unread_count": count}))


@router.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_notifications(request: Request, inbox: Caller) -> Response:
    """Follow new notifications as server-sent events. What was created before the connection is not sent."""
    context = context_of(request)
    dialect = Dialect(encode=_events, keep_alive=b"data:\n\n", interval=context.settings.keep_alive)
    return EventStream(context.store, context.streams, inbox, dialect)


@router.post("/read-all", responses={200: {"model": Marked}})
async def mark_all_read(request: Request, inbox: Caller, dataset_id: DatasetId = None) -> Response:
    """Mark all notifications as read."""
    context = context_of(request)
    marked = context.store.mark_all(inbox, _selection(dataset_id, unread_only=True), context.now())
    return _json(orjson.dumps({"marked_count": marked}))


@router.post("/{notification_id}/read", responses={200: {"model": Notification}, 404: {"model": Problem}})
async def mark_read(request: Request, inbox: Caller, notification_id: str) -> Response:
    """Mark one notification as read. Doing it again changes nothing."""
    context = context_of(request)
    item = context.store.mark(inbox, notification_id, context.now())
    if item is None:
        raise HTTPException(404, "Notification not found")
    return _json(unpack(item))


def _events(items: Sequence[StoredItem]) -> bytes:
    return b"".join(b"data: %b\n\n" % unpack(item) for item in items)


# --- items ---------------------------------------------------------------------------------------------------------
# The body is made once; only the read state, its last two fields, is written anew each time.


def complete(given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
    """Return a monitor's alert: without title or message, as the vendor sends it, with its facts in ``metadata``."""
    view, dataset = _VIEWS[occasion.number % len(_VIEWS)]
    metadata = {
        "batch_id": f"batch-{occasion.number}",
        "is_alert": True,
        "view_name": view,
        "dataset_name": dataset,
        "result_count": 1 + occasion.number % 40,
    }
    if isinstance(given.get("metadata"), dict):
        metadata |= given["metadata"]
    item = {
        "id": str(uuid.uuid4()),
        "user_id": _made_id("user", occasion.user),
        "entity_type": "saved_view",
        "entity_id": _made_id("view", str(metadata["view_name"])),
        "title": "",
        "message": None,
        "metadata": metadata,
        "dataset_id": _made_id("dataset", str(metadata["dataset_name"])),
        "created_at": times.naive(occasion.now),
    }
    return item | {key: value for key, value in given.items() if key != "metadata" or not isinstance(value, dict)}


def pack(item: Mapping[str, Json], now: datetime) -> NewItem:
    """Return an item in the store's form."""
    dataset_id = item.get("dataset_id")
    return NewItem(
        id=str(item["id"]) if "id" in item else f"without-id-{uuid.uuid4()}",
        created_at=times.read(item.get("created_at"), now),
        body=orjson.dumps({key: value for key, value in item.items() if key not in {"is_read", "read_at"}}),
        facets={"dataset_id": dataset_id} if isinstance(dataset_id, str) else {},
        read_at=times.read(item.get("read_at"), now) if item.get("is_read") is True else None,
    )


def unpack(item: StoredItem) -> bytes:
    """Return the vendor's JSON of an item."""
    start = item.body[:-1] + b"," if len(item.body) > len(b"{}") else b"{"
    if item.read_at is None:
        return start + b'"is_read":false,"read_at":null}'
    return start + b'"is_read":true,"read_at":"%b"}' % times.naive(item.read_at).encode()


@lru_cache(maxsize=4096)
def _made_id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_IDS, f"{kind}:{name}"))

"""The Agent Triage Protocol: what its clients call. `bellwire.reference.atp_service` is the other side, that of services.

Documented: the paths, parameters, fields and answers, the errors' codes and form, the stream's events and their ids, the
resumption, 60 polls a minute and 10 streams for a user. Assumed: ``pending`` is created or delivered; the answer of an
acknowledgement is the status update that streams see; what is settled in any way answers 409; acknowledging again
changes nothing; the bulk acknowledgement, which the protocol names without a path, takes ids in ``notification_ids``, up
to 100 of them, counts what is acknowledged after it, and skips what is settled, unknown or another's; a ping every so many seconds as all streams here, with the time left out.
Not here: the WebSocket, responses (they can be put in by `bellwire.reference.atp_items.change_status`), the lapse of
deadlines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference import atp_service
from bellwire.reference.atp_items import (
    NAME,
    SETTLED,
    Feed,
    change_status,
    complete,
    encode,
    pack,
    selection,
    status_of,
    unpack,
)
from bellwire.reference.atp_problems import ProblemError, ProblemRoute, invalid, promised, rate_limited, unauthorized
from bellwire.reference.atp_schema import (
    Acknowledged,
    Acknowledgement,
    Notification,
    NotificationPage,
    Status,
    StatusUpdate,
)
from bellwire.reference.context import context_of, note_user
from bellwire.reference.store import Inbox, StoredItem, micros
from bellwire.reference.streams import Dialect, EventStream
from bellwire.reference.traps import Trap

if TYPE_CHECKING:
    from bellwire.reference.context import Context

__all__ = ["NAME", "complete", "pack", "router", "unpack"]

MAX_STREAMS: Final = 10
"""How many streams a user may have open."""

_TYPES: Final = frozenset({"notification", "status_update"})
_BEFORE_ALL: Final = 2**62  # makes times before 1970 positive in cursors

_client = APIRouter(prefix="/api/v1/client", route_class=ProblemRoute, responses=promised(400, 401))

# --- who is asking -------------------------------------------------------------------------------------------------

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]


def _inbox_of(request: Request, token: str | None) -> Inbox:
    context = context_of(request)
    user = None
    if not context.settings.auth:
        user = context.settings.users[0].name
    elif token is not None:
        user = context.credentials.user_of_token(token)
    if user is None:
        raise unauthorized()
    note_user(request, user)
    return Inbox(api=NAME, user=user)


async def _client_inbox(request: Request, bearer: _Bearer) -> Inbox:
    return _inbox_of(request, bearer.credentials if bearer else None)


async def _stream_inbox(
    request: Request,
    bearer: _Bearer,
    token: Annotated[str | None, Query(description="The user's token, where no header can be sent.")] = None,
) -> Inbox:
    return _inbox_of(request, bearer.credentials if bearer else token)


Caller = Annotated[Inbox, Depends(_client_inbox)]
StreamCaller = Annotated[Inbox, Depends(_stream_inbox)]


async def _poll(request: Request, inbox: Caller) -> Inbox:
    context = context_of(request)
    allowed = context.settings.atp_polls_per_minute
    wait = None if allowed is None else context.rates.take(inbox, allowed)
    if wait is not None:
        raise rate_limited(wait)
    return inbox


Poller = Annotated[Inbox, Depends(_poll)]


def _item(context: Context, inbox: Inbox, item_id: str) -> StoredItem:
    item = context.store.get(inbox, item_id)
    if item is not None:
        return item
    if any(context.store.get(Inbox(api=NAME, user=name), item_id) for name in context.credentials.names):
        raise ProblemError(403, "NOTIFICATION_ACCESS_DENIED", "The notification is another user's")
    raise ProblemError(404, "NOTIFICATION_NOT_FOUND", "There is no such notification")


# --- the endpoints -------------------------------------------------------------------------------------------------


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


@_client.get("/notifications", responses={200: {"model": NotificationPage}, **promised(429)})
async def list_notifications(  # noqa: PLR0913 - the protocol's parameters
    request: Request,
    inbox: Poller,
    *,
    status: Status | Literal["pending"] | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^([0-7][0-9a-f]{15}){2}$")] = None,
    service_id: str | None = None,
    project: str | None = None,
    sort: Literal["newest", "oldest"] = "newest",
) -> Response:
    """List notifications."""
    store = context_of(request).store
    asked = selection(status, service_id, project)
    place = None if cursor is None else _place(cursor)
    found = store.beyond(inbox, asked, limit + 1, place, oldest_first=sort == "oldest")
    items, more = found[:limit], len(found) > limit
    page = {
        "notifications": [orjson.Fragment(unpack(item)) for item in items],
        "pagination": {
            "next_cursor": _cursor(items[-1]) if more else None,
            "has_more": more,
            "total_count": store.count(inbox, asked),
        },
    }
    return _json(orjson.dumps(page))


def _cursor(item: StoredItem) -> str:
    return f"{micros(item.created_at) + _BEFORE_ALL:016x}{item.seq:016x}"


def _place(cursor: str) -> tuple[int, int]:
    return int(cursor[:16], 16) - _BEFORE_ALL, int(cursor[16:], 16)


@_client.get("/notifications/{notification_id}", responses={200: {"model": Notification}, **promised(403, 404, 429)})
async def get_notification(request: Request, inbox: Poller, notification_id: str) -> Response:
    """Return one notification."""
    return _json(unpack(_item(context_of(request), inbox, notification_id)))


@_client.post(
    "/notifications/{notification_id}/acknowledge",
    responses={200: {"model": StatusUpdate}, **promised(403, 404, 409)},
)
async def acknowledge(request: Request, inbox: Caller, notification_id: str) -> Response:
    """Acknowledge one notification."""
    context = context_of(request)
    item = _item(context, inbox, notification_id)
    status = status_of(item)
    if status in SETTLED:
        message = f"The notification is {status}"
        raise ProblemError(409, "NOTIFICATION_ALREADY_RESPONDED", message, details={"status": status})
    update = change_status(context, inbox, notification_id, "acknowledged")
    context.store.mark(inbox, notification_id, context.now())
    return _json(orjson.dumps(update))


@_client.post("/notifications/acknowledge", responses={200: {"model": Acknowledged}, **promised(404)})
async def acknowledge_many(request: Request, inbox: Caller, body: Acknowledgement) -> Response:
    """Acknowledge several notifications. There is none that means all."""
    context = context_of(request)
    if Trap.ATP_BULK_ACKNOWLEDGE_MISSING in context.traps:
        raise ProblemError(404, "NOT_FOUND", "There is no such path")
    acknowledged = 0
    for item_id in dict.fromkeys(body.notification_ids):
        item = context.store.get(inbox, item_id)
        if item is not None and status_of(item) not in SETTLED:
            change_status(context, inbox, item_id, "acknowledged")
            context.store.mark(inbox, item_id, context.now())
            acknowledged += 1
    return _json(orjson.dumps({"acknowledged_count": acknowledged, "requested_count": len(body.notification_ids)}))


@_client.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **promised(429)},
)
async def stream_events(  # noqa: PLR0913 - the protocol's parameters
    request: Request,
    inbox: StreamCaller,
    *,
    header_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    last_event_id: str | None = None,
    types: Annotated[str | None, Query(description="Events that are wanted, with commas between.")] = None,
    client_id: str | None = None,
    version: str | None = None,
) -> Response:
    """Follow notifications, and what becomes of them, as server-sent events, from an id on or from now on."""
    del client_id, version
    context = context_of(request)
    wanted = _TYPES if types is None else frozenset(types.split(","))
    if not wanted <= _TYPES:
        raise invalid(parameter="types", message="there are notification and status_update")
    if len(context.streams.matching(NAME, inbox.user)) >= MAX_STREAMS:
        raise rate_limited(context.settings.keep_alive)
    dialect = Dialect(encode=encode, keep_alive=b"event: ping\ndata: {}\n\n", interval=context.settings.keep_alive)
    feed = Feed(store=context.store, types=wanted)
    after = _resume(header_id or last_event_id, feed.position)
    return EventStream(feed, context.streams, inbox, dialect, after=after)


def _resume(event_id: str | None, newest: int) -> int | None:
    """Return where to go on; an id that was never given, as after a store in memory was lost, is where we are now."""
    if event_id is None or not (event_id.isascii() and event_id.isdigit()) or len(event_id) > len(str(newest)):
        return None
    return int(event_id) if int(event_id) <= newest else None


router = APIRouter(tags=[NAME])
router.include_router(_client)
router.include_router(atp_service.router)

"""The Owlmetry notifications API.

On the vendor's page or seen on its server: all of it, with the habits that `bellwire.reference.traps` names. Where one
is switched off, what it lets pass is refused with 400 or leads nowhere, and cursors have microseconds.
Assumed: the words of its 404, and that types which an inbox has are known besides those that are published.

Items may be given ``data``, which the vendor keeps to itself: it is sent to nobody.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import orjson
from fastapi import APIRouter, Query, Request, Response

from bellwire.reference import times
from bellwire.reference.context import Context, Occasion, context_of
from bellwire.reference.owlmetry_http import NAME, Caller, Route, json_answer, read_body, refuse, refuse_as_framework
from bellwire.reference.owlmetry_schema import (
    BODY_REFUSALS,
    REFUSALS,
    Deleted,
    Marked,
    NotificationPage,
    One,
    Problem,
    UnreadCount,
    optional_body,
)
from bellwire.reference.store import Inbox, NewItem, Selection, StoredItem
from bellwire.reference.traps import Trap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.model import Json

__all__ = ["NAME", "complete", "pack", "router", "unpack"]

_ROOT: Final = "/v1/notifications"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_MOST: Final = 200
_USUAL: Final = 50
_STATES: Final = ("unread", "read", "all")
_SAMPLES: Final = (
    ("issue.digest", "3 new issues in Demo Project", "1 regression, 2 new errors since yesterday's digest.", "issues"),
    ("issue.new", "New issue in Demo Project", "TypeError: undefined is not a function", "issues"),
    ("feedback.new", "New feedback in Demo Project", "The export button does nothing.", "feedback"),
    ("questionnaire.response_new", "New response to Onboarding", None, "questionnaires"),
    ("job.completed", "Export finished", "All events of last month.", "jobs"),
    ("team.invitation", "You were invited to Demo Team", None, "teams"),
    ("app.rating_changed", "Rating of Demo App changed", "4.6 to 4.5", "apps"),
    ("app.review_new", "New review of Demo App", "Works as it should.", "apps"),
)
_TYPES: Final = frozenset(sample[0] for sample in _SAMPLES)

router = APIRouter(tags=[NAME], route_class=Route, responses=REFUSALS)

# --- what is asked for ---------------------------------------------------------------------------------------------
# Everything comes as text, since the vendor reads it as text and takes what it can make of it.

Text = str | None
_NOT_FOUND: Final = {"model": Problem, "description": "The user has no such notification"}


def _limit(given: Text, context: Context) -> int:
    if given is None:
        return _USUAL
    try:
        number = float(given or "0")
    except ValueError:
        number = float("nan")
    if Trap.OWLMETRY_LIMIT_COERCED not in context.traps and not 1 <= number <= _MOST:
        refuse_as_framework(400, f"querystring/limit must be a number from 1 to {_MOST}", "FST_ERR_VALIDATION")
    if number != number or number == 0:  # noqa: PLR0124 - no number equals itself but this one
        return _USUAL
    return int(min(max(number, 1), _MOST))


def _selection(context: Context, inbox: Inbox, read_state: Text, type_: Text) -> Selection:
    state = read_state or "all"
    facets = _facets(context, inbox, type_)
    if (state not in _STATES or (type_ and not facets)) and Trap.OWLMETRY_UNKNOWN_FILTER_IGNORED not in context.traps:
        refuse_as_framework(400, "querystring must be equal to one of the allowed values", "FST_ERR_VALIDATION")
    return Selection(unread_only=state == "unread", read_only=state == "read", facets=facets)


def _facets(context: Context, inbox: Inbox, type_: Json) -> dict[str, str]:
    """Return the filter for a type, none for one that is not known."""
    if not isinstance(type_, str):
        return {}
    facets = {"type": type_}
    return facets if type_ in _TYPES or context.store.count(inbox, Selection(facets=facets)) else {}


def _border(cursor: Text) -> tuple[datetime, str] | None:
    """Return what a cursor names; one that cannot be read names the beginning."""
    when, _, item_id = (cursor or "").partition("|")
    never = datetime.max.replace(tzinfo=UTC)
    moment = times.read(when, never)
    return None if moment == never or not _UUID.fullmatch(item_id) else (moment, item_id)


def _cursor(item: StoredItem, context: Context) -> str:
    digits = 3 if Trap.OWLMETRY_MILLISECOND_CURSOR in context.traps else 6
    return f"{_time(item.created_at, digits)}|{item.id}"


def _check_id(item_id: str, context: Context) -> None:
    if Trap.OWLMETRY_STRANGE_ID_BREAKS in context.traps and not _UUID.fullmatch(item_id):
        refuse_as_framework(500, f'invalid input syntax for type uuid: "{item_id}"', "22P02")


# --- the endpoints -------------------------------------------------------------------------------------------------


@router.get(_ROOT, responses={200: {"model": NotificationPage}})
async def list_notifications(
    request: Request,
    inbox: Caller,
    *,
    read_state: Annotated[Text, Query(description="unread, read or all")] = None,
    type: Annotated[Text, Query(description="Only those of one type.")] = None,  # noqa: A002 - the vendor's name
    cursor: Annotated[Text, Query(description="From the page before.")] = None,
    limit: Annotated[Text, Query(description="From 1 to 200, 50 unless told.")] = None,
) -> Response:
    """List notifications, newest first."""
    context = context_of(request)
    size = _limit(limit, context)
    items = context.store.below(inbox, _selection(context, inbox, read_state, type), size + 1, _border(cursor))
    more = len(items) > size
    page = {
        "notifications": [orjson.Fragment(unpack(item)) for item in items[:size]],
        "cursor": _cursor(items[size - 1], context) if more else None,
        "has_more": more,
    }
    return json_answer(page)


@router.get(f"{_ROOT}/unread-count", responses={200: {"model": UnreadCount}})
async def count_unread(request: Request, inbox: Caller) -> Response:
    """Count unread notifications."""
    return json_answer({"count": context_of(request).store.count(inbox, Selection(unread_only=True))})


@router.post(
    f"{_ROOT}/mark-all-read",
    responses={200: {"model": Marked}, **BODY_REFUSALS},
    openapi_extra=optional_body("type", "Only notifications of this type; an unknown one is as none."),
)
async def mark_all_read(request: Request, inbox: Caller) -> Response:
    """Mark all notifications as read."""
    context = context_of(request)
    body = await read_body(request)
    type_ = body.get("type") if isinstance(body, dict) else None
    facets = _facets(context, inbox, type_)
    if type_ is not None and not facets and Trap.OWLMETRY_UNKNOWN_TYPE_MARKS_ALL not in context.traps:
        return json_answer({"marked": 0})
    return json_answer({"marked": context.store.mark_all(inbox, Selection(facets=facets), context.now())})


@router.patch(
    f"{_ROOT}/{{id}}",
    responses={200: {"model": One}, 404: _NOT_FOUND, **BODY_REFUSALS},
    openapi_extra=optional_body("read", "false makes it unread again; all else marks it as read, at this moment."),
)
async def change(request: Request, inbox: Caller, id: str) -> Response:  # noqa: A002 - the vendor's name
    """Mark one notification as read, or as unread."""
    context = context_of(request)
    body = await read_body(request)
    _check_id(id, context)
    if isinstance(body, dict) and body.get("read") is False:
        item = context.store.unmark(inbox, id)
    else:
        item = context.store.mark(inbox, id, context.now(), anew=True)
    if item is None:
        refuse(404, "Notification not found")
    return json_answer({"notification": orjson.Fragment(unpack(item))})


@router.delete(f"{_ROOT}/{{id}}", responses={200: {"model": Deleted}, 404: _NOT_FOUND, **BODY_REFUSALS})
async def delete(request: Request, inbox: Caller, id: str) -> Response:  # noqa: A002 - the vendor's name
    """Delete one notification."""
    context = context_of(request)
    await read_body(request)
    _check_id(id, context)
    if not context.store.delete(inbox, id):
        refuse(404, "Notification not found")
    return json_answer({"id": id})


@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def nowhere(request: Request, path: str) -> Response:
    """Answer for every other path and method."""
    message = f"Route {request.method}:/{path} not found"
    return json_answer({"message": message, "error": "Not Found", "statusCode": 404}, 404)


# --- items ---------------------------------------------------------------------------------------------------------
# The store keeps microseconds, and so do the vendor's rows; what is sent has milliseconds.


def _time(moment: datetime, digits: int = 3) -> str:
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{text[: len(text) - 6 + digits]}Z"


def complete(given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
    """Return an item of the type that is given, or of one after the other."""
    samples = [sample for sample in _SAMPLES if sample[0] == given.get("type")] or _SAMPLES
    type_, title, body, place = samples[occasion.number % len(samples)]
    item = {
        "id": str(uuid.uuid4()),
        "type": type_,
        "title": title,
        "body": body,
        "link": f"/dashboard/{place}?number={occasion.number}",
        "team_id": str(uuid.uuid5(uuid.NAMESPACE_OID, occasion.user)),
        "created_at": _time(occasion.now, 6),
    }
    return item | dict(given)


def pack(item: Mapping[str, Json], now: datetime) -> NewItem:
    """Return an item in the store's form."""
    body = {key: value for key, value in item.items() if key not in {"data", "read_at"}}
    created, type_, read_at = item.get("created_at"), item.get("type"), item.get("read_at")
    if isinstance(created, str):
        body["created_at"] = re.sub(r"(\.\d{3})\d+", r"\1", created)
    return NewItem(
        id=str(item["id"]) if "id" in item else f"without-id-{uuid.uuid4()}",
        created_at=times.read(created, now),
        body=orjson.dumps(body),
        facets={"type": type_} if isinstance(type_, str) else {},
        read_at=times.read(read_at, now) if read_at is not None else None,
    )


def unpack(item: StoredItem) -> bytes:
    """Return the vendor's JSON of an item."""
    start = item.body[:-1] + b"," if len(item.body) > len(b"{}") else b"{"
    return start + (b'"read_at":null}' if item.read_at is None else b'"read_at":"%b"}' % _time(item.read_at).encode())

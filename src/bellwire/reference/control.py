"""The control API: puts items into inboxes and tells what clients did. It asks nobody for a credential.

Bodies are read and written without models: thousands of items a second come this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from bellwire.reference.context import context_of
from bellwire.reference.control_schema import (
    CHANGE_BODY,
    ITEMS_BODY,
    Created,
    Dropped,
    Health,
    Item,
    Log,
    Problem,
    Stream,
)
from bellwire.reference.faces import FACES, amend, emit
from bellwire.reference.legible import StrictRoute
from bellwire.reference.store import DuplicateItemError, Inbox, StoredItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.model import Json

MAX_ITEMS: Final = 10_000
"""How many items one call may add: they hold the loop while they are written."""

router = APIRouter(prefix="/control", tags=["control"], route_class=StrictRoute)


async def _inbox(request: Request, api: str, user: str) -> Inbox:
    if api not in FACES:
        raise HTTPException(404, f"no such API; there are: {', '.join(FACES)}")
    if user not in context_of(request).credentials.names:
        raise HTTPException(404, "no such user")
    return Inbox(api=api, user=user)


Target = Annotated[Inbox, Depends(_inbox)]
_NOT_FOUND: Final = {"model": Problem, "description": "No such API or user"}


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


@router.get("/health", responses={200: {"model": Health}})
async def health() -> Response:
    """Say that the server answers, and for whom."""
    return _json({"status": "ok", "apis": list(FACES)})


@router.post(
    "/{api}/{user}/items",  # noqa: FAST003 - Target takes both
    status_code=201,
    responses={201: {"model": Created}, 404: _NOT_FOUND, 409: {"model": Problem, "description": "An id is taken"}},
    openapi_extra={"requestBody": ITEMS_BODY},
)
async def add_items(
    request: Request,
    inbox: Target,
    *,
    complete: Annotated[bool, Query(description="False: the items are sent as given, whatever they lack.")] = True,
) -> Response:
    """Add items, all or none, and push them to the open streams at once."""
    given = _given(await request.body())
    try:
        ids = emit(context_of(request), inbox, given, complete=complete)
    except DuplicateItemError as exc:
        raise HTTPException(409, str(exc)) from exc
    except TypeError as exc:  # an object nested deeper than can be written
        _refuse(str(exc))
    return _json({"ids": ids}, 201)


@router.patch(
    "/{api}/{user}/items/{item_id:path}",  # noqa: FAST003 - as above
    status_code=204,
    responses={404: _NOT_FOUND},
    openapi_extra={"requestBody": CHANGE_BODY},
)
async def change_item(request: Request, inbox: Target, item_id: str) -> Response:
    """Change what an item says, as its vendor might: from then on lists show it so."""
    patch = _read(await request.body())
    if not isinstance(patch, dict):
        _refuse("not an object")
    try:
        amend(context_of(request), inbox, item_id, patch)
    except KeyError as exc:
        raise HTTPException(404, "no such item") from exc
    except (TypeError, ValueError) as exc:
        _refuse(str(exc))
    return Response(status_code=204)


@router.get("/{api}/{user}/items", responses={200: {"model": list[Item]}, 404: _NOT_FOUND})  # noqa: FAST003 - as above
async def show_items(request: Request, inbox: Target) -> Response:
    """Return every item of an inbox, oldest first, with its read state."""
    face = FACES[inbox.api]

    def shown(item: StoredItem) -> dict[str, Json]:
        return {
            "id": item.id,
            "seq": item.seq,
            "created_at": item.created_at,
            "is_read": item.read_at is not None,
            "read_at": item.read_at,
            "marks": item.marks,
            "item": orjson.Fragment(face.unpack(item)),
        }

    return _json([shown(item) for item in context_of(request).store.since(inbox, 0)])


@router.get("/log", responses={200: {"model": Log}})
async def show_log(request: Request, after: int = 0) -> Response:
    """Return the requests that clients made, oldest first. Of ``total``, the oldest may be forgotten."""
    log = context_of(request).log
    return _json({"total": log.total, "requests": log.entries(after)})


@router.get("/streams", responses={200: {"model": list[Stream]}})
async def show_streams(request: Request, api: str | None = None, user: str | None = None) -> Response:
    """Return the open streams."""
    streams = context_of(request).streams.matching(api, user)
    return _json([{"api": it.inbox.api, "user": it.inbox.user, "sent": it.sent} for it in streams])


@router.post("/streams/drop", responses={200: {"model": Dropped}})
async def drop_streams(request: Request, api: str | None = None, user: str | None = None) -> Response:
    """Close the open streams of an API, a user, both, or all of them."""
    return _json({"dropped": context_of(request).streams.close(api, user)})


def _given(body: bytes) -> list[Mapping[str, Json]]:
    """Return the items of a body: an array of objects, or one object that is meant ``count`` times."""
    value = _read(body)
    if isinstance(value, dict):
        count = value.pop("count", 1)
        if type(count) is not int or not 0 <= count <= MAX_ITEMS:  # a bool is no number here
            _refuse(f"count must be a number from 0 to {MAX_ITEMS}")
        return [value] * count
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _refuse("neither an array of objects nor an object")
    if len(value) > MAX_ITEMS:
        _refuse(f"more than {MAX_ITEMS} items")
    return value


def _read(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        _refuse(f"no JSON: {exc}")


def _refuse(message: str) -> NoReturn:
    """Answer 422, in the form in which FastAPI says that of parameters."""
    raise RequestValidationError([{"type": "value_error", "loc": ("body",), "msg": message}])

"""The Agent Triage Protocol: what services call to put notifications in.

Documented: the paths, a service key, the answer of the first call, the body of the second. Assumed: a service key is an
API key of the user whose inbox it feeds; the second call answers with the status update that streams see, and with the
codes of the client's calls where it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference import times
from bellwire.reference.atp_items import NAME, SETTLED, change_status, complete, pack, status_of
from bellwire.reference.atp_problems import ProblemError, ProblemRoute, invalid, promised, unauthorized
from bellwire.reference.atp_schema import Accepted, Invalidation, NewNotification, StatusUpdate
from bellwire.reference.context import Occasion, context_of, note_user
from bellwire.reference.store import Inbox

if TYPE_CHECKING:
    from bellwire.model import Json

_OUR_OWN: Final = frozenset({"id", "version", "timestamp", "status"})  # what the server says, whatever a service sends

router = APIRouter(prefix="/api/v1/notifications", route_class=ProblemRoute, responses=promised(400, 401))

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]


async def _inbox(request: Request, bearer: _Bearer) -> Inbox:
    context = context_of(request)
    user = None
    if not context.settings.auth:
        user = context.settings.users[0].name
    elif bearer is not None:
        user = context.credentials.user_of_key(bearer.credentials)
    if user is None:
        raise unauthorized()
    note_user(request, user)
    return Inbox(api=NAME, user=user)


Fed = Annotated[Inbox, Depends(_inbox)]


@router.post("", status_code=201, responses={201: {"model": Accepted}})
async def create_notification(request: Request, inbox: Fed, body: NewNotification) -> Response:
    """Put a notification in."""
    context = context_of(request)
    now = context.now()
    occasion = Occasion(user=inbox.user, number=context.store.position + 1, now=now)
    given: dict[str, Json] = body.model_dump(exclude_none=True)
    sent = {key: value for key, value in given.items() if key not in _OUR_OWN}
    try:
        item = pack(complete(sent, occasion) | {"status": "created"}, now)
    except (ValueError, RecursionError):  # no number, or an object nested deeper than can be written
        raise invalid(parameter="", message="the notification cannot be written as JSON") from None
    context.store.insert(inbox, [item])
    answer = {"notification_id": item.id, "status": "created", "estimated_delivery": times.zulu(now)}
    return Response(orjson.dumps(answer), 201, media_type="application/json")


@router.patch("/{notification_id}", responses={200: {"model": StatusUpdate}, **promised(404, 409)})
async def invalidate_notification(request: Request, inbox: Fed, notification_id: str, body: Invalidation) -> Response:
    """Say that nothing is left to decide."""
    context = context_of(request)
    item = context.store.get(inbox, notification_id)
    if item is None:
        raise ProblemError(404, "NOTIFICATION_NOT_FOUND", "There is no such notification")
    status = status_of(item)
    if status in SETTLED - {body.status}:
        message = f"The notification is {status}"
        raise ProblemError(409, "NOTIFICATION_ALREADY_RESPONDED", message, details={"status": status})
    update = change_status(context, inbox, notification_id, body.status)
    return Response(orjson.dumps(update), media_type="application/json")

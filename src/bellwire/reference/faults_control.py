"""The control API's part for faults: put one in force, see them, end them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, HTTPException, Request
from pydantic import BaseModel

from bellwire.reference.context import context_of
from bellwire.reference.control_schema import Problem
from bellwire.reference.faces import FACES
from bellwire.reference.faults import AnyFault
from bellwire.reference.faults_standing import Standing, TooManyError
from bellwire.reference.legible import StrictRoute
from bellwire.reference.settings import SetupError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

router = APIRouter(prefix="/control/faults", tags=["control"], route_class=StrictRoute)


class StandingFault(BaseModel):
    """A fault in force: ``left`` seconds until it is over, ``hits`` answers that it spoilt or gave."""

    id: int
    fault: AnyFault
    left: float
    hits: int


class StandingFaults(BaseModel):
    """All faults in force; ``early_calls`` are those that came before a fault's ``Retry-After`` had passed."""

    faults: list[StandingFault]
    early_calls: int


class Ended(BaseModel):
    """How many faults were ended."""

    ended: int


@router.get("")
async def show_faults(request: Request) -> StandingFaults:
    """Return the faults in force, the oldest first."""
    faults = context_of(request).faults
    now = faults.monotonic()
    return StandingFaults(faults=[_shown(each, now) for each in faults.standing()], early_calls=faults.early_calls)


@router.post(
    "",
    status_code=201,
    responses={
        400: {"model": Problem, "description": "No text"},
        404: {"model": Problem, "description": "No such API or user"},
        409: {"model": Problem, "description": "There are too many"},
    },
)
async def add_fault(request: Request, fault: Annotated[AnyFault, Body()]) -> StandingFault:
    """Put a fault in force. A stream that is open meets it with its next bytes."""
    context = context_of(request)
    try:
        check([fault], context.credentials.names)
        standing = context.faults.add(fault)
    except SetupError as exc:
        raise HTTPException(404, str(exc)) from exc
    except TooManyError as exc:
        raise HTTPException(409, str(exc)) from exc
    return _shown(standing, standing.since)


@router.delete("")
async def end_faults(request: Request) -> Ended:
    """End all faults."""
    return Ended(ended=context_of(request).faults.remove())


@router.delete("/{number}", responses={404: {"model": Problem, "description": "It is over, or never was"}})
async def end_fault(request: Request, number: int) -> Ended:
    """End one fault."""
    ended = context_of(request).faults.remove(number)
    if not ended:
        raise HTTPException(404, "no such fault")
    return Ended(ended=ended)


def check(faults: Iterable[AnyFault], users: Collection[str]) -> None:
    """Raise SetupError if one of the faults is for an API or a user that is not here."""
    for fault in faults:
        if fault.api is not None and fault.api not in FACES:
            message = f"no such API: {fault.api}; there are: {', '.join(FACES)}"
            raise SetupError(message)
        if fault.user is not None and fault.user not in users:
            message = f"no such user: {fault.user}"
            raise SetupError(message)


def _shown(standing: Standing, now: float) -> StandingFault:
    left = max(0.0, standing.until - now)
    return StandingFault(id=standing.number, fault=standing.fault, left=left, hits=standing.hits)

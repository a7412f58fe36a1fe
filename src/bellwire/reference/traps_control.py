"""The control API's part that switches traps on and off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request

from bellwire.reference.context import context_of
from bellwire.reference.legible import StrictRoute
from bellwire.reference.traps import Trap

router = APIRouter(prefix="/control/traps", tags=["control"], route_class=StrictRoute)

States = dict[Trap, bool]
Wanted = Annotated[States, Body()]


@router.get("")
async def show_traps(request: Request) -> States:
    """Return every trap and whether it is on."""
    return context_of(request).traps.shown()


@router.put("")
async def switch_traps(request: Request, wanted: Wanted) -> States:
    """Switch the named traps on or off, and return how all of them stand."""
    traps = context_of(request).traps
    traps.switch(wanted)
    return traps.shown()

"""The server's composition root: one application, every vendor's face under ``/NAME``, the control API beside them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from bellwire import __version__
from bellwire.reference import control, faults_control, traps_control
from bellwire.reference.context import Context
from bellwire.reference.faces import FACES
from bellwire.reference.faults_applied import ApplyFaults
from bellwire.reference.legible import refuse
from bellwire.reference.log import RecordRequests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.reference.settings import ReferenceSettings

_DESCRIPTION = """
Stands in for the notification inboxes of several vendors. Each vendor's API lies under its name, so that
`http://HOST:PORT/visual_layer` is the base URL of one of them. `/control` puts items in and shows what became of them.
"""


def create_app(settings: ReferenceSettings) -> FastAPI:
    """Build the application. Its store is open from now until its lifespan ends; SetupError if it cannot be opened."""
    faults_control.check(settings.faults, {user.name for user in settings.users})
    context = Context.build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            context.store.close()

    app = FastAPI(
        title="Bellwire reference server",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url="/",
    )
    app.state.context = context
    app.add_exception_handler(RequestValidationError, refuse)  # type: ignore[arg-type]  # it gets none but these
    app.include_router(traps_control.router)
    app.include_router(faults_control.router)
    app.include_router(control.router)
    for name, face in FACES.items():
        app.include_router(face.router, prefix=f"/{name}")
    # What is added later stands further out: the log comes last, to show what the client was told.
    app.add_middleware(ApplyFaults, context=context, faces=FACES)
    app.add_middleware(RecordRequests, log=context.log, faces=FACES)
    return app

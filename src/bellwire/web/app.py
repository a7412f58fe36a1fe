"""The web's composition: one application over a `View`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.staticfiles import StaticFiles

from bellwire import __version__
from bellwire.clock import SystemClock
from bellwire.config.values import host_port, is_loopback
from bellwire.web.answers import misread
from bellwire.web.api import api_router
from bellwire.web.bounds import Bounds
from bellwire.web.docs import docs_router
from bellwire.web.door import Door
from bellwire.web.gauges import Gauges
from bellwire.web.guard import Failures, Headers, Hosts, host_name
from bellwire.web.health import health_router
from bellwire.web.lasthour import LastHour, keep
from bellwire.web.legible import Legible
from bellwire.web.login import login_router
from bellwire.web.nowhere import nowhere
from bellwire.web.pages import pages_router
from bellwire.web.pages.desk import Desk
from bellwire.web.proving import proof_router
from bellwire.web.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from bellwire.config.schema import WebConfig
    from bellwire.metrics import Metrics
    from bellwire.web.view import View

SYSTEM_WALL = SystemClock().wall
"""The machine's time."""

_DESCRIPTION = (
    "What the status page shows, for programs. Times are UTC; answers may gain fields. What changes something is kept with "
    "how you came in, and the name that you give: in the call, or in a header `X-Bellwire-Actor`."
)


def create_web(view: View, metrics: Metrics, config: WebConfig, wall: Callable[[], datetime] = SYSTEM_WALL) -> FastAPI:
    """Return the application that shows ``view``; ``wall`` tells the time."""
    door = Door(config.token, config.read_token, SystemClock().wall, listen=config.listen)
    gauges = Gauges(view, metrics)
    desk, hour = Desk(guarded=not door.open, dry=view.dry_run), LastHour()

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        companions = [
            asyncio.create_task(keep(hour, view, wall), name="last hour"),
            asyncio.create_task(desk.warm(), name="templates"),
        ]
        try:
            yield
        finally:
            for companion in companions:
                companion.cancel()

    app = FastAPI(
        title="Bellwire",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere: see `docs`
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=running,
        # No variable of the environment may have it send anything anywhere.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.include_router(health_router(view, metrics, gauges))
    app.include_router(proof_router(config))
    app.include_router(api_router(view, hour, wall, guarded=not door.open))
    app.include_router(docs_router(app, desk))
    app.include_router(login_router(desk, door, secure=_by_https(config)))
    app.include_router(pages_router(desk, view, hour, wall))
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")))
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(404, nowhere(desk))
    # The last one added stands outermost.
    app.state.live, app.state.hour = desk.live, hour
    app.add_middleware(Legible)
    app.add_middleware(Visitors, door=door)
    app.add_middleware(Bounds)
    if names := _host_names(config):
        app.add_middleware(Hosts, names=names)
    app.add_middleware(Failures)
    app.add_middleware(Headers)
    _ready(app)
    return app


def _misread(request: Request, error: Exception) -> Response:
    del request
    return misread(cast("RequestValidationError", error).errors())


def _ready(app: FastAPI) -> None:
    """Have FastAPI work out its routes now, aside: else it does so at the first request, while everything else waits."""
    scope = {"type": "http", "method": "GET", "path": "/-/nowhere", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(scope)


def _by_https(config: WebConfig) -> bool:
    return config.tls_config is not None or (config.external_url or "").startswith("https:")


def _host_names(config: WebConfig) -> set[str] | None:
    """Return the names that requests may bear, None if any will do.

    Beyond loopback a token is asked for, and a browser that was lured to another name has no cookie for it.
    """
    address = host_port(config.listen, lowest=0)
    if address is None or not is_loopback(address[0]):
        return None
    external = (config.external_url or "").partition("://")[2].partition("/")[0]
    return {name for name in ("localhost", host_name(external)) if name}

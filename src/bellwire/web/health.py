"""``/-/healthy``, ``/-/ready`` and ``/metrics``: for machines that watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from bellwire.errors import BellwireError
from bellwire.web.answers import Json
from bellwire.web.foreign import is_foreign
from bellwire.web.visitors import who_asks

if TYPE_CHECKING:
    from bellwire.metrics import Metrics
    from bellwire.web.gauges import Gauges
    from bellwire.web.view import View


def health_router(view: View, metrics: Metrics, gauges: Gauges) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/-/healthy")
    async def healthy() -> Response:
        # That this is answered at all says that the loop turns: it asks nothing that could wait.
        return PlainTextResponse("OK\n")

    @router.get("/-/ready")
    async def ready(request: Request) -> Response:
        reasons = await view.readiness()
        status = 503 if reasons else 200
        if "application/json" in request.headers.get("accept", ""):
            return Json({"ready": not reasons, "reasons": reasons}, status)
        return PlainTextResponse("\n".join(reasons or ["OK"]) + "\n", status)

    @router.post("/-/reload")
    async def reload(request: Request) -> Response:
        if is_foreign(request.headers):
            return PlainTextResponse("Another site's page may not ask for this.\n", 403)
        try:
            asker = who_asks(request)
            await view.reload(asker.who, asker.how)
        except BellwireError as error:
            return PlainTextResponse(f"The configuration was not changed:\n{error}\n", 500)
        return PlainTextResponse("OK\n")

    @router.get("/metrics")
    async def exposed() -> Response:
        await gauges.refresh()
        return Response(metrics.expose(), headers={"content-type": CONTENT_TYPE_LATEST})

    return router

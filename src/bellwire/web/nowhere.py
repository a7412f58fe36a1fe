"""What is answered where there is nothing: a page to whoever looks with a browser, the API's one form to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.web.answers import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from bellwire.web.pages.desk import Desk

_FOR_PROGRAMS = ("/api/", "/metrics", "/-/", "/static/")  # what is static is open to all: no page of ours for strangers


def nowhere(desk: Desk) -> Callable[[Request, Exception], Response]:
    """Return what answers 404."""

    def answer(request: Request, _error: Exception) -> Response:
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if wants_page and not f"{request.url.path}/".startswith(_FOR_PROGRAMS):
            return desk.page("nowhere.html", 404, request=request)
        return problem(404, "Not Found")

    return answer

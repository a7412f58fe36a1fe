"""What every page is made with: templates, the parts of a page that change, and who looks at it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlencode

import orjson
from markupsafe import Markup
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import HTMLResponse, Response

from bellwire.web.door import Role
from bellwire.web.live import Live, Part
from bellwire.web.present import environment
from bellwire.web.visitors import role_of, session_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastapi import APIRouter

    Values: TypeAlias = dict[str, Any]
    Look: TypeAlias = Callable[[Request], Awaitable[Values]]

_PART = "part_"
_STARTED = 60.0  # seconds after which there is time for what nobody has asked for yet
_BETWEEN = 1.0  # seconds: a template takes some 30 ms of what alerts may need


class Desk:
    """Makes pages of templates. A template's blocks named ``part_…`` are what changes of its page while it is open."""

    def __init__(self, *, guarded: bool, dry: bool) -> None:
        self._environment = environment()
        self._environment.globals["dry"] = dry
        self._environment.globals["guarded"] = guarded
        self._environment.globals["url"] = link
        self._rendered: dict[tuple[str, str, bool], Part] = {}
        self.live = Live()

    async def warm(self) -> None:
        """Compile all templates once the start is over, so that the first who looks need not wait for it."""
        await asyncio.sleep(_STARTED)
        for name in self._environment.list_templates():
            await asyncio.to_thread(self._environment.get_template, name)
            await asyncio.sleep(_BETWEEN)

    def page(self, template: str, status: int = 200, *, request: Request | None = None, **values: Any) -> Response:
        """Answer with a whole page."""
        known = {"here": "", "may_act": False, "live_url": None, "parts": {}, "session": None}
        if request is not None:
            known |= {"here": request.url.path, "may_act": may_act(request), "session": session_of(request)}
        return HTMLResponse(self._environment.get_template(template).render(known | values), status)

    def serve(self, router: APIRouter, path: str, template: str, look: Look) -> None:
        """Serve a page that stays up to date.

        ``look`` returns what the template takes. ``marks`` in it has for some of the parts what they show: such a part is
        rendered only when that has changed. ``status`` is the page's, ``still`` keeps it from being looked at again, ``answer`` is what is answered instead of it.
        """

        async def page(request: Request) -> Response:
            values = await look(request)
            if (answer := values.get("answer")) is not None:
                return cast("Response", answer)
            live_url = None if values.get("still") else f"/live{request.url.path}?{request.url.query}"
            parts = self.parts(template, request, values)
            known = {"live_url": live_url, "parts": parts}
            return self.page(template, values.get("status", 200), request=request, **known | _without_status(values))

        async def stream(request: Request) -> Response:
            async def again() -> Mapping[str, Part]:
                values = await look(request)
                return {} if "answer" in values else self.parts(template, request, values)

            return self.live.stream(again)

        router.add_api_route(path, page, methods=["GET"], response_model=None)
        router.add_api_route(f"/live{path}", stream, methods=["GET"], response_model=None)

    def parts(self, template: str, request: Request, values: Values) -> dict[str, Part]:
        """Return the page's parts, by name without ``part_``."""
        found = self._environment.get_template(template)
        acting = may_act(request)
        context = found.new_context({"here": "", "may_act": acting} | values)
        marks = values.get("marks", {})
        made = {}
        for block, render in found.blocks.items():
            if not block.startswith(_PART):
                continue
            name = block.removeprefix(_PART)
            mark = _mark(marks[name]) if name in marks else None
            last = self._rendered.get((template, name, acting))
            if mark is not None and last is not None and last.mark == mark:
                made[name] = last
                continue
            html = Markup("".join(render(context)))  # noqa: S704 - templates escape
            made[name] = Part(mark or _mark(str(html)), html)
            if mark is not None:
                self._rendered[template, name, acting] = made[name]
        return made


def may_act(request: Request) -> bool:
    """Return whether whoever looks may change something."""
    return role_of(request) is Role.OPERATOR


def link(path: str, **parameters: Any) -> str:
    """Return an address of ours with these parameters; those that are None or empty are left out."""
    given = [(name.rstrip("_"), value) for name, value in parameters.items() if value not in {None, ""}]
    return f"{path}?{urlencode(given)}" if given else path


def _mark(shown: Any) -> str:
    return hashlib.sha256(orjson.dumps(shown, default=str)).hexdigest()[:16]


def _without_status(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != "status"}

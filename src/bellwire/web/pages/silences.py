"""Silences: listed, added once someone has seen what they would meet, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import RedirectResponse, Response

from bellwire.config.duration import parse_duration
from bellwire.config.moment import parse_moment
from bellwire.errors import MatcherError
from bellwire.records import LONGEST_COMMENT, LONGEST_SILENCE, Expiry, NewSilence
from bellwire.routing.matchers import check_silence
from bellwire.web import forms
from bellwire.web.api_alerts import MAX_LISTED
from bellwire.web.foreign import from_here
from bellwire.web.pages.desk import link, may_act
from bellwire.web.visitors import Asker, session_of, who_asks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from fastapi import APIRouter

    from bellwire.routing.matchers import Matcher
    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

_FIELDS = ("matchers", "duration", "start", "author", "comment")
_SHOWN = 50  # alerts that a preview names
_ENDED = 20  # silences that have ended, in the list


def add(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the pages."""
    _list(router, desk, view, wall)
    _new(router, desk, view, wall)
    _end(router, desk, view, wall)


def _list(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the list of what is silenced."""

    async def listed(request: Request) -> Values:
        query, session = request.query_params, session_of(request)
        before = query.get("before", "")[:26] or None
        every = await view.silences.every(_ENDED + 1, before)
        standing = [each for each in every if each["state"] != "expired"]
        ended = [each for each in every if each["state"] == "expired"]
        known = {"duration": "2h", "author": session.name if session else ""}
        return {
            "now": wall(),
            "standing": sorted(standing, key=lambda each: each["ends_at"]),
            "ended": ended[:_ENDED],
            "next": ended[_ENDED - 1]["id"] if len(ended) > _ENDED else None,
            "before": before,
            "still": before is not None,  # what has ended does not change
            "form": {name: query.get(name, known.get(name, "")) for name in _FIELDS},
            "problem": None,
            "done": query.get("done"),
        }

    desk.serve(router, "/silences", "silences.html", listed)


def _new(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the page that asks about a new silence, and the form that makes it."""

    @router.get("/silences/new")
    async def preview(request: Request) -> Response:
        if not may_act(request):
            return desk.page("forbidden.html", 403, request=request)
        asked = {name: [request.query_params.get(name, "")] for name in _FIELDS}
        return await _asked(request, asked)

    @router.get("/silences/meets")
    async def meets(request: Request) -> Response:
        text, problem, met = request.query_params.get("matchers", ""), None, []
        try:
            if text.strip():
                met = await view.silences.preview(_matchers(text))
        except forms.Misunderstood as misunderstood:
            problem = misunderstood.told()
        return desk.page("meets.html", text=text.strip(), problem=problem, met=met)

    @router.post("/silences", dependencies=[Depends(from_here)])
    async def add_one(request: Request) -> Response:
        asked = await forms.fields(request)
        try:
            new = _silence(asked, wall(), who_asks(request, forms.one(asked, "author")))
        except forms.Misunderstood:
            return await _asked(request, asked)
        await view.silences.add(new)
        return RedirectResponse(link("/silences", done="added"), 303)

    async def _asked(request: Request, asked: Mapping[str, Sequence[str]]) -> Response:
        """Ask whether this silence is meant, or say what is wrong with it."""
        form = {name: forms.one(asked, name) for name in _FIELDS}
        problem, met, silence = None, [], None
        try:
            silence = _silence(asked, wall(), who_asks(request, form["author"]))
            met = await view.silences.preview(_matchers(form["matchers"]))
        except forms.Misunderstood as misunderstood:
            problem = misunderstood.told()
        values = {"form": form, "problem": problem, "silence": silence, "met": met, "shown": _SHOWN, "now": wall()}
        return desk.page("silence.html", 422 if problem else 200, request=request, **values)


def _end(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the page that asks about the end of a silence, and the form that ends it."""

    @router.get("/silences/{silence_id}/expire")
    async def ask(request: Request, silence_id: str) -> Response:
        if not may_act(request):
            return desk.page("forbidden.html", 403, request=request)
        found = await _named(view, silence_id)
        return desk.page("expire.html", 200 if found else 404, request=request, silence=found, now=wall())

    @router.post("/silences/{silence_id}/expire", dependencies=[Depends(from_here)])
    async def expire(request: Request, silence_id: str) -> Response:
        asker = who_asks(request)
        outcome = await view.silences.expire(silence_id[:26], asker.who, asker.how)
        if outcome is Expiry.UNKNOWN:
            return desk.page("expire.html", 404, request=request, silence=None, now=wall())
        return RedirectResponse(link("/silences", done=outcome.value), 303)


async def _named(view: View, silence_id: str) -> Answer | None:
    return next((each for each in await view.silences.every(MAX_LISTED) if each["id"] == silence_id), None)


def _silence(asked: Mapping[str, Sequence[str]], now: datetime, asker: Asker) -> NewSilence:
    """Return the silence that someone wants. Raises `Misunderstood`."""
    matchers = _matchers(forms.one(asked, "matchers"))
    starts_at = _start(forms.one(asked, "start")) or now
    ends_at = starts_at + _length(forms.one(asked, "duration"))
    if ends_at <= now:
        message = "it would have ended already"
        raise forms.Misunderstood(message)
    comment = forms.one(asked, "comment")
    if not comment:
        message = "say why, in a few words: whoever finds it in force will want to know"
        raise forms.Misunderstood(message)
    if len(comment) > LONGEST_COMMENT:
        message = f"say it shorter: a comment has {LONGEST_COMMENT:,} characters at most"
        raise forms.Misunderstood(message)
    return NewSilence(
        matchers=tuple(str(one) for one in matchers),
        starts_at=starts_at,
        ends_at=ends_at,
        author=asker.who,
        how=asker.how,
        comment=comment,
    )


def _matchers(text: str) -> tuple[Matcher, ...]:
    """Return what is to be silenced. Raises `Misunderstood`, also where it would be everything."""
    matchers = forms.matchers([text])
    if not matchers:
        message = "write at least one matcher: a silence of everything is never meant"
        raise forms.Misunderstood(message)
    try:
        check_silence(matchers)
    except MatcherError as error:
        raise forms.Misunderstood(str(error)) from None
    return matchers


def _start(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        message = f"start: {error}"
        raise forms.Misunderstood(message) from None


def _length(text: str) -> timedelta:
    try:
        length = parse_duration(text)
    except ValueError as error:
        message = f"duration: {error}"
        raise forms.Misunderstood(message) from None
    if not timedelta(0) < length <= LONGEST_SILENCE:
        message = f"duration: a silence lasts {LONGEST_SILENCE.days} days at most"
        raise forms.Misunderstood(message)
    return length

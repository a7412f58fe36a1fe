"""``/api/v1/silences``: what people do not want to hear of for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bellwire.clock import SystemClock
from bellwire.config.moment import reckonable
from bellwire.config.rule_matchers import compile_matchers
from bellwire.config.schema import Duration, MatcherConfig
from bellwire.errors import MatcherError
from bellwire.records import LONGEST_COMMENT, LONGEST_SILENCE, Expiry, NewSilence
from bellwire.routing.matchers import check_silence
from bellwire.web import schemas, schemas_silences
from bellwire.web.answers import Json, next_page, problem
from bellwire.web.api_alerts import LINKED, MAX_LISTED
from bellwire.web.foreign import from_here
from bellwire.web.visitors import LONGEST_NAME, Asker, who_asks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.routing.matchers import Matcher
    from bellwire.web.view import SilenceView

Texts = Annotated[list[str], Query(alias="matcher", min_length=1, max_length=100, description="May be given again.")]
Moment = Annotated[AwareDatetime, AfterValidator(reckonable)]
SilenceId = Annotated[str, Path(max_length=26)]
Who = Annotated[str, Query(max_length=LONGEST_NAME, description="Who ends it, by a name that is not checked.")]
Limit = Annotated[
    int, Query(ge=0, le=MAX_LISTED, description="How many that have ended; those that stand all are listed.")
]
Before = Annotated[
    str | None,
    Query(max_length=26, description="The id of one that has ended: only those that ended before it are listed."),
]

_BAD: dict[int | str, dict[str, Any]] = {
    400: {"model": schemas_silences.BadMatcher, "description": "It cannot be understood."}
}
_FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"model": schemas.Problem, "description": "Another site's page asked, or this token may only look."}
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": schemas.Problem, "description": "There is no such silence."}
}


class SilenceRequest(BaseModel):
    """A silence that someone wants. All of its matchers must match."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[str | MatcherConfig] = Field(
        min_length=1,
        max_length=100,
        description="As text or as an object, as in the configuration. One of them must not match the empty text.",
        examples=[['account="vision"', {"name": "severity", "op": "<", "value": "error"}]],
    )
    starts_at: Moment | None = Field(default=None, description="Now, if it is not given.")
    ends_at: Moment | None = Field(default=None, description="Either this or `duration`.")
    duration: Duration | None = Field(default=None, description="Such as `1h30m`.")
    author: str = Field(min_length=1, max_length=LONGEST_NAME, description="Who wants it: a name that is not checked.")
    comment: str = Field(min_length=1, max_length=LONGEST_COMMENT)


def silences_router(silences: SilenceView) -> APIRouter:
    """Return the routes, to stand below ``/api/v1``."""
    router = APIRouter(prefix="/silences", tags=["silences"])
    wall = SystemClock().wall

    @router.get("", response_model=list[schemas_silences.Silence], responses=LINKED)
    async def every(request: Request, limit: Limit = MAX_LISTED, before: Before = None) -> Json:
        """List the silences that hold or will, the newest first, and then those that did, the last ended first."""
        found = await silences.every(limit, before)
        more = limit and sum(each["state"] == "expired" for each in found) == limit
        return Json(found, headers=next_page(request, found[-1]["id"] if more else None))

    @router.get("/preview", response_model=list[schemas_silences.Silenced], responses=_BAD)
    async def preview(texts: Texts) -> Json:
        """Tell which alerts in flight, and which of the newest others, a silence with these matchers would meet."""
        matchers = _parsed(texts)
        return matchers if isinstance(matchers, Json) else Json(await silences.preview(matchers))

    @router.post(
        "",
        status_code=201,
        response_model=schemas_silences.NewId,
        responses=_BAD | _FORBIDDEN,
        dependencies=[Depends(from_here)],
    )
    async def add(wanted: SilenceRequest, request: Request) -> Json:
        """Silence what matches from now on, and what waits when it is next claimed."""
        new = _silence(wanted, wall(), who_asks(request, wanted.author))
        return new if isinstance(new, Json) else Json({"id": await silences.add(new)}, 201)

    @router.delete(
        "/{silence_id}",
        response_model=schemas_silences.Expired,
        responses=_FORBIDDEN | _UNKNOWN,
        dependencies=[Depends(from_here)],
    )
    async def expire(silence_id: SilenceId, request: Request, who: Who = "") -> Json:
        """End a silence now. What it suppressed stays so."""
        asker = who_asks(request, who)
        outcome = await silences.expire(silence_id, asker.who, asker.how)
        if outcome is Expiry.UNKNOWN:
            return problem(404, "there is no such silence")
        return Json({"id": silence_id, "outcome": outcome})

    return router


def _silence(wanted: SilenceRequest, now: datetime, asker: Asker) -> NewSilence | Json:
    matchers = _parsed(wanted.matchers)
    if isinstance(matchers, Json):
        return matchers
    if (wanted.ends_at is None) is (wanted.duration is None):
        return problem(400, "give either ends_at or duration")
    starts_at = wanted.starts_at or now
    length = wanted.ends_at - starts_at if wanted.ends_at else wanted.duration
    if length is None or not timedelta(0) < length <= LONGEST_SILENCE or starts_at + length <= now:
        return problem(400, f"it must end after its start and after now, and last {LONGEST_SILENCE.days} days at most")
    return NewSilence(
        matchers=tuple(str(matcher) for matcher in matchers),
        starts_at=starts_at,
        ends_at=starts_at + length,
        author=asker.who,
        how=asker.how,
        comment=wanted.comment,
    )


def _parsed(entries: Sequence[str | MatcherConfig]) -> tuple[Matcher, ...] | Json:
    """Return the matchers, or an answer that says which of them cannot be read, and where."""
    matchers: list[Matcher] = []
    for entry in entries:
        try:
            matchers += compile_matchers([entry])
        except MatcherError as error:
            text, at = (entry, error.offset) if isinstance(entry, str) else (_written(entry), None)
            return Json({"detail": str(error), "matcher": text, "offset": at}, 400)
    try:
        check_silence(matchers)
    except MatcherError as error:
        return problem(400, str(error))
    return tuple(matchers)


def _written(entry: MatcherConfig) -> str:
    return f"{entry.name} {entry.op} {entry.value}"

"""What people write into forms: read, bounded, understood."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from bellwire.config.duration import parse_duration
from bellwire.config.moment import parse_moment
from bellwire.errors import MatcherError
from bellwire.routing.matcher_parser import parse_matchers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from bellwire.routing.matchers import Matcher

MOST_BYTES = 128 * 1024
"""Of a form."""

_FIELDS = 3000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # alerts' ids tell no time before it

Answer = dict[str, Any]


class Misunderstood(Exception):  # noqa: N818 - what it says
    """Something in a form cannot be understood. ``at`` counts characters within ``text``, None where there is no place."""

    def __init__(self, message: str, text: str = "", at: int | None = None) -> None:
        self.text = text
        self.at = at
        super().__init__(message)

    def told(self) -> Answer:
        """Return what a page says of it: ``message``, and ``text`` with ``caret`` below where it goes wrong."""
        caret = None if self.at is None else " " * self.at + "^"
        return {"message": str(self), "text": self.text, "caret": caret}


async def fields(request: Request, most: int = MOST_BYTES) -> dict[str, list[str]]:
    """Return the fields of a form that was sent; none of one that is too large or is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return {}
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}


def one(found: Mapping[str, Sequence[str]], name: str) -> str:
    """Return a field's first value, without space around it; empty if there is none."""
    return (found.get(name) or [""])[0].strip()


def matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Return the matchers of these texts, of each line one or several. Raises `Misunderstood`."""
    found: list[Matcher] = []
    for text in (line.strip() for each in texts for line in each.splitlines()):
        if not text:
            continue
        try:
            found += parse_matchers(text)
        except MatcherError as error:
            raise Misunderstood(str(error), text, error.offset) from None
    return tuple(found)


def moment(text: str | None, now: datetime, what: str) -> datetime | None:
    """Return the time that someone means: ``2h`` ago, or a date, in UTC if it does not say. Raises `Misunderstood`."""
    if not text:
        return None
    try:
        return max(now - parse_duration(text), _EPOCH)
    except (ValueError, OverflowError):
        pass
    try:
        return parse_moment(text)
    except ValueError as error:
        message = f"{what}: {error}; or how long ago it is, such as 2h"
        raise Misunderstood(message) from None

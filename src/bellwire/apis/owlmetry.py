"""Owlmetry: issues, feedback, reviews and jobs of apps.

All as seen on the vendor's server, but for the links' web address, which it does not tell: ``web_url`` gives it.

A token is sent as ``Authorization: Bearer``, or as the cookie ``token`` where ``authorization.type`` is ``cookie``; never
both, for a bad header beats a good cookie. Ids are UUIDs: of any other the vendor makes an error of its own, so that such
an item is never marked. Filters that the vendor does not know it ignores, so they are applied here once more.
Cursors are the vendor's affair, but for one thing: see `_following`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from bellwire.apis.dialect import Call, Dialect
from bellwire.apis.reading import id_text, items_in, labels_of, mapping, moment, read_items, text, whole_number
from bellwire.apis.severities import severity_of
from bellwire.apis.tokens import bearer
from bellwire.config.schema import Authorization
from bellwire.model import Json, Notification, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.config.schema import AccountConfig

_ROOT = "/v1/notifications"
_LIMIT = 200  # the most that the vendor gives in one page
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_CURSOR = re.compile(rf"(\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}})Z\|{_UUID.pattern}")
_LOWEST_ID = "00000000-0000-0000-0000-000000000000"
_MILLISECOND = timedelta(milliseconds=1)
_LAST_YEAR = 9999  # the calendar's


class Owlmetry(Dialect):
    """The dialect of ``owlmetry``."""

    READ_STATE: ClassVar[frozenset[str]] = frozenset({"read_at"})

    def __init__(self, account: AccountConfig) -> None:
        self._authorization = account.authorization or Authorization()
        self._web_url = (account.web_url or "").rstrip("/")
        self._type = None if account.params.get("type") is None else str(account.params["type"])

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return the token in the form that the account names, and in no other."""
        del wall
        if self._authorization.credentials is None:
            return {}
        token = self._authorization.credentials.get_secret_value()
        return {"Cookie": f"token={token.strip()}"} if self._authorization.type == "cookie" else bearer(token)

    def list_page(self, cursor: str | None) -> Call:
        """Ask for as many unread ones as the vendor gives at once."""
        query = [("read_state", "unread"), ("limit", str(_LIMIT))]
        query += [("type", self._type)] if self._type is not None else []
        query += [("cursor", cursor)] if cursor is not None else []
        return Call(method="GET", path=_ROOT, query=tuple(query))

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Go on behind the last item. What was not asked for is left out: read items, and those of other types."""
        items = items_in(answer, "notifications")
        following = answer.get("cursor")
        if answer.get("has_more") is False or not isinstance(following, str) or not following or not items:
            following = None
        else:
            following = _following(cursor, following, items)
        wanted = [item for item in items if self._wants(mapping(item))]
        return Page(items=read_items(wanted, self._notification), next_cursor=following)

    def _wants(self, item: Mapping[str, Json]) -> bool:
        other = self._type is not None and item.get("type", self._type) != self._type
        return moment(item.get("read_at")) is None and not other

    def count(self) -> Call | None:
        """Ask ``unread-count``. It knows no types, but whenever something comes it changes."""
        return Call(method="GET", path=f"{_ROOT}/unread-count")

    def read_count(self, answer: Json) -> int | None:
        """Read ``{"count": n}``."""
        return whole_number(mapping(answer).get("count"))

    def counts_what_it_lists(self) -> bool:
        """Return whether all types are listed."""
        return self._type is None

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Mark one: the vendor has no call for several, and its call for all is never made."""
        (upstream_id,) = upstream_ids
        return Call(method="PATCH", path=f"{_ROOT}/{quote(upstream_id, safe='')}", body={"read": True})

    def _notification(self, item: Mapping[str, Json]) -> Notification:
        upstream_id, type_ = id_text(item.get("id")), text(item.get("type")) or "notification"
        message = text(item.get("body"))
        return Notification(
            upstream_id=upstream_id,
            type=type_,
            severity=severity_of(type_),
            title=text(item.get("title")).strip() or message.strip().partition("\n")[0].strip() or type_,
            message=message,
            url=self._url(text(item.get("link"))),
            created_at=moment(item.get("created_at")),
            labels=labels_of(team_id=item.get("team_id")),
            payload=item,
            markable=_UUID.fullmatch(upstream_id) is not None,
        )

    def _url(self, link: str) -> str | None:
        if link.startswith(("https://", "http://")):
            return link
        return f"{self._web_url}/{link.lstrip('/')}" if link and self._web_url else None


def _following(cursor: str | None, following: str, items: Sequence[Json]) -> str | None:
    """Return the cursor to go on with, None where the vendor's leads nowhere new.

    The vendor's has milliseconds, its rows microseconds: it skips what came in the last item's millisecond. So go on
    from the start of the next millisecond instead, and read the items of that one twice. That cannot be done where a
    page has no other millisecond; and a cursor of another form than the published one is sent back as it is. What that
    skips comes up once the items before it are marked as read.
    """
    last, before = _CURSOR.fullmatch(following), _CURSOR.fullmatch(cursor or "")
    if last is None:
        return None if following == cursor else following
    if before is not None and following >= before[0]:
        return None  # newest first, a cursor falls: this one was not understood, and the list began anew
    since = moment(f"{last[1]}Z")
    times = [when for item in items if (when := moment(mapping(item).get("created_at"))) is not None]
    if since is None or since.year == _LAST_YEAR or not times or max(times) < since + _MILLISECOND:
        return following
    return f"{(since + _MILLISECOND).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z|{_LOWEST_ID}"

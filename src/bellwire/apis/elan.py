"""ELAN: what became of an organisation's translation workflows.

Assumed, for the vendor publishes nothing about it: under ``unread_only`` the ``total`` counts unread ones (if it counts
all, the empty page behind the last one ends the list); ids that are unknown or read already are skipped by a read mark,
with a lower ``marked_count``; a mark takes as many ids as a page has.
Times come with ``Z``, with an offset, or without a zone (then UTC). ``event_data`` may be absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from bellwire.apis.dialect import Call, Dialect
from bellwire.apis.reading import (
    id_text,
    items_in,
    labels_of,
    mapping,
    moment,
    read_items,
    text,
    whole_number,
)
from bellwire.apis.severities import severity_of
from bellwire.apis.tokens import bearer
from bellwire.config.schema import Authorization
from bellwire.model import Json, Notification, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.config.schema import AccountConfig

ORG_HEADER = "X-Org-Id"
_ROOT = "/v1/notifications"
_LIMIT = 100  # the most that the vendor gives in one page


class Elan(Dialect):
    """The dialect of ``elan``."""

    marks_per_call: int = 100
    READ_STATE: ClassVar[frozenset[str]] = frozenset({"is_read", "read_at", "updated_at"})

    def __init__(self, account: AccountConfig) -> None:
        self._authorization = account.authorization or Authorization()
        named = [
            value.get_secret_value() for name, value in account.headers.items() if name.lower() == ORG_HEADER.lower()
        ]
        self._org_id = account.org_id or (named[0] if named else None)
        self._pinned = {} if account.org_id is None else {ORG_HEADER: account.org_id}

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return the API key, and the organisation: without it the user's active one counts, which can change."""
        del wall
        key = self._authorization.credentials
        return self._pinned | (bearer(key.get_secret_value()) if key else {})

    def list_page(self, cursor: str | None) -> Call:
        """Page by offset, as many as the vendor gives at once."""
        query = (("unread_only", "true"), ("limit", str(_LIMIT)), ("offset", cursor or "0"))
        return Call(method="GET", path=_ROOT, query=query)

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Go on behind the items that came, not behind those asked for: the vendor may give fewer."""
        items = items_in(answer, "notifications")
        end = int(cursor or 0) + len(items)
        total = whole_number(answer.get("total"))
        more = end < total if total is not None else len(items) >= _LIMIT
        unread = whole_number(answer.get("unread_count"))
        return Page(
            items=read_items(items, self._notification),
            next_cursor=str(end) if more and items else None,
            by_offset=True,
            total=total if unread is None else unread,  # this falls with each mark, whatever `total` counts
        )

    def count(self) -> Call | None:
        """Ask for the number of unread notifications, which the vendor calls right for polling."""
        return Call(method="GET", path=f"{_ROOT}/unread/count")

    def read_count(self, answer: Json) -> int | None:
        """Read ``{"unread_count": n}``."""
        return whole_number(mapping(answer).get("unread_count"))

    def one(self, upstream_id: str) -> Call | None:
        """Ask for one."""
        return Call(method="GET", path=f"{_ROOT}/{quote(upstream_id, safe='')}")

    def read_one(self, answer: Json) -> bool | None:
        """Read ``is_read``."""
        done = mapping(answer).get("is_read")
        return not done if isinstance(done, bool) else None

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Mark these. The vendor's call for all, beside this one, is never made."""
        return Call(method="POST", path=f"{_ROOT}/read", body={"notification_ids": list(upstream_ids)})

    def all_marked(self, upstream_ids: Sequence[str], answer: Json) -> bool:
        """Compare the numbers; one that was marked alone needs no comparison: it had been read, or is gone."""
        return (whole_number(mapping(answer).get("marked_count")) or 0) >= len(upstream_ids)

    def _notification(self, item: Mapping[str, Json]) -> Notification:
        kind = text(item.get("event_type")) or "notification"
        message = text(item.get("message"))
        own = {} if self._org_id is None else {"org_id": self._org_id}
        return Notification(
            upstream_id=id_text(item.get("notification_id")),
            type=kind,
            severity=severity_of(kind),
            title=text(item.get("title")).strip() or message.strip().partition("\n")[0] or kind,
            message=message,
            created_at=moment(item.get("created_at")),
            labels=labels_of(**mapping(item.get("event_data"))) | own,
            payload=item,
        )

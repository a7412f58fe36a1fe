"""ATP, the Agent Triage Protocol: what services ask people to decide. Bellwire forwards and acknowledges; it never responds.

Assumed, for the protocol publishes nothing about it: ``pending`` are notifications that are created or delivered; the
stream's ``status_update`` is ``{"notification_id", "status", "updated_at"}``; the stream is not filtered by service or
project: that is done here. The bulk acknowledgement is named by the protocol, without a path: it is used only where
``params.bulk_acknowledge`` says so, and then as ``POST …/notifications/acknowledge`` with the ids as
``notification_ids``, as many as a page has, answered by ``acknowledged_count``. A lower count, another answer or a refusal
is followed by a call for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote

from bellwire.apis.atp_reading import event_code, notification, problem_code, status_update
from bellwire.apis.dialect import Call, Dialect
from bellwire.apis.reading import items_in, mapping, read_items, read_object, text, whole_number
from bellwire.apis.tokens import bearer
from bellwire.config.schema import Authorization
from bellwire.model import Discard, Json, Notification, Page, StreamItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.apis.sse import ServerSentEvent
    from bellwire.config.schema import AccountConfig

_ROOT: Final = "/api/v1/client"
_LIMIT: Final = 100  # the most that the vendor gives in one page
_PENDING: Final = "pending"
_FILTERS: Final = ("project", "service_id")
_UNREAD: Final = frozenset({_PENDING, "created", "delivered"})


class Atp(Dialect):
    """The dialect of ``atp``."""

    POLLS_PER_MINUTE: ClassVar[int | None] = 60
    READ_STATE: ClassVar[frozenset[str]] = frozenset(
        {"status", "updated_at", "delivered_at", "acknowledged_at", "responded_at", "completed_at", "response"}
    )

    def __init__(self, account: AccountConfig) -> None:
        self._authorization = account.authorization or Authorization()
        self._filter = tuple((name, str(account.params[name])) for name in _FILTERS if name in account.params)
        if str(account.params.get("bulk_acknowledge")).lower() == "true":
            self.marks_per_call = _LIMIT

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return the user's token."""
        del wall
        token = self._authorization.credentials
        return bearer(token.get_secret_value()) if token else {}

    def refuses_account(self, status: int, answer: Json) -> bool:
        """Tell a notification that is another's from credentials that are refused."""
        del status
        return problem_code(answer) != "NOTIFICATION_ACCESS_DENIED"

    def list_page(self, cursor: str | None) -> Call:
        """Page by the vendor's cursor, as many as it gives at once."""
        return self._pending(_LIMIT, () if cursor is None else (("cursor", cursor),))

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Follow ``next_cursor`` unless ``has_more`` says that there is nothing behind it."""
        del cursor
        items = items_in(answer, "notifications")
        paging = mapping(answer.get("pagination"))
        following = text(paging.get("next_cursor")) or None
        return Page(
            items=read_items(items, notification),
            next_cursor=None if paging.get("has_more") is False else following,
            total=whole_number(paging.get("total_count")),
        )

    def count(self) -> Call | None:
        """Ask for a page of one: the lightest call that tells the number."""
        return self._pending(1)

    def read_count(self, answer: Json) -> int | None:
        """Read ``total_count``."""
        return whole_number(mapping(mapping(answer).get("pagination")).get("total_count"))

    def _pending(self, limit: int, more: tuple[tuple[str, str], ...] = ()) -> Call:
        query = (("status", _PENDING), ("limit", str(limit)), *more, *self._filter)
        return Call(method="GET", path=f"{_ROOT}/notifications", query=query)

    def one(self, upstream_id: str) -> Call | None:
        """Ask for one."""
        return Call(method="GET", path=f"{_ROOT}/notifications/{quote(upstream_id, safe='')}")

    def read_one(self, answer: Json) -> bool | None:
        """Read ``status``: one that was neither answered nor has ended is unread."""
        status = text(mapping(answer).get("status"))
        return status in _UNREAD if status else None

    def stream(self, last_event_id: str | None) -> Call | None:
        """Open the stream where it was left."""
        headers = (("Last-Event-ID", last_event_id),) if last_event_id else ()
        return Call(method="GET", path=f"{_ROOT}/events", headers=headers)

    def read_event(self, event: ServerSentEvent) -> StreamItem | None:
        """Read a bare item, or what became of one. An event without a name is taken for an item."""
        if event.event in {"notification", "message"}:
            return self._mine(read_object(event, notification))
        if event.event == "status_update":
            return status_update(event)
        if event.event == "ping":
            return None
        if event.event == "error":
            return Discard(reason="vendor_error", detail=event_code(event))
        return Discard(reason="unknown_event", detail=event.event[:100])

    def _mine(self, found: Notification | Discard) -> StreamItem | None:
        """Leave out what the account's list, which the vendor filters, would leave out."""
        if isinstance(found, Discard):
            return found
        item = mapping(found.payload)
        own = {
            "service_id": text(mapping(item.get("service")).get("id")),
            "project": text(mapping(item.get("context")).get("project")),
        }
        return found if all(own[name] == value for name, value in self._filter) else None

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Acknowledge one by its own call, and several by the one for them. Neither can be made without an id."""
        if len(upstream_ids) > 1:
            ids = {"notification_ids": list(upstream_ids)}
            return Call(method="POST", path=f"{_ROOT}/notifications/acknowledge", body=ids)
        (upstream_id,) = upstream_ids
        return Call(method="POST", path=f"{_ROOT}/notifications/{quote(upstream_id, safe='')}/acknowledge")

    def all_marked(self, upstream_ids: Sequence[str], answer: Json) -> bool:
        """Return whether as many were acknowledged as were named."""
        return (whole_number(mapping(answer).get("acknowledged_count")) or 0) >= len(upstream_ids)

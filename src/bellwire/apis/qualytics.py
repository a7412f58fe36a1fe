"""Qualytics: notifications of flows over data stores.

Assumed, for the vendor publishes nothing about it: a page has at most 100 items (``params.size`` overrides that), and so
has one bulk mark; marking again what is marked answers 200; a bulk mark of unknown ids answers a lower
``acknowledged_count``; a notification is about an anomaly if its type says so, if it leads to a page of anomalies, or if
the account asks for nothing else; errors are ``{"detail": …}``.

An empty bulk mark would mark everything, so several are marked at once only where there are several; one has a call of
its own. ``base_url`` may be given with the ``/api`` at its end, as the vendor writes it, or without.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlsplit

from bellwire.apis.dialect import Call, Dialect
from bellwire.apis.reading import id_text, items_in, labels_of, mapping, moment, read_items, text, whole_number
from bellwire.apis.severities import severity_of
from bellwire.apis.tokens import bearer
from bellwire.config.schema import Authorization
from bellwire.model import Json, Notification, Page, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.config.schema import AccountConfig

_ROOT = "/user-notifications"
_SIZE = 100
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


class Qualytics(Dialect):
    """The dialect of ``qualytics``."""

    marks_per_call: int = 100
    READ_STATE: ClassVar[frozenset[str]] = frozenset({"acknowledged", "acknowledged_at", "updated", "updated_at"})

    def __init__(self, account: AccountConfig) -> None:
        self._authorization = account.authorization or Authorization()
        self._root = _ROOT if account.base_url.rstrip("/").endswith("/api") else f"/api{_ROOT}"
        self._size = int(account.params.get("size", _SIZE))
        given = account.params
        self._filter = tuple((name, each) for name in ("trigger_type", "tag") for each in _values(given.get(name)))
        self._only_anomalies = {value for name, value in self._filter if name == "trigger_type"} == {"Anomaly"}

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return the personal API token."""
        del wall
        token = self._authorization.credentials
        return {} if token is None else bearer(token.get_secret_value())

    def list_page(self, cursor: str | None) -> Call:
        """Page by number, which starts at 1; the newest come first."""
        return self._list(cursor or "1", self._size)

    def _list(self, page: str, size: int) -> Call:
        query = (("include_acknowledged", "false"), ("sort_created", "desc"), ("page", page), ("size", str(size)))
        return Call(method="GET", path=self._root, query=query + self._filter)

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Go on while there are more pages. What is acknowledged, though it was not asked for, is left out."""
        items = items_in(answer, "items")
        page, total, pages = int(cursor or 1), whole_number(answer.get("total")), whole_number(answer.get("pages"))
        size = whole_number(answer.get("size")) or self._size  # the vendor may give fewer than asked for
        more = len(items) >= size if total is None else page * size < total
        more = more if pages is None else page < pages
        unread = [item for item in items if mapping(item).get("acknowledged") is not True]
        following = str(page + 1) if more and items else None
        return Page(items=read_items(unread, self._notification), next_cursor=following, total=total)

    def count(self) -> Call | None:
        """Ask for the shortest page: its total is the count, and the filters hold for it."""
        return self._list("1", 1)

    def read_count(self, answer: Json) -> int | None:
        """Read the page's total."""
        return whole_number(mapping(answer).get("total"))

    def one(self, upstream_id: str) -> Call | None:
        """Ask for one by its outer id."""
        return Call(method="GET", path=f"{self._root}/{quote(upstream_id, safe='')}")

    def read_one(self, answer: Json) -> bool | None:
        """Read ``acknowledged``."""
        done = mapping(answer).get("acknowledged")
        return not done if isinstance(done, bool) else None

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Mark one by its own call and several by one call that names each."""
        if len(upstream_ids) == 1:
            return Call(method="PUT", path=f"{self._root}/acknowledge/{quote(upstream_ids[0], safe='')}")
        body = [{"id": int(each) if _NUMBER.fullmatch(each) else each} for each in upstream_ids]
        if not body:
            message = "an empty bulk mark would mark everything"
            raise ValueError(message)
        return Call(method="PATCH", path=f"{self._root}/acknowledge", body=body)

    def all_marked(self, upstream_ids: Sequence[str], answer: Json) -> bool:
        """Return whether as many were marked as were named."""
        marked = whole_number(mapping(answer).get("acknowledged_count"))
        return marked is not None and marked >= len(upstream_ids)

    def _notification(self, item: Mapping[str, Json]) -> Notification:
        upstream_id = id_text(item.get("id"))  # the outer one: the inner one is another thing's
        inner = mapping(item.get("notification"))
        flow = mapping(mapping(mapping(inner.get("action_execution")).get("flow_execution")).get("flow"))
        type_, message = text(inner.get("notification_type")) or "notification", text(inner.get("message"))
        return Notification(
            upstream_id=upstream_id,
            type=type_,
            severity=self._severity(type_, inner),
            title=text(flow.get("name")).strip() or message.strip().partition("\n")[0].strip() or "Notification",
            message=message,
            url=text(inner.get("target_url")) or None,
            created_at=moment(item.get("created")) or moment(inner.get("created")),
            labels=labels_of(flow=flow.get("name"), flow_id=flow.get("id")),
            payload=item,
            markable=_NUMBER.fullmatch(upstream_id) is not None,
        )

    def _severity(self, type_: str, inner: Mapping[str, Json]) -> Severity:
        asked_for = self._only_anomalies and type_ == "flow"
        anomaly = asked_for or "anomaly" in type_.lower() or _leads_to_anomalies(inner)
        return max(Severity.WARNING if anomaly else Severity.INFO, severity_of(type_))


def _values(given: Json) -> list[str]:
    """Return a filter's values: one, or several in a list."""
    return [] if given is None else [str(each) for each in given] if isinstance(given, list) else [str(given)]


def _leads_to_anomalies(inner: Mapping[str, Json]) -> bool:
    try:
        path = urlsplit(text(inner.get("target_uri")) or text(inner.get("target_url"))).path
    except ValueError:  # no address at all
        return False
    return any(part.lower() in {"anomaly", "anomalies"} for part in path.split("/"))

"""Visual Layer: alerts of monitored saved views.

Assumed, for the vendor publishes nothing about it: one notification is marked by ``POST …/{id}/read``; items have
``is_read``, ``created_at`` and ``read_at``, perhaps ``updated_at``; ``unread-count`` answers ``{"unread_count": n}`` (``count`` and a bare number
are taken too); the stream checks its token at connect only, and is not filtered by ``dataset_id``: that is done here.
The stream has no event names, ids or replay.
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
    read_object,
    text,
    whole_number,
)
from bellwire.apis.tokens import bearer, minted
from bellwire.config.schema import Authorization
from bellwire.model import Discard, Json, Notification, Page, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.apis.sse import ServerSentEvent
    from bellwire.config.schema import AccountConfig

_ROOT = "/api/v1/notifications"
_LIMIT = 100  # the most that the vendor gives in one page


class VisualLayer(Dialect):
    """The dialect of ``visual_layer``."""

    READ_STATE: ClassVar[frozenset[str]] = frozenset({"is_read", "read_at", "updated_at"})

    def __init__(self, account: AccountConfig) -> None:
        self._authorization = account.authorization or Authorization()
        dataset = account.params.get("dataset_id")
        self._dataset_id = None if dataset is None else str(dataset)
        self._filter = () if self._dataset_id is None else (("dataset_id", self._dataset_id),)

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return the fixed token, or one minted for this request, or nothing (on premises)."""
        given = self._authorization
        if given.credentials is not None:
            return bearer(given.credentials.get_secret_value())
        if given.api_key is not None and given.api_secret is not None:
            return bearer(minted(given.api_key.get_secret_value(), given.api_secret.get_secret_value(), wall))
        return {}

    def list_page(self, cursor: str | None) -> Call:
        """Page by offset, as many as the vendor gives at once."""
        query = (("limit", str(_LIMIT)), ("offset", cursor or "0"), ("unread_only", "true"), *self._filter)
        return Call(method="GET", path=_ROOT, query=query)

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Go on behind the items that came, not behind those asked for: the vendor may give fewer."""
        items = items_in(answer, "notifications")
        end = int(cursor or 0) + len(items)
        total = whole_number(answer.get("total"))
        more = answer.get("has_more")
        if not isinstance(more, bool):
            more = end < total if total is not None else len(items) >= _LIMIT
        following = str(end) if more and items else None
        return Page(items=read_items(items, _notification), next_cursor=following, total=total, by_offset=True)

    def count(self) -> Call | None:
        """Ask ``unread-count``."""
        return Call(method="GET", path=f"{_ROOT}/unread-count", query=self._filter)

    def read_count(self, answer: Json) -> int | None:
        """Read ``{"unread_count": n}``, ``{"count": n}`` or a bare number."""
        if isinstance(answer, dict):
            answer = answer.get("unread_count", answer.get("count"))
        return whole_number(answer)

    def stream(self, last_event_id: str | None) -> Call | None:
        """Open the stream, which resumes nothing."""
        del last_event_id
        return Call(method="GET", path=f"{_ROOT}/stream")

    def read_event(self, event: ServerSentEvent) -> Notification | Discard | None:
        """Read a bare item; another dataset's is not this account's."""
        found = read_object(event, _notification)
        if self._dataset_id is None or isinstance(found, Discard):
            return found
        dataset = found.labels.get("dataset_id")
        if dataset is None:
            return Discard(reason="no_dataset_id")  # the list, which the vendor filters, knows
        return found if dataset == self._dataset_id else None

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Mark one: the vendor has no call for several, and its call for all is never made."""
        (upstream_id,) = upstream_ids
        return Call(method="POST", path=f"{_ROOT}/{quote(upstream_id, safe='')}/read")


def _notification(item: Mapping[str, Json]) -> Notification:
    upstream_id = id_text(item.get("id"))
    metadata = mapping(item.get("metadata"))
    is_alert = bool(metadata.get("is_alert"))
    message = text(item.get("message"))
    return Notification(
        upstream_id=upstream_id,
        type="alert" if is_alert else "notification",
        severity=Severity.WARNING if is_alert else Severity.INFO,
        title=text(item.get("title")).strip() or _made_title(metadata) or message.partition("\n")[0] or "Notification",
        message=message,
        created_at=moment(item.get("created_at")),
        labels=labels_of(
            dataset_id=item.get("dataset_id") or metadata.get("dataset_id"),
            dataset_name=metadata.get("dataset_name") or item.get("dataset_name"),
            view_name=metadata.get("view_name"),
            result_count=metadata.get("result_count"),
            entity_type=item.get("entity_type"),
            entity_id=item.get("entity_id"),
            batch_id=metadata.get("batch_id"),
        ),
        payload=item,
        markable=upstream_id not in {".", ".."},  # in a path these name another call
    )


def _made_title(metadata: Mapping[str, Json]) -> str:
    """Make the text that the vendor leaves out: ``Forklifts: 12 new results in Warehouse``."""
    view, count, dataset = (text(metadata.get(name)) for name in ("view_name", "result_count", "dataset_name"))
    what = f"{count} new results" if count else "new results" if view or dataset else ""
    where = f" in {dataset}" if dataset else ""
    return f"{view}: {what}{where}" if view else f"{what}{where}"

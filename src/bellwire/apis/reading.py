"""Reading what vendors send, leniently: whatever an item is, it becomes something, and harms no other."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from bellwire.errors import SourceError
from bellwire.model import Discard, Json, Notification, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bellwire.apis.sse import ServerSentEvent

_INT_DIGITS = 18  # more may not fit into 64 bits


def loads(body: bytes | str) -> Json:
    """Return what a JSON text says; ValueError if it is none.

    What is only nearly JSON (half a surrogate pair, NaN, broken UTF-8) is read too: one bad character in one item must
    not hide the whole page that it came with.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    try:
        return _clean(json.loads(text, parse_int=_number, parse_constant=lambda _: None))
    except RecursionError:
        message = "nested too deeply"
        raise ValueError(message) from None


def lenient(body: bytes) -> Json:
    """Return what an answer says that need not say anything; None if it is no JSON."""
    try:
        return loads(body)
    except ValueError:
        return None


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _INT_DIGITS else float(digits)


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    return value


class UnreadableItemError(ValueError):
    """An item has no id, or is nothing that could have one. The text is a constant word."""


def read_items(items: Sequence[Json], read: Callable[[Mapping[str, Json]], Notification]) -> tuple[Notification, ...]:
    """Read each item of a list; one that cannot be read becomes a notification of type ``unreadable``."""
    return tuple(_read_item(item, read) for item in items)


def _read_item(item: Json, read: Callable[[Mapping[str, Json]], Notification]) -> Notification:
    if not isinstance(item, dict):
        return unreadable(item, "not_an_object")
    try:
        return read(item)
    except UnreadableItemError as error:
        return unreadable(item, str(error))
    except Exception as error:  # noqa: BLE001  # whatever a vendor sends, its item must not be lost, nor its page
        return unreadable(item, type(error).__name__)


def unreadable(item: Json, why: str) -> Notification:
    """Return the notification that stands for an item that cannot be read; its id follows from its content."""
    digest = hashlib.sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    return Notification(
        upstream_id=f"unreadable-{digest}",
        type="unreadable",
        severity=Severity.WARNING,
        title=f"A notification that cannot be read ({why})",
        payload=item,
        markable=False,
    )


def read_object(event: ServerSentEvent, read: Callable[[Mapping[str, Json]], Notification]) -> Notification | Discard:
    """Read a stream event whose data is one item. What has no id is dropped: the list is the truth."""
    try:
        item = loads(event.data)
    except ValueError:
        return Discard(reason="broken_json", detail=f"{len(event.data)} characters")
    if not isinstance(item, dict):
        return Discard(reason="not_an_object", detail=type(item).__name__)
    try:
        return read(item)
    except UnreadableItemError as error:
        return Discard(reason=str(error))


def items_in(answer: Json, key: str) -> list[Json]:
    """Return the list under ``key``; SourceError if the answer has none, so that no answer is taken for an empty inbox."""
    items = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        message = f"the answer has no list of {key}"
        raise SourceError(message, reason="bad_answer")
    return items


def id_text(value: Json) -> str:
    """Return an id as text; UnreadableItemError if it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        word = "no_id"
        raise UnreadableItemError(word)
    return str(value)


def text(value: Json) -> str:
    """Return text, numbers and booleans as text, and everything else as the empty text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def mapping(value: Json) -> Mapping[str, Json]:
    """Return an object as it is, and everything else as an empty one."""
    return value if isinstance(value, dict) else {}


def labels_of(**values: Json) -> dict[str, str]:
    """Return those of the values that are text, numbers or booleans, as labels; what is empty is no label."""
    return {name: label for name, value in values.items() if (label := text(value))}


def moment(value: Json) -> datetime | None:
    """Return an ISO 8601 time in UTC; without a zone it is UTC already; None if it is no time."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def whole_number(value: Json) -> int | None:
    """Return a count, None if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

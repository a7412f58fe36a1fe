"""Column types that say what a value means, alike in every database."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import orjson
from sqlalchemy import BigInteger, Row, String, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

E = TypeVar("E", bound=enum.StrEnum)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of whichever columns were asked for, by name."""


class Instant(TypeDecorator[datetime]):
    """A time in UTC, kept as whole microseconds since 1970: sorts, compares and adds the same everywhere."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what makes a time into microseconds."""
        return _microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - as above
        """Return what makes microseconds into a time."""
        return _moment


class EnumText(TypeDecorator[E]):
    """A member of an enumeration, kept as its value."""

    impl = String(16)
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        self.members = members
        # An exact text is what drivers bind without asking.
        self._texts: dict[E | None, str | None] = {None: None} | {member: str(member.value) for member in members}
        self._members: dict[str | None, E | None] = {text: member for member, text in self._texts.items()}
        super().__init__()

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what gives a member's value."""
        return self._texts.__getitem__

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - as above
        """Return what gives a value's member."""
        return self._members.__getitem__


def _microseconds(value: datetime | None) -> int | None:
    if value is None:
        return None
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds  # half the price of a division


def _moment(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


class JsonText(TypeDecorator[Any]):
    """A small JSON value that people may read with any database tool."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what makes a value into JSON."""
        return _json_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - as above
        """Return what reads JSON."""
        return _json_value


def _json_text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _json_value(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)

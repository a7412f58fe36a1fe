"""Column types that say what a value means, alike in every database."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import orjson
from sqlalchemy import BigInteger, Row, String, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

E = TypeVar("E", bound=enum.StrEnum)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of whichever columns were asked for, by name."""


class Instant(TypeDecorator[datetime]):
    """A time in UTC, kept as whole microseconds since 1970: sorts, compares and adds the same everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class EnumText(TypeDecorator[E]):
    """A member of an enumeration, kept as its value."""

    impl = String(16)
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        self.members = members
        super().__init__()

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the value as an exact text, which drivers bind without asking."""
        return None if value is None else str(value.value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the member."""
        return None if value is None else self.members(value)


class JsonText(TypeDecorator[Any]):
    """A small JSON value that people may read with any database tool."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the JSON text."""
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what the text says."""
        return None if value is None else orjson.loads(value)

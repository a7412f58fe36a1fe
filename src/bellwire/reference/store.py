"""The items of every inbox, in SQLite: no vendor's protocol, only inboxes, items and read marks.

The calls are made on the event loop, which they hold for microseconds: one connection, prepared statements, no wait for
the disk. A killed process loses nothing that was committed; a machine that loses its power may lose the last moments,
which is right for a server that stands in for a vendor and wrong for anything else.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from bellwire.reference.settings import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    seq INTEGER PRIMARY KEY,
    api TEXT NOT NULL,
    user TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at INTEGER NOT NULL,  -- microseconds since the epoch, as read_at
    facets TEXT NOT NULL,
    body BLOB NOT NULL,
    read_at INTEGER,
    marks INTEGER NOT NULL DEFAULT 0,
    UNIQUE (api, user, id)
) STRICT;
CREATE INDEX IF NOT EXISTS items_listed ON items (api, user, created_at, seq);
CREATE INDEX IF NOT EXISTS items_unread ON items (api, user, created_at, seq) WHERE read_at IS NULL;
CREATE INDEX IF NOT EXISTS items_followed ON items (api, user, seq);
"""
_COLUMNS = "seq, id, created_at, body, read_at, marks"
_INSERT = "INSERT INTO items (seq, api, user, id, created_at, facets, body, read_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SINCE = f"""
SELECT {_COLUMNS} FROM items INDEXED BY items_followed WHERE api = ? AND user = ? AND seq > ? ORDER BY seq LIMIT ?
"""  # noqa: S608 - put together from the constants of this module alone
_MARK = f"""
UPDATE items SET read_at = coalesce(read_at, ?), marks = marks + 1 WHERE api = ? AND user = ? AND id = ?
RETURNING {_COLUMNS}
"""  # noqa: S608 - as above
_MARK_ANEW = _MARK.replace("coalesce(read_at, ?)", "?")
_UNMARK = f"""
UPDATE items SET read_at = NULL WHERE api = ? AND user = ? AND id = ? RETURNING {_COLUMNS}
"""  # noqa: S608 - as above

_GET = f"SELECT {_COLUMNS} FROM items WHERE api = ? AND user = ? AND id = ?"  # noqa: S608 - as above
_AMEND = "UPDATE items SET body = ?, facets = coalesce(?, facets) WHERE api = ? AND user = ? AND id = ?"
_DELETE = "DELETE FROM items WHERE api = ? AND user = ? AND id = ?"


class DuplicateItemError(Exception):
    """An item with this id is in the inbox already; none of those that came with it were added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbox:
    """One user's items at one vendor: no call sees those of another."""

    api: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewItem:
    """An item to be added: ``body`` is the vendor's JSON object without its read state, made once.

    ``facets`` are the values by which the vendor's list can be filtered; a facet may have several.
    """

    id: str
    created_at: datetime
    body: bytes
    facets: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    read_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredItem:
    """An item as it stands. ``seq`` grows with every item of the store; ``marks`` counts how often it was marked."""

    seq: int
    id: str
    created_at: datetime
    body: bytes
    read_at: datetime | None
    marks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which items of an inbox are meant; a facet that an item lacks matches no value.

    Of ``facets`` an item has these values, of ``any_of`` at least one of each.
    """

    unread_only: bool = False
    read_only: bool = False
    facets: Mapping[str, str] = field(default_factory=dict)
    any_of: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Delay(Protocol):
    """Keeps young items from lists and counts, while streams have them at once."""

    def arrived(self, inbox: Inbox, before: int) -> None:
        """Take note of items that were added after position ``before``."""
        ...

    def listed_up_to(self, inbox: Inbox) -> int | None:
        """Return the highest position that lists show, None for all."""
        ...


class Store:
    """The items of all inboxes; ``path`` None keeps them in memory. Raises SetupError if the file cannot be used."""

    def __init__(self, path: str | None = None, delay: Delay | None = None) -> None:
        self._delay = delay
        try:
            self._db = _connect(path)
        except sqlite3.Error as exc:
            message = f"the store {path} cannot be used: {exc}"
            raise SetupError(message) from exc
        self._position: int = self._db.execute("SELECT coalesce(max(seq), 0) FROM items").fetchone()[0]
        self._watchers: dict[Inbox, set[asyncio.Event]] = {}

    @property
    def position(self) -> int:
        """The sequence number of the newest item of all; each later one has a higher one."""
        return self._position

    def close(self) -> None:
        """Close the file. The store cannot be used after it."""
        self._db.close()

    def insert(self, inbox: Inbox, items: Sequence[NewItem]) -> None:
        """Add items, all or none, in this order, and wake who watches the inbox; DuplicateItemError if an id is taken."""
        rows = [
            (
                seq,
                inbox.api,
                inbox.user,
                item.id,
                micros(item.created_at),
                orjson.dumps(item.facets).decode(),
                item.body,
                micros(item.read_at) if item.read_at else None,
            )
            for seq, item in enumerate(items, self._position + 1)
        ]
        try:
            with self._transaction():
                self._db.executemany(_INSERT, rows)
        except sqlite3.IntegrityError as exc:
            message = "an item with this id is in the inbox already"
            raise DuplicateItemError(message) from exc
        if self._delay is not None:
            self._delay.arrived(inbox, self._position)
        self._position += len(rows)
        for watcher in self._watchers.get(inbox, ()):
            watcher.set()

    def get(self, inbox: Inbox, item_id: str) -> StoredItem | None:
        """Return one item, or None if the inbox has none of this id."""
        rows = self._db.execute(_GET, (inbox.api, inbox.user, item_id)).fetchall()
        return _items(rows)[0] if rows else None

    def has(self, inbox: Inbox, selection: Selection, item_id: str) -> bool:
        """Return whether the selection has this item."""
        where, values = self._where(inbox, selection)
        query = f"SELECT 1 FROM items WHERE {where} AND id = ?"  # noqa: S608 - fixed fragments; values are bound
        return self._db.execute(query, (*values, item_id)).fetchone() is not None

    def amend(self, inbox: Inbox, item_id: str, body: bytes, facets: Mapping[str, str] | None = None) -> None:
        """Give an item another body, and other facets if there are any; its place and its read state stay."""
        others = None if facets is None else orjson.dumps(facets).decode()
        self._db.execute(_AMEND, (body, others, inbox.api, inbox.user, item_id))

    def delete(self, inbox: Inbox, item_id: str) -> bool:
        """Remove an item for good; return whether there was one."""
        return self._db.execute(_DELETE, (inbox.api, inbox.user, item_id)).rowcount > 0

    def page(
        self, inbox: Inbox, selection: Selection, limit: int, offset: int, *, oldest_first: bool = False
    ) -> list[StoredItem]:
        """Return items of the selection, newest first unless the other way is wanted; a negative ``limit`` is none."""
        where, values = self._where(inbox, selection)
        way = "ASC" if oldest_first else "DESC"
        query = f"SELECT {_COLUMNS} FROM items WHERE {where} ORDER BY created_at {way}, seq {way} LIMIT ? OFFSET ?"  # noqa: S608 - fixed fragments; values are bound
        return _items(self._db.execute(query, (*values, limit, offset)))

    def below(
        self, inbox: Inbox, selection: Selection, limit: int, border: tuple[datetime, str] | None = None
    ) -> list[StoredItem]:
        """Return items of the selection by (time of creation, id), the highest first: those below ``border``, if given."""
        where, values = self._where(inbox, selection)
        under = "" if border is None else "AND (created_at, id) < (?, ?)"
        pair = () if border is None else (micros(border[0]), border[1])
        query = f"SELECT {_COLUMNS} FROM items WHERE {where} {under} ORDER BY created_at DESC, id DESC LIMIT ?"  # noqa: S608 - as above
        return _items(self._db.execute(query, (*values, *pair, limit)))

    def beyond(
        self,
        inbox: Inbox,
        selection: Selection,
        limit: int,
        place: tuple[int, int] | None = None,
        *,
        oldest_first: bool = False,
    ) -> list[StoredItem]:
        """Return items of the selection that stand behind a place, which is an item's `micros` and ``seq``."""
        where, values = self._where(inbox, selection)
        order, sign = ("ASC", ">") if oldest_first else ("DESC", "<")
        behind = "" if place is None else f"AND (created_at, seq) {sign} (?, ?)"
        query = f"SELECT {_COLUMNS} FROM items WHERE {where} {behind} ORDER BY created_at {order}, seq {order} LIMIT ?"  # noqa: S608 - fixed fragments; values are bound
        return _items(self._db.execute(query, (*values, *(place or ()), limit)))

    def count(self, inbox: Inbox, selection: Selection) -> int:
        """Return how many items the selection has."""
        where, values = self._where(inbox, selection)
        count: int = self._db.execute(f"SELECT count(*) FROM items WHERE {where}", values).fetchone()[0]  # noqa: S608 - as above
        return count

    def since(self, inbox: Inbox, position: int, limit: int = -1) -> list[StoredItem]:
        """Return items after a sequence number, oldest first, at most ``limit`` unless it is negative."""
        return _items(self._db.execute(_SINCE, (inbox.api, inbox.user, position, limit)))

    def mark(self, inbox: Inbox, item_id: str, now: datetime, *, anew: bool = False) -> StoredItem | None:
        """Mark one item as read and return it, or None if the inbox has none of this id.

        The time of the first mark stays, unless it is made ``anew``.
        """
        query = _MARK_ANEW if anew else _MARK
        rows = self._db.execute(query, (micros(now), inbox.api, inbox.user, item_id)).fetchall()
        return _items(rows)[0] if rows else None

    def unmark(self, inbox: Inbox, item_id: str) -> StoredItem | None:
        """Make one item unread again and return it, or None if the inbox has none of this id."""
        rows = self._db.execute(_UNMARK, (inbox.api, inbox.user, item_id)).fetchall()
        return _items(rows)[0] if rows else None

    def mark_all(self, inbox: Inbox, selection: Selection, now: datetime) -> int:
        """Mark every unread item of the selection as read and return how many there were."""
        where, values = self._where(inbox, replace(selection, unread_only=True))
        query = f"UPDATE items SET read_at = ?, marks = marks + 1 WHERE {where}"  # noqa: S608 - as above
        return self._db.execute(query, (micros(now), *values)).rowcount

    @contextmanager
    def watch(self, *inboxes: Inbox) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever items were added to the inboxes; the caller clears it before it looks."""
        event = asyncio.Event()
        for inbox in inboxes:
            self._watchers.setdefault(inbox, set()).add(event)
        try:
            yield event
        finally:
            for inbox in inboxes:
                watchers = self._watchers[inbox]
                watchers.remove(event)
                if not watchers:
                    del self._watchers[inbox]

    def _where(self, inbox: Inbox, selection: Selection) -> tuple[str, list[str | int]]:
        where, values = _where(inbox, selection)
        shown = self._delay.listed_up_to(inbox) if self._delay is not None else None
        return (where, [*values]) if shown is None else (f"{where} AND seq <= ?", [*values, shown])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _connect(path: str | None) -> sqlite3.Connection:
    # Tests may build a server in one thread and run its loop in another; the calls still never overlap.
    db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # sequence numbers are given out here: one process a file
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        db.execute("BEGIN EXCLUSIVE")  # takes the lock now, not with the first item
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _where(inbox: Inbox, selection: Selection) -> tuple[str, list[str]]:
    clauses = ["api = ?", "user = ?"]
    values = [inbox.api, inbox.user]
    if selection.unread_only:
        clauses.append("read_at IS NULL")
    if selection.read_only:
        clauses.append("read_at IS NOT NULL")
    for name, value in selection.facets.items():
        clauses.append("json_extract(facets, ?) = ?")
        values += [f'$."{name}"', value]
    for name, several in selection.any_of.items():
        marks = ", ".join("?" * len(several))
        clauses.append(f"EXISTS (SELECT 1 FROM json_each(facets, ?) AS own WHERE own.value IN ({marks}))")  # noqa: S608 - as above
        values += [f'$."{name}"', *several]
    return " AND ".join(clauses), values


def _items(rows: Iterable[tuple[Any, ...]]) -> list[StoredItem]:
    return [
        StoredItem(
            seq=seq,
            id=item_id,
            created_at=_moment(created_at),
            body=body,
            read_at=None if read_at is None else _moment(read_at),
            marks=marks,
        )
        for seq, item_id, created_at, body, read_at, marks in rows
    ]


def micros(moment: datetime) -> int:
    """Return a time as the store keeps it: microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)

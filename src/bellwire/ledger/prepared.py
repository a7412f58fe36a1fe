"""Statements that run for each alert: written with SQLAlchemy, made into SQL once, and run by the driver itself.

SQLAlchemy's own way of running a statement costs more than the database does. Values and rows go through the same types
as there. A statement may look for any number of ``keys`` (``column.in_(KEYS)``); what is written for many rows is one
statement for many rows, which also lets the driver give up the interpreter once instead of once a row.
"""

from __future__ import annotations

from collections import namedtuple
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Boolean, LargeBinary, Select, bindparam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Delete, Dialect, Table, Update
    from sqlalchemy.types import TypeEngine

    Process = Callable[[Any], Any]

KEYS: Any = bindparam("keys", expanding=True)
"""Stands in a statement for the ids that it is run with."""

_MOST_KEYS = 512
_MOST_ROWS = 64
_NOTHING: Mapping[str, Any] = {}


class Prepared:
    """A select, update or delete, the latter two perhaps with what they return."""

    def __init__(self, statement: Select[Any] | Update | Delete) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}  # by the kind of database

    def all(
        self, connection: Connection, values: Mapping[str, Any] = _NOTHING, *, keys: Sequence[str] | None = None
    ) -> list[Any]:
        """Return the rows, with a name for each column; with ``keys``, in the statement's order for some at a time."""
        form = self._form(connection)
        cursor = connection.connection.cursor()
        rows: list[Any] = []
        for text, parameters in form.written(values, keys):
            cursor.execute(text, parameters)
            rows += form.read(cursor.fetchall())
        return rows

    def first(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Any:
        """Return the first row, None if there is none."""
        return next(iter(self.all(connection, values)), None)

    def run(
        self, connection: Connection, values: Mapping[str, Any] = _NOTHING, *, keys: Sequence[str] | None = None
    ) -> None:
        """Change what the statement says."""
        cursor = connection.connection.cursor()
        for text, parameters in self._form(connection).written(values, keys):
            cursor.execute(text, parameters)

    def _form(self, connection: Connection) -> _Form:
        dialect = connection.dialect
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = _Form(self._statement, dialect)
        return form


class _Slot(NamedTuple):
    """A place for a value: the caller's under ``name``, or one that stands in the statement."""

    name: str | None
    process: Process | None
    value: Any = None


class _Form:
    """A statement as one kind of database takes it."""

    def __init__(self, statement: Select[Any] | Update | Delete, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._mark = _mark(dialect)
        self._text = compiled.string
        self._texts: dict[int, str] = {}  # by the number of keys
        self._slots: list[_Slot] = []
        for name in getattr(compiled, "positiontup", None) or ():
            bind = compiled.binds[name]
            process = _bind(bind.type, dialect)
            if name == KEYS.key:
                self._slots.append(_Slot(name, None))
            elif bind.expanding:  # a list that stands in the statement
                stands: Sequence[Any] = bind.value or ()
                self._text = self._text.replace(_place(name), ", ".join([self._mark] * len(stands)))
                self._slots += [_Slot(None, None, process(each) if process else each) for each in stands]
            elif bind.required:
                self._slots.append(_Slot(name, process))
            else:
                self._slots.append(_Slot(None, None, process(bind.value) if process else bind.value))
        columns = _columns(statement)
        named = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are known only here
        self._row = partial(tuple.__new__, named)
        reading = ((at, _result(type_, dialect)) for at, (_, type_) in enumerate(columns))
        self._reading = [(at, process) for at, process in reading if process is not None]

    def written(self, values: Mapping[str, Any], keys: Sequence[str] | None) -> Iterator[tuple[str, list[Any]]]:
        """Yield text and parameters, for some of the keys at a time."""
        if keys is None:
            yield self._text, self._parameters(values, ())
            return
        for start in range(0, len(keys), _MOST_KEYS):
            some = keys[start : start + _MOST_KEYS]
            size = 1 << (len(some) - 1).bit_length()  # few sizes, so that the database knows the text
            yield self._text_for(size), self._parameters(values, [*some, *[some[-1]] * (size - len(some))])

    def read(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return rows with names, their values as the types have them."""
        if rows and self._reading:
            columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
            for at, process in self._reading:
                columns[at] = _each(process, columns[at])
            rows = zip(*columns, strict=True)  # type: ignore[assignment]  # it is gone through once
        return list(map(self._row, rows))

    def _text_for(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            text = self._texts[size] = self._text.replace(_place(KEYS.key), ", ".join([self._mark] * size))
        return text

    def _parameters(self, values: Mapping[str, Any], keys: Sequence[str]) -> list[Any]:
        parameters: list[Any] = []
        for name, process, value in self._slots:
            if name is None:
                parameters.append(value)
            elif name == KEYS.key:
                parameters += keys
            else:
                parameters.append(process(values[name]) if process else values[name])
        return parameters


class Insertion:
    """Adds rows to a table; ``otherwise`` is what the database does where one is there already."""

    def __init__(self, table: Table, otherwise: str = "") -> None:
        self._table = table
        self._otherwise = otherwise
        self._forms: dict[tuple[str, tuple[str, ...]], _Rows] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add the rows, all of which give the same columns; return how many were added."""
        if not rows:
            return 0
        columns = tuple(rows[0])
        form = self._forms.get((connection.dialect.name, columns))
        if form is None:
            form = self._forms[connection.dialect.name, columns] = _Rows(
                self._table, columns, connection.dialect, self._otherwise
            )
        cursor = connection.connection.cursor()
        added = 0
        for text, parameters in form.written(rows):
            cursor.execute(text, parameters)
            added += cursor.rowcount
        return added


class _Rows:
    """How rows of the same columns are added."""

    def __init__(self, table: Table, columns: tuple[str, ...], dialect: Dialect, otherwise: str) -> None:
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in columns)
        self._start = f"INSERT INTO {quote(table.name)} ({names}) VALUES "  # noqa: S608 - names of ours
        self._row = f"({', '.join([_mark(dialect)] * len(columns))})"
        self._end = f" {otherwise}" if otherwise else ""
        self._cells = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
        binding = ((at, _bind(table.c[name].type, dialect)) for at, name in enumerate(columns))
        self._binding = [(at, process) for at, process in binding if process is not None]
        self._texts: dict[int, str] = {}

    def written(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
        """Yield text and parameters, in few sizes."""
        columns: list[Sequence[Any]] = list(zip(*map(self._cells, rows), strict=True))
        for at, process in self._binding:
            columns[at] = _each(process, columns[at])
        cells = zip(*columns, strict=True)
        left, size = len(rows), _MOST_ROWS
        while left:
            while size > left:
                size //= 2
            yield self._text(size), list(chain.from_iterable(islice(cells, size)))
            left -= size

    def _text(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            text = self._texts[size] = f"{self._start}{', '.join([self._row] * size)}{self._end}"
        return text


def _columns(statement: Select[Any] | Update | Delete) -> list[tuple[str, TypeEngine[Any]]]:
    """Return the name and the type of each column of a statement's rows."""
    if isinstance(statement, Select):
        return [(str(column.key), column.type) for column in statement.selected_columns]
    return [(each["name"], each["type"]) for each in statement.returning_column_descriptions]


def _mark(dialect: Dialect) -> str:
    return "?" if dialect.paramstyle == "qmark" else "%s"


def _place(name: str) -> str:
    return f"__[POSTCOMPILE_{name}]"  # as SQLAlchemy leaves room for a list


def _each(process: Process, values: Sequence[Any]) -> Sequence[Any]:
    """Process a column. Often all of its rows hold the same: then it is done once. In containers 1 equals true."""
    if not isinstance(values[0], dict | list) and values.count(values[0]) == len(values):
        return [process(values[0])] * len(values)
    return list(map(process, values))


def _bind(type_: TypeEngine[Any], dialect: Dialect) -> Process | None:
    if isinstance(type_, LargeBinary):
        return None  # drivers take bytes as they are
    if isinstance(type_, Boolean):
        return None if dialect.supports_native_boolean else int
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _result(type_: TypeEngine[Any], dialect: Dialect) -> Process | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)

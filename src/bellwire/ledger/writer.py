"""The one writer: a thread that commits together what waits together.

Whoever wants something written hands in an *operation* and one argument. While a commit runs, others queue; the next
transaction takes all of them, and an operation is called once with all of its arguments. Nothing waits on a timer, but
where there is much to write: then a commit lets a few milliseconds' worth of work come in first.

If the database cannot write (disk full, file locked), nothing fails: the queue waits, outcomes are written first once it
can, and `trouble` says what is wrong meanwhile. Only `close` gives up what it could not write in time. An operation that
fails by itself fails alone, as `LedgerError`.
"""

from __future__ import annotations

import asyncio
import collections
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import exc

from bellwire.errors import LedgerClosedError, LedgerError
from bellwire.ledger.transaction import Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from bellwire.ledger.transaction import Context

I = TypeVar("I")  # noqa: E741 - what goes in
R = TypeVar("R")

Operation = Callable[[Transaction, Sequence[I]], Sequence[R]]
"""Writes for all of the arguments and returns a result for each, in order. It runs in the writer's thread."""

_BATCH = 1000  # operations in one transaction: bounds its memory and how long the first one waits for the last
_LONG = 0.004  # seconds: a commit that takes longer is one of many in a row
_TO_GATHER = 0.004  # seconds for more to come in after such a one: what is written together costs a fraction
_RETRY_PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0)  # seconds

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    operation: Operation[Any, Any]
    argument: Any
    first: bool
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing can be written, and since when."""

    since: datetime
    error: str


@dataclass(slots=True)
class _Done:
    """What to tell the event loop after a commit."""

    results: list[tuple[_Job, Any]] = field(default_factory=list)
    failures: list[tuple[_Job, Exception]] = field(default_factory=list)


class Writer:
    """Runs operations in group commits. Made inside a running event loop, to which the results go."""

    def __init__(self, engine: Engine, context: Context, committed: Callable[[Transaction], None]) -> None:
        self._engine = engine
        self._connection: Connection | None = None  # the thread's
        self._context = context
        self._committed = committed  # called in the event loop after each commit, before the results are given
        self._loop = asyncio.get_running_loop()
        self._handed_in: list[_Job] = []  # in the loop's present turn
        self._queue: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._backlog: collections.deque[_Job] = collections.deque()
        self._stopping = threading.Event()
        self._closed = False
        self.trouble: Trouble | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation[I, R], argument: I, *, first: bool = False) -> R:
        """Have ``operation`` write ``argument``; return its result once that is durable.

        ``first`` is for outcomes: after trouble they are written before everything else. A caller that is cancelled
        takes nothing back.
        """
        if self._closed:
            msg = "the ledger is closed"
            raise LedgerClosedError(msg)
        future: asyncio.Future[R] = self._loop.create_future()
        if not self._handed_in:
            self._loop.call_soon(self._hand_over)
        self._handed_in.append(_Job(operation, argument, first, future))
        return await future

    def _hand_over(self) -> None:
        """Let the thread have what came in one turn of the loop at once: the first alone would be a commit of its own."""
        if self._handed_in:
            self._queue.put(self._handed_in)
            self._handed_in = []

    async def close(self, patience: float) -> bool:
        """Write what waits, for at most ``patience`` seconds; return whether all of it was written."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, patience)
        if self._thread.is_alive():
            self._stopping.set()
            await asyncio.to_thread(self._thread.join, 1.0)
            return False
        return True

    # Everything below runs in the thread, but for `_deliver`.

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if self._connection is not None:
                self._connection.close()

    def _work(self) -> None:
        open_ = True
        pauses = iter(_RETRY_PAUSES)
        while open_ or self._backlog:
            open_ = self._gather() and open_
            began = time.monotonic()
            left = self._write(self._next_batch())
            if not left:
                pauses = iter(_RETRY_PAUSES)
                if open_ and time.monotonic() - began > _LONG:
                    self._stopping.wait(_TO_GATHER)
                continue
            self._backlog.extendleft(reversed(left))
            if self._stopping.wait(next(pauses, _RETRY_PAUSES[-1])):
                self._give_up()
                return

    def _gather(self) -> bool:
        """Move what is queued to the backlog, waiting for something if there is nothing; False at the end of the queue."""
        wait = not self._backlog
        while True:
            try:
                jobs = self._queue.get(block=wait)
            except queue.Empty:
                return True
            if jobs is None:
                return False
            self._backlog += jobs
            wait = False

    def _next_batch(self) -> list[_Job]:
        if self.trouble is not None and (outcomes := [job for job in self._backlog if job.first]):
            # By themselves: what is small may fit where all of it does not.
            self._backlog = collections.deque(job for job in self._backlog if not job.first)
            return outcomes
        return [self._backlog.popleft() for _ in range(min(_BATCH, len(self._backlog)))]

    def _write(self, jobs: list[_Job]) -> list[_Job]:
        """Commit the jobs; return those that the database could not write now."""
        if not jobs:
            return []
        done = _Done()
        try:
            transaction = self._transact(jobs, done)
        except Exception as error:  # noqa: BLE001 - each job's caller gets it
            self._context.forget()
            if isinstance(error, exc.DBAPIError | sqlite3.Error) and _cannot_write(error):
                self._note_trouble(error)
                return jobs
            if len(jobs) > 1:
                # One of them is at fault: alone, the others do not suffer for it.
                return [left for job in jobs for left in self._write([job])]
            failure = LedgerError(f"{jobs[0].operation.__name__} failed: {type(error).__name__}")
            failure.__cause__ = error
            self._loop.call_soon_threadsafe(self._deliver, None, _Done(failures=[(jobs[0], failure)]))
            return []
        self._note_recovery()
        self._loop.call_soon_threadsafe(self._deliver, transaction, done)
        return []

    def _transact(self, jobs: list[_Job], done: _Done) -> Transaction:
        by_operation: dict[Operation[Any, Any], list[_Job]] = {}
        for job in jobs:
            by_operation.setdefault(job.operation, []).append(job)
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            transaction = Transaction(self._connection, self._context)
            for operation, same in by_operation.items():
                results = operation(transaction, [job.argument for job in same])
                done.results.extend(zip(same, results, strict=True))
            transaction.finish()
        return transaction

    def _note_trouble(self, error: exc.DBAPIError | sqlite3.Error) -> None:
        if self.trouble is None:
            said = str(_driver_error(error))
            log.error("ledger_cannot_write", error=said)
            self.trouble = Trouble(self._context.clock.wall(), said)

    def _note_recovery(self) -> None:
        if self.trouble is not None:
            log.info("ledger_writes_again", since=self.trouble.since.isoformat())
            self.trouble = None

    def _give_up(self) -> None:
        """Tell everyone who waits that nothing was written for them."""
        log.error("ledger_closed_unwritten", operations=len(self._backlog))
        error = LedgerClosedError("the ledger was closed before it could write")
        self._loop.call_soon_threadsafe(self._deliver, None, _Done(failures=[(job, error) for job in self._backlog]))

    def _deliver(self, transaction: Transaction | None, done: _Done) -> None:
        """In the event loop: say what was committed, then give the results."""
        if transaction is not None:
            self._committed(transaction)
        for job, result in done.results:
            if not job.future.done():
                job.future.set_result(result)
        for job, error in done.failures:
            if job.future.done():
                log.error("ledger_operation_failed", operation=job.operation.__name__, error=repr(error))
            else:
                job.future.set_exception(error)


_DATABASE_IN_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}


def _driver_error(error: exc.DBAPIError | sqlite3.Error) -> BaseException | None:
    """Return the driver's own error: prepared statements raise it as it is."""
    return error.orig if isinstance(error, exc.DBAPIError) else error


def _cannot_write(error: exc.DBAPIError | sqlite3.Error) -> bool:
    """Return whether the database is in trouble, rather than the operation at fault."""
    code = getattr(_driver_error(error), "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, exc.OperationalError)
    return code & 0xFF in _DATABASE_IN_TROUBLE  # the rest of the code says which kind of it

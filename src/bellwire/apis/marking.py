"""Marks notifications as read: in bulk where the API can, one by one where that did not confirm them all."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from bellwire.apis.reading import lenient
from bellwire.errors import RateLimitedError, RejectedError, SourceError, UnauthorizedError
from bellwire.model import MarkOutcome, MarkResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bellwire.apis.dialect import Call, Dialect
    from bellwire.model import Page

_AT_ONCE = 8
GONE = frozenset({404, 410})
"""The statuses by which a vendor says that it has no such notification."""

_PAGES_TO_SEARCH = 100


class Marking:
    """One call of `bellwire.ports.Inbox.mark_read`, over what makes a call and what fetches a page."""

    def __init__(
        self,
        dialect: Dialect,
        ask: Callable[[Call], Awaitable[bytes]],
        page: Callable[[str | None], Awaitable[Page]],
    ) -> None:
        self._dialect = dialect
        self._ask = ask
        self._page = page
        self._halted: SourceError | None = None  # the account as a whole is refused: no more calls
        self._results: dict[str, MarkResult] = {}
        self._gone: set[str] = set()

    async def run(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        """Mark these; return one result for each, in their order."""
        size = self._dialect.marks_per_call
        unique = list(dict.fromkeys(upstream_ids))
        calls = deque(unique[start : start + size] for start in range(0, len(unique), size))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(calls))):
                group.create_task(self._make(calls))
        await self._look_for_gone()
        return [self._results[upstream_id] for upstream_id in upstream_ids]

    async def _make(self, calls: deque[list[str]]) -> None:
        """Make one call after the other, until none is left; what a call did not confirm as a whole is more of them."""
        while calls:
            ids = calls.popleft()
            if self._halted is not None:
                self._settle(ids, MarkOutcome.RETRY, str(self._halted))
            elif await self._try(ids):
                calls.extend([upstream_id] for upstream_id in ids)

    async def _try(self, ids: Sequence[str]) -> bool:
        """Make one call and settle its ids; return True if instead each is to be marked alone."""
        call = self._dialect.mark(ids)
        try:
            answer = lenient(await self._ask(call))
        except (UnauthorizedError, RateLimitedError) as error:
            self._halted = error
            self._settle(ids, MarkOutcome.RETRY, str(error))
        except RejectedError as error:
            if len(ids) > 1:
                return True
            self._rejected(ids, error)
        except SourceError as error:
            self._settle(ids, MarkOutcome.RETRY, str(error))
        else:
            if len(ids) > 1 and not self._dialect.all_marked(ids, answer):
                return True
            self._settle(ids, MarkOutcome.CONFIRMED)
        return False

    def _rejected(self, ids: Sequence[str], error: RejectedError) -> None:
        if error.status in self._dialect.ALREADY_MARKED:
            self._settle(ids, MarkOutcome.CONFIRMED, "it had been marked before")
        elif error.status in GONE:
            self._gone.update(ids)
        else:
            self._settle(ids, MarkOutcome.FAILED, str(error))

    async def _look_for_gone(self) -> None:
        """Confirm what the vendor does not know any more, but only if it does not list it as unread either."""
        if not self._gone:
            return
        if self._halted is not None:
            self._settle(self._gone, MarkOutcome.RETRY, str(self._halted))
            return
        try:
            listed = await self._listed(self._gone)
        except SourceError as error:
            self._settle(self._gone, MarkOutcome.RETRY, str(error))
            return
        self._settle(self._gone - listed, MarkOutcome.CONFIRMED, "the vendor has it no more")
        self._settle(listed, MarkOutcome.FAILED, "the vendor says that there is no such thing, yet lists it as unread")

    async def _listed(self, wanted: set[str]) -> set[str]:
        found: set[str] = set()
        cursor: str | None = None
        for _ in range(_PAGES_TO_SEARCH):
            page = await self._page(cursor)
            found |= wanted.intersection(item.upstream_id for item in page.items)
            cursor = page.next_cursor
            if cursor is None or found == wanted:
                return found
        message = "the list is too long to look for what was marked"
        raise SourceError(message, reason="list_too_long")

    def _settle(self, ids: Sequence[str] | set[str], outcome: MarkOutcome, detail: str = "") -> None:
        for upstream_id in ids:
            self._results[upstream_id] = MarkResult(upstream_id=upstream_id, outcome=outcome, detail=detail)

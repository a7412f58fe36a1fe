"""The ledger against a vendor's own list: every notification that is unread there must be known here.

What was created after the account's source was last known to have missed nothing may still be on its way: it is counted
apart. Everything else that is unread there and unknown here has been missed.

Someone waits for the answer: an account that cannot be asked now is named at once, and no other is asked for long.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from bellwire.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from bellwire.model import Notification, Page

_MOST_PAGES = 10_000
_MOST_SECONDS = 10.0
_EXAMPLES = 20
_SKEW = timedelta(minutes=1)  # a vendor's clock may go so much behind ours
_MOST_UNKNOWN = 10_000  # bounds the memory: a ledger that lacks more is another one


class Listed(Protocol):
    """An account's list at its vendor."""

    @property
    def hindrance(self) -> str | None:
        """Why calls wait now; None if they do not."""
        ...

    async def page(self, cursor: str | None = None) -> Page:
        """Fetch a page of unread notifications."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """What the ledger says of one account: which ids it knows, and until when the account's source missed nothing."""

    known: Callable[[Sequence[str]], Awaitable[set[str]]]
    whole_until: Callable[[], Awaitable[datetime | None]]


@dataclass(slots=True)
class _Findings:
    unread: int = 0
    unknown: dict[str, Notification] = field(default_factory=dict)
    complete: bool = True


def not_asked(account: str, why: str) -> dict[str, Any]:
    """Return what `cross_check` returns, of an account that is not asked."""
    return _told(account, _Findings(), 0, (), f"it was not asked: {why}")


async def cross_check(account: str, inbox: Listed, records: Records) -> dict[str, Any]:
    """Read the account's whole list and hold it against the ledger.

    Returns ``account``, ``unread`` (listed), ``coming`` (unknown, but new), ``missing`` (unknown, and not new), ``examples``
    (the vendor's ids of some that are missing) and ``error`` (why the list could not be read, or not to its end; then
    nothing is said of the rest).
    """
    if why := inbox.hindrance:
        return not_asked(account, why)
    findings = _Findings()
    error = None
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            await _read(inbox, records, findings)
    except SourceError as failure:
        error = str(failure)
    except TimeoutError:
        error = f"the list could not be read within {_MOST_SECONDS:.0f} s"
    if error is None and not findings.complete:
        error = "the list has no end: only its beginning was checked"
    until = await records.whole_until()
    late = await records.known(list(findings.unknown))  # what came while we read
    unknown = [item for item in findings.unknown.values() if item.upstream_id not in late]
    missing = [item for item in unknown if until is not None and not _is_new(item, until)]
    return _told(account, findings, len(unknown) - len(missing), missing, error)


def _told(
    account: str, findings: _Findings, coming: int, missing: Sequence[Notification], error: str | None
) -> dict[str, Any]:
    return {
        "account": account,
        "unread": findings.unread,
        "coming": coming,
        "missing": len(missing),
        "examples": [item.upstream_id for item in missing[:_EXAMPLES]],
        "error": error,
    }


def _is_new(item: Notification, until: datetime) -> bool:
    return item.created_at is not None and item.created_at > until - _SKEW


async def _read(inbox: Listed, records: Records, findings: _Findings) -> None:
    cursor: str | None = None
    before: list[str] = []
    for _ in range(_MOST_PAGES):
        page = await inbox.page(cursor)
        ids = [item.upstream_id for item in page.items]
        known = await records.known(ids) if ids else set()
        findings.unread += len(ids)
        for item in page.items:
            if item.upstream_id not in known and len(findings.unknown) < _MOST_UNKNOWN:
                findings.unknown[item.upstream_id] = item
        if page.next_cursor is None or (ids and ids == before) or page.next_cursor == cursor:
            return
        cursor, before = page.next_cursor, ids
    findings.complete = False

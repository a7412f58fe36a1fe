"""What a vendor's file says about its API, as pure values: calls out, pages and notifications in, no I/O and no clock.

`bellwire.apis.inbox.HttpInbox` makes the calls. A dialect knows nothing of connections, pauses or status codes, but may
say what its vendor's answers mean where that differs from the usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from bellwire.model import Discard
from bellwire.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.apis.sse import ServerSentEvent
    from bellwire.config.schema import AccountConfig
    from bellwire.model import Json, Page, StreamItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One HTTP request. ``path`` stands behind the account's ``base_url``, already percent-encoded.

    ``body`` None sends none, and no content type either.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Json = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Dialect(Protocol):
    """One account's view of its vendor's API. Optional parts have a default here."""

    marks_per_call: int = 1
    """How many ids `mark` takes."""

    ALREADY_MARKED: ClassVar[frozenset[int]] = frozenset({409})
    """The statuses by which a mark says that it had been made before."""

    READ_STATE: ClassVar[frozenset[str]] = frozenset()
    """The keys of an item that say only whether, and when, it was read or answered: another value there is no change."""

    POLLS_PER_MINUTE: ClassVar[int | None] = None
    """How many pages and probes the vendor allows one login in a minute, where it has such a limit."""

    def __init__(self, account: AccountConfig) -> None:
        """Speak for this account."""

    def headers(self, wall: datetime) -> Mapping[str, str]:
        """Return what proves who we are, fresh for one request at ``wall``."""
        ...

    def refuses_account(self, status: int, answer: Json) -> bool:
        """Return whether a 401 or 403 refuses the account as a whole; False: only what was asked for."""
        del status, answer
        return True

    def list_page(self, cursor: str | None) -> Call:
        """Return the call for a page of unread notifications."""
        ...

    def read_page(self, cursor: str | None, answer: Json) -> Page:
        """Return the page that ``answer`` is; SourceError if it is none. No item makes it fail: see `bellwire.apis.reading`."""
        ...

    def count(self) -> Call | None:
        """Return the call for the number of unread notifications, if there is a light one."""
        return None

    def read_count(self, answer: Json) -> int | None:
        """Return the number, None if ``answer`` has none."""
        del answer
        return None

    def counts_what_it_lists(self) -> bool:
        """Return whether the count obeys the account's filters, as the list does."""
        return True

    def one(self, upstream_id: str) -> Call | None:
        """Return the call for one notification, if there is one that changes nothing."""
        del upstream_id
        return None

    def read_one(self, answer: Json) -> bool | None:
        """Return whether it is unread, None if ``answer`` does not say."""
        del answer
        return None

    def stream(self, last_event_id: str | None) -> Call | None:
        """Return the call that opens the stream, if the API has one."""
        del last_event_id
        return None

    def read_event(self, event: ServerSentEvent) -> StreamItem | None:
        """Return what the event is; None if it is not about a notification of this account."""
        return Discard(reason="unknown_event", detail=event.event[:100])

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        """Return the call that marks these, at least one and at most ``marks_per_call``, as read, and no others."""
        ...

    def all_marked(self, upstream_ids: Sequence[str], answer: Json) -> bool:
        """Return whether the answer to marking several confirms them all; if not, each is marked alone."""
        del upstream_ids, answer
        return True

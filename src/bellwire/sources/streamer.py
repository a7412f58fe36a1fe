"""Following an account's stream: open it, hand in what it brings, and open it again when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import SourceError, StreamRefusedError, UnauthorizedError
from bellwire.model import Discard, Notification, StatusChange, Via
from bellwire.sources.pace import Backoff
from bellwire.sources.site import created
from bellwire.states import SourceSignal

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.model import StreamItem
    from bellwire.ports import Stream
    from bellwire.sources.site import Site

_PROVED_AFTER = timedelta(seconds=10)
_PATIENCE = 2  # attempts that fail in a row before the list stands in
_SAVE_EVERY = timedelta(seconds=1)
_LONGEST_WISH = 60.0  # seconds: the longest pause between attempts of our own accord, too


class Streamer:
    """Keeps one account's stream open.

    A stream that stalled before is trusted again only when it brings bytes: a proxy that buffers lets it be opened, and
    nothing through. Until then the list stands in.
    """

    __slots__ = (
        "_brought",
        "_failures",
        "_opened_at",
        "_opened_before",
        "_pauses",
        "_saved_at",
        "_site",
        "_suspect",
        "_wish",
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pauses = Backoff(1.0, 60.0, site.rng)
        self._failures = 0
        self._suspect = False
        self._opened_before = False
        self._opened_at: datetime | None = None  # of the present stream, by the steady clock
        self._brought = False  # the present stream brought an item
        self._saved_at: datetime | None = None
        self._wish = 0.0  # seconds: what the vendor asked for on its last stream

    async def run(self) -> None:
        """Follow the stream until cancelled; return if the API has none."""
        site = self._site
        while True:
            self._opened_at, self._brought = None, False
            try:
                async with site.inbox.stream(site.standing.last_event_id) as stream:
                    self._begin()
                    async for batch in stream.batches():
                        if self._opened_at is None:
                            self._opened()
                        self._suspect = False
                        self._wish = min(stream.retry or 0.0, _LONGEST_WISH)
                        await self._take(batch, stream)
                pause = await self._failed(SourceError("the vendor closed the stream", reason="closed"))
            except SourceError as error:
                if error.reason == "no_stream":
                    site.standing.poll()
                    return
                pause = await self._failed(error)
            await site.clock.sleep(pause)
            site.report.signal(SourceSignal.RETRY)

    def _begin(self) -> None:
        if not self._suspect or self._site.account.mode == "stream":
            self._opened()

    def _opened(self) -> None:
        site = self._site
        self._opened_at = site.clock.now()
        site.standing.stream_opened(site.clock.wall(), site.account.poll.max_interval)
        if self._opened_before:
            site.report.reconnected()
        self._opened_before = True
        site.report.signal(SourceSignal.STREAM_OPENED)

    async def _take(self, batch: list[StreamItem], stream: Stream) -> None:
        site = self._site
        if not batch and stream.last_event_id == site.standing.last_event_id:  # a keep-alive, as most that comes
            site.standing.stream_alive(site.clock.wall())
            return
        discards = [item for item in batch if isinstance(item, Discard)]
        if discards:
            await site.discard(discards)
        found = [item for item in batch if isinstance(item, Notification)]
        if found:
            self._brought = True
            await self._hand_in(found)
        # After what came: a batch may bring an item and its end.
        if changes := [item for item in batch if isinstance(item, StatusChange)]:
            await site.ledger.note_changes(site.key, changes)
            if site.account.cancel_when_read:
                await site.ledger.read_upstream(site.key, [change.upstream_id for change in changes], "stream")
        site.standing.stream_alive(site.clock.wall())
        if stream.last_event_id != site.standing.last_event_id:
            site.standing.last_event_id = stream.last_event_id  # only now: what it covers is recorded
            await self._save_soon()

    async def _hand_in(self, found: list[Notification]) -> None:
        """Hand in; what a stream that resumes, or looks back a little, brings of the gap is late."""
        standing = self._site.standing
        began, ended = standing.gap_from, standing.opened_at
        if began is None or ended is None:
            await self._site.hand_in(found, Via.STREAM)
            return
        late = [item for item in found if began <= created(item) <= ended]
        await self._site.hand_in(late, Via.STREAM, late=True)
        await self._site.hand_in([item for item in found if not began <= created(item) <= ended], Via.STREAM)

    async def _save_soon(self) -> None:
        """Keep the id, but not with every batch: to resume a little earlier does no harm."""
        now = self._site.clock.now()
        if self._saved_at is None or now - self._saved_at >= _SAVE_EVERY:
            self._saved_at = now
            await self._site.save()

    async def _failed(self, error: SourceError) -> float:
        """Say what happened, let the list stand in where it must, and return the pause before the next attempt."""
        site = self._site
        site.report.failed(error, "stream")
        site.standing.stream_lost()
        if isinstance(error, UnauthorizedError):
            await site.denied(error)
        else:
            site.report.signal(SourceSignal.STREAM_FAILED)
        lived = site.clock.now() - self._opened_at if self._opened_at else timedelta()
        if self._brought or lived >= _PROVED_AFTER:
            self._failures = 0
            self._pauses.reset()
        self._failures += 1
        self._suspect = self._suspect or error.reason == "stalled"
        gone = isinstance(error, StreamRefusedError) or self._suspect or self._failures >= _PATIENCE
        if gone and site.account.mode == "auto":
            site.standing.poll()
        return max(self._pauses.next(), error.retry_after or 0.0, self._wish)

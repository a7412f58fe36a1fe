"""Reading an account's list: to catch up after a gap, to audit the stream, or in the stream's stead."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import SourceError, UnauthorizedError
from bellwire.model import Notification, Via
from bellwire.records import SourceEvent
from bellwire.sources.absences import Absences
from bellwire.sources.hidden import Hidden
from bellwire.sources.pace import Backoff, Pace
from bellwire.sources.site import created
from bellwire.sources.sweep import sweep
from bellwire.states import SourceSignal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.sources.site import Site
    from bellwire.sources.sweep import Swept, Take

_WORTH_SAYING = timedelta(seconds=1)  # a shorter gap in which nothing came is none to speak of
_STREAM_DELAY = timedelta(seconds=10)  # what is younger may still be on its way through the stream
_SKEW = timedelta(minutes=1)  # a vendor's clock may go so much behind ours
_GRAVE_FOR = timedelta(hours=1)
_EASY_PAGES = 10  # a longer list is audited less often, in proportion
_PROBES = 9  # between two full lists there are at most so many probes,
_PROBES_UNREAD = 1  # and so many while something is unread: one may have been marked and another have come


class Job(enum.Enum):
    """What there is to do with the list."""

    CATCH_UP = enum.auto()  # something was, or may have been, missed
    POLL = enum.auto()  # the list stands in for the stream
    AUDIT = enum.auto()  # the stream is open: has it missed something?
    DOUBT = enum.auto()  # the stream brought what could not be read


class Lister:
    """The one reader of an account's list, so that never two read it at once. It rests while there is nothing to do."""

    __slots__ = (
        "_absences",
        "_changes",
        "_count",
        "_doubts",
        "_due",
        "_hidden",
        "_listed_at",
        "_not_before",
        "_pace",
        "_pauses",
        "_probes",
        "_site",
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._absences = Absences(site) if site.account.cancel_when_read else None
        self._hidden = Hidden(site)
        poll, audit = site.account.poll, site.account.audit_interval.total_seconds()
        least = poll.min_interval.total_seconds()
        self._pauses = Backoff(1.0, 60.0, site.rng)
        self._pace = Pace(least, poll.max_interval.total_seconds(), site.rng)
        self._doubts = Pace(least, audit, site.rng)
        now = site.clock.now()
        self._due = dict.fromkeys(Job, now)
        self._not_before = now  # after a failure
        self._changes = 0  # of the stream, that were seen
        self._count: int | None = None  # unread, as last told
        self._probes = 0
        self._listed_at: datetime | None = None  # to its end

    async def work(self) -> float | None:
        """Do what is due; return in how many seconds there is more, None if only once something changes."""
        while True:
            job, due = self._next()
            if job is None or due is None:
                return None
            seconds = (due - self._site.clock.now()).total_seconds()
            if seconds > 0:
                return seconds
            await self._do(job)

    def _next(self) -> tuple[Job | None, datetime | None]:
        standing = self._site.standing
        if standing.changes != self._changes:
            self._changes = standing.changes
            if standing.stream_open:  # the vendor can be reached again: what failed before tells nothing
                self._pauses.reset()
                self._not_before = self._site.clock.now()
        if not standing.stream_open and not standing.polling:
            return None, None
        if standing.behind:
            jobs = [Job.CATCH_UP]
        elif standing.polling:
            jobs = [Job.POLL]
        else:
            jobs = [Job.AUDIT, Job.DOUBT] if standing.doubt else [Job.AUDIT]
        due, job = min(((max(self._due[job], self._not_before), job) for job in jobs), key=lambda each: each[0])
        return job, due

    async def _do(self, job: Job) -> None:
        site = self._site
        polling = site.standing.polling
        try:
            await self._list(job)
        except SourceError as error:
            await self._failed(error, job)
            return
        if not site.standing.behind:
            self._pauses.reset()
        if site.standing.stream_open:
            site.report.signal(SourceSignal.STREAM_OPENED)
        elif polling:
            site.report.signal(SourceSignal.POLLED)

    async def _list(self, job: Job) -> None:
        if job is Job.CATCH_UP:
            await self._catch_up()
        elif job is Job.POLL:
            await self._poll()
        else:
            await self._audit(job)

    async def _failed(self, error: SourceError, job: Job) -> None:
        site = self._site
        site.report.failed(error, job.name.lower())
        pause = max(self._pauses.next(), error.retry_after or 0.0)
        if job is Job.POLL:
            pause = max(pause, site.account.poll.min_interval.total_seconds())
        self._not_before = site.clock.now() + timedelta(seconds=pause)
        site.standing.poll_failed(site.clock.wall(), site.account.poll.max_interval)
        if isinstance(error, UnauthorizedError):
            await site.denied(error)
        elif site.standing.polling:
            site.report.signal(SourceSignal.POLL_FAILED)

    async def _sweep(self, take: Take, *, to_end: bool, since: datetime | None = None) -> Swept:
        with self._site.inbox.listing():
            if self._absences is not None:
                swept = await self._absences.sweep(take, to_end=to_end, since=since)
            else:
                swept = await sweep(self._site.inbox, take, to_end=to_end, since=since)
        await self._hidden.compare(swept)
        return swept

    # --- catching up -----------------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        site, standing = self._site, self._site.standing
        changes = standing.changes
        self._count = None
        await site.inbox.ready()  # what comes while we wait for the vendor's leave has been missed, too
        began = site.clock.wall()
        border = standing.opened_at if standing.stream_open and standing.opened_at else began
        first = standing.started_at is None
        gap = standing.missed_since(border, site.account.poll.max_interval)
        via = Via.CATCH_UP if first or gap else Via.POLL
        late = gap is not None
        missed = 0

        async def take(items: Sequence[Notification]) -> int:
            nonlocal missed
            before = [item for item in items if created(item) <= border]
            after = [item for item in items if created(item) > border]
            missed += (new := await site.hand_in(before, via, late=late, first_start=first))
            return new + await site.hand_in(after, Via.POLL)

        # Since then an earlier reading may have broken off, in this run or one that was killed.
        since = gap or standing.whole_until
        swept = await self._sweep(take, to_end=first, since=since - _SKEW if since else None)
        if not swept.finished:
            self._again()
            return
        if gap is not None and (missed or border - gap >= _WORTH_SAYING):
            await self._state_gap(gap, border, missed)
        if via is Via.CATCH_UP:
            await site.intake.caught_up(site.key)
        self._listed(swept.pages, to_end=first, active=True)
        standing.read(border, changes)
        self._look_again_soon()
        await site.save()
        site.begun = True

    def _look_again_soon(self) -> None:
        """Look at the list once more after a moment: it may lag, and have hidden something that no stream brings."""
        if self._site.standing.stream_open and not self._site.standing.behind:
            self._site.standing.doubt = True
            self._due[Job.DOUBT] = self._site.clock.now() + self._stream_delay()

    def _stream_delay(self) -> timedelta:
        return min(_STREAM_DELAY, self._site.account.audit_interval / 4)

    def _again(self) -> None:
        """Go on in a moment: the list changed all the time, so that something may have been skipped."""
        self._site.report.unfinished()
        self._not_before = self._site.clock.now() + timedelta(seconds=self._pauses.next())

    async def _state_gap(self, began: datetime, ended: datetime, found: int) -> None:
        self._site.report.gap(began, ended, found)
        detail: dict[str, str | int] = {"from": began.isoformat(), "to": ended.isoformat(), "found": found}
        await self._site.ledger.note(self._site.key, SourceEvent(kind="gap", detail=detail))

    # --- beside the stream -----------------------------------------------------------------------------------------

    async def _audit(self, job: Job) -> None:
        """Look for what the stream did not bring.

        What is very young may still be on its way, so it is not counted; what is older than the stream, neither: it is late.
        """
        site = self._site
        site.standing.doubt = False
        border = site.clock.wall() - self._stream_delay()
        opened = site.standing.opened_at or border
        missed = 0

        async def take(items: Sequence[Notification]) -> int:
            nonlocal missed
            late = [item for item in items if created(item) <= opened]
            old = [item for item in items if opened < created(item) <= border]
            young = [item for item in items if created(item) > max(opened, border)]
            missed += (new := await site.hand_in(old, Via.AUDIT))
            return new + await site.hand_in(late, Via.AUDIT, late=True) + await site.hand_in(young, Via.AUDIT)

        try:
            swept = await self._sweep(take, to_end=job is Job.AUDIT)
        except SourceError:
            site.standing.doubt = job is Job.DOUBT or site.standing.doubt
            raise
        finally:
            if missed:
                site.report.missed(missed)
        site.standing.doubt = site.standing.doubt or not swept.finished
        if job is Job.AUDIT:
            self._listed(swept.pages, to_end=True, active=swept.new > 0)
        pause = timedelta(seconds=self._doubts.next(active=swept.new > 0))
        self._due[Job.DOUBT] = site.clock.now() + pause

    # --- in the stream's stead -------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        site, standing = self._site, self._site.standing
        changes = standing.changes
        began = site.clock.wall()
        before, self._count = self._count, None  # unless the list is read too, the number tells nothing
        count = await site.inbox.unread_count()
        if self._worth_listing(before, count):
            to_end = self._overdue()
            swept = await self._sweep(self._take_polled, to_end=to_end)
            active = swept.new > 0 or not swept.finished or self._hidden.number > 0
            self._listed(swept.pages, to_end=to_end, active=active)
            count = count if swept.finished else None
        else:
            self._schedule_poll(active=False)
        self._count = count
        standing.read(began, changes)

    async def _take_polled(self, items: Sequence[Notification]) -> int:
        return await self._site.hand_in(items, Via.POLL)

    def _worth_listing(self, before: int | None, count: int | None) -> bool:
        """Return whether to read the list: where the number of unread ones is as before, most often nothing changed."""
        self._probes += 1
        allowed = _PROBES_UNREAD if count else _PROBES
        return count is None or count != before or self._probes > allowed or self._overdue()

    def _overdue(self) -> bool:
        """Return whether the list was not read to its end for as long as an audit may wait."""
        return self._listed_at is None or self._site.clock.now() - self._listed_at >= self._site.account.audit_interval

    def _listed(self, pages: int, *, to_end: bool, active: bool) -> None:
        now = self._site.clock.now()
        self._probes = 0
        if to_end:
            self._listed_at = now
        factor = max(1.0, pages / _EASY_PAGES)
        self._due[Job.AUDIT] = now + self._site.account.audit_interval * factor
        if self._site.standing.polling:
            self._schedule_poll(active=active)

    def _schedule_poll(self, *, active: bool) -> None:
        now = self._site.clock.now()
        grave = self._site.grave_at is not None and now - self._site.grave_at < _GRAVE_FOR
        self._due[Job.POLL] = now + timedelta(seconds=self._pace.next(active=active or grave))

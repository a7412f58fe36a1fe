"""A source from start to stop, over an inbox in memory and a clock that the tests turn."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bellwire.config.schema import AccountConfig
from bellwire.errors import LedgerError, RateLimitedError, SourceError, StreamRefusedError, UnauthorizedError
from bellwire.metrics import Metrics
from bellwire.model import AccountKey, Discard, Notification, Severity, SourceState, StatusChange, Via
from bellwire.records import Position, SourceEvent
from bellwire.sources.source import Source, Surroundings
from fake_inbox import FakeInbox, item
from fakes import FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

REFUSED = StreamRefusedError("no stream", reason="http_404")
BROKEN = SourceError("broken", reason="connect")
DENIED = UnauthorizedError("no", reason="http_401")


class RecordingIntake:
    """Knows what it was given, and by which way it came first."""

    def __init__(self) -> None:
        self.via: dict[str, Via] = {}
        self.late: list[str] = []
        self.before_first_start: list[str] = []
        self.catch_ups = 0
        self.error: Exception | None = None

    async def receive(
        self,
        account: AccountKey,
        found: Sequence[Notification],
        via: Via,
        labels: Mapping[str, str] | None = None,
        *,
        first_start: bool = False,
    ) -> int:
        assert account.name == "a"
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        new = [each.upstream_id for each in found if each.upstream_id not in self.via]
        self.via |= dict.fromkeys(new, via)
        if labels == {"late": "true"}:
            self.late += new
        if first_start:
            self.before_first_start += new
        return len(set(new))

    async def caught_up(self, account: AccountKey) -> None:
        assert account.name == "a"
        self.catch_ups += 1


class MemoryLedger:
    def __init__(self) -> None:
        self.kept = Position()
        self.events: list[SourceEvent] = []
        self.changes: list[StatusChange] = []

    async def position(self, account: AccountKey) -> Position:
        assert account.name == "a"
        return self.kept

    async def save_position(self, account: AccountKey, position: Position) -> None:
        assert account.name == "a"
        self.kept = position

    async def note(self, account: AccountKey, event: SourceEvent) -> None:
        assert account.name == "a"
        self.events.append(event)

    async def note_changes(self, account: AccountKey, changes: Sequence[StatusChange]) -> None:
        assert account.name == "a"
        self.changes += changes

    async def in_flight(self, account: AccountKey) -> set[str]:
        assert account.name
        return set()

    async def read_upstream(self, account: AccountKey, upstream_ids: Sequence[str], found_by: str) -> int:
        raise AssertionError((account, upstream_ids, found_by))

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


class World:
    """A source with all that it touches."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.inbox = FakeInbox(self.clock)
        self.intake = RecordingIntake()
        self.ledger = MemoryLedger()
        self.metrics = Metrics()
        self._task: asyncio.Task[None] | None = None

    async def start(self, **keys: Any) -> None:
        account = AccountConfig.model_validate({"name": "a", "api": "x", "base_url": "http://x.test", **keys})
        around = Surroundings(clock=self.clock, metrics=self.metrics, rng=random.Random(1))
        self.source = Source(account, self.inbox, self.intake, self.ledger, around)
        self._task = asyncio.create_task(self.source.run())
        await self.calm()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            assert self._task.cancelled() or self._task.exception() is None
            self._task = None

    async def calm(self) -> None:
        await settle(300)

    async def turn(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.calm()

    async def until(self, condition: Callable[[], bool], within: float) -> float:
        """Turn the clock until the condition holds; return the seconds that took."""
        passed, step = 0.0, 0.25 if within < 100 else 1.0
        while not condition():
            assert passed < within, f"not within {within} s: {self.source.status}"
            await self.turn(step)
            passed += step
        return passed

    async def next_call(self, name: str) -> float:
        """Turn the clock until such a call is made; return the seconds that took."""
        before = self.calls(name)
        return await self.until(lambda: self.calls(name) > before, within=301)

    def new(self, *upstream_ids: str, **keys: Any) -> list[Notification]:
        return [item(each, self.clock.wall(), **keys) for each in upstream_ids]

    def old(self, *upstream_ids: str) -> list[Notification]:
        return [item(each, self.clock.wall() - timedelta(minutes=1)) for each in upstream_ids]

    def started_before(self) -> None:
        """An earlier run ended a quarter of an hour ago."""
        then = self.clock.wall() - timedelta(minutes=15)
        self.ledger.kept = Position(started_at=then - timedelta(days=1), connected_at=then)

    def is_in(self, state: SourceState) -> bool:
        return self.source.status.state is state

    def calls(self, name: str) -> int:
        return self.inbox.calls.count(name)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"bellwire_{name}", {"account": "a", **labels}) or 0.0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.stop()


# --- starting ------------------------------------------------------------------------------------------------------


async def test_the_very_first_start_reads_all_that_is_unread(world: World) -> None:
    world.inbox.emit(*world.old(*(f"n{number}" for number in range(10))))
    await world.start()
    assert world.is_in(SourceState.STREAMING)
    assert len(world.intake.before_first_start) == 10
    assert set(world.intake.via.values()) == {Via.CATCH_UP}
    assert world.intake.catch_ups == 1
    assert world.intake.late == []
    assert world.ledger.kept.started_at is not None
    assert world.ledger.events == []


async def test_what_comes_while_the_first_start_reads_was_not_there_before(world: World) -> None:
    world.inbox.emit(*world.old("old"))
    world.inbox.emit(*(item("young", world.clock.wall() + timedelta(seconds=1)),))
    await world.start()
    assert world.intake.before_first_start == ["old"]
    assert world.intake.via == {"old": Via.CATCH_UP, "young": Via.POLL}


async def test_a_later_start_reads_until_a_known_page_and_one_more(world: World) -> None:
    world.started_before()
    before = world.clock.wall() - timedelta(hours=1)
    known = [item(f"n{number}", before) for number in range(30)]
    world.inbox.emit(*known)
    world.intake.via = dict.fromkeys((each.upstream_id for each in known), Via.STREAM)
    await world.start()
    assert world.calls("page") == 2


async def test_what_an_earlier_catch_up_did_not_come_to_is_found_behind_what_it_did(world: World) -> None:
    world.started_before()
    since = world.old(*(f"n{number}" for number in range(30)))
    world.inbox.emit(*since)
    # It was killed when it had handed in the newest half: the list is read from its newest end.
    world.intake.via = dict.fromkeys((each.upstream_id for each in since[15:]), Via.CATCH_UP)
    await world.start()
    assert set(world.intake.via) == {each.upstream_id for each in since}
    assert world.intake.catch_ups == 1


async def test_what_came_while_nothing_ran_is_late_and_the_gap_is_stated(world: World) -> None:
    world.started_before()
    world.inbox.emit(*world.old("a", "b"))
    await world.start()
    assert sorted(world.intake.late) == ["a", "b"]
    (gap,) = world.ledger.events
    assert (gap.kind, gap.detail["found"]) == ("gap", 2)
    assert gap.detail["from"] == (world.clock.wall() - timedelta(minutes=15)).isoformat()


async def test_a_paused_account_is_stopped(world: World) -> None:
    await world.start(paused=True)
    assert world.is_in(SourceState.STOPPED)
    assert world.inbox.calls == []
    assert world.metric("source_state", state="stopped") == 1


async def test_stopping_keeps_the_position(world: World) -> None:
    await world.start()
    await world.turn(5)
    for stream in world.inbox.streams:
        stream.put([])
    await world.calm()
    await world.stop()
    assert world.is_in(SourceState.STOPPED)
    assert world.ledger.kept.connected_at == world.clock.wall()


# --- streaming -----------------------------------------------------------------------------------------------------


async def test_what_the_stream_brings_is_handed_in(world: World) -> None:
    await world.start()
    world.inbox.emit(*world.new("a", "b"))
    await world.calm()
    assert world.intake.via == {"a": Via.STREAM, "b": Via.STREAM}
    assert world.intake.late == []
    assert world.source.status.last_item_at == world.clock.wall()


async def test_a_closed_stream_is_opened_again_and_what_it_missed_is_found_late(world: World) -> None:
    await world.start()
    await world.turn(30)
    world.inbox.streams[0].put(None)
    await world.calm()
    assert world.is_in(SourceState.BACKING_OFF)
    world.inbox.emit(*world.new("a"))
    await world.turn(1)
    assert world.is_in(SourceState.STREAMING)
    assert world.intake.via == {"a": Via.CATCH_UP}
    assert world.intake.late == ["a"]
    assert world.ledger.kinds() == ["gap"]
    assert world.source.status.reconnects == 1


async def test_a_vendor_that_closes_again_and_again_loses_nothing(world: World) -> None:
    await world.start()
    for number in range(20):
        world.inbox.emit(*world.new(f"n{number}"))
        for stream in list(world.inbox.streams):
            stream.put(None)
        await world.turn(7)
    await world.until(lambda: len(world.intake.via) == 20, within=120)


async def test_pauses_between_attempts_double_to_a_minute(world: World) -> None:
    world.inbox.stream_error = world.inbox.list_error = BROKEN
    await world.start()
    moments = [await world.next_call("stream") for _ in range(20)]
    assert moments[0] <= 1
    assert all(pause <= 60 for pause in moments)
    assert all(pause >= 30 for pause in moments[8:])
    assert world.is_in(SourceState.BACKING_OFF)


async def test_a_discard_makes_the_list_be_looked_at_soon_but_not_each_time(world: World) -> None:
    await world.start()
    await world.turn(20)
    read = world.calls("page")
    world.inbox.emit(*world.old("a"), streamed=False)
    for _ in range(50):
        world.inbox.streams[0].put([Discard(reason="broken_json")])
    await world.calm()
    assert world.calls("page") == read + 1
    assert world.intake.via == {"a": Via.AUDIT}
    assert world.metric("stream_discarded_total", reason="broken_json") == 50
    assert world.ledger.kinds() == ["discarded"]
    for _ in range(30):
        world.inbox.streams[0].put([Discard(reason="broken_json")])
        await world.turn(1)
    assert world.calls("page") <= read + 5


async def test_the_audit_finds_what_the_stream_missed(world: World) -> None:
    await world.start()
    await world.turn(90)
    world.inbox.emit(*world.old("a"), streamed=False)
    await world.turn(509)
    assert world.intake.via == {}
    await world.turn(2)
    assert world.intake.via == {"a": Via.AUDIT}
    assert world.metric("stream_missed_total") == 1
    assert world.source.status.missed == 1
    assert world.is_in(SourceState.STREAMING)


async def test_what_a_list_that_lags_hid_from_the_catch_up_is_found_soon_and_late(world: World) -> None:
    await world.start()
    world.inbox.emit(*world.old("a"), streamed=False)
    await world.turn(11)
    assert world.intake.via == {"a": Via.AUDIT}
    assert world.intake.late == ["a"]
    assert world.metric("stream_missed_total") == 0
    read = world.calls("page")
    await world.turn(580)
    assert world.calls("page") == read


async def test_what_may_still_be_on_its_way_is_not_counted_as_missed(world: World) -> None:
    await world.start()
    await world.turn(598)
    world.inbox.emit(*world.new("a"), streamed=False)
    await world.turn(3)
    assert world.intake.via == {"a": Via.AUDIT}
    assert world.metric("stream_missed_total") == 0


async def test_an_audit_that_fails_leaves_the_stream(world: World) -> None:
    await world.start()
    world.inbox.list_error = BROKEN
    await world.turn(700)
    assert world.is_in(SourceState.STREAMING)
    world.inbox.emit(*world.new("a"))
    await world.calm()
    assert world.intake.via == {"a": Via.STREAM}


async def test_a_catch_up_that_fails_is_tried_again_until_it_is_done(world: World) -> None:
    world.started_before()
    world.inbox.emit(*world.old("a"))
    world.inbox.list_error = BROKEN
    await world.start()
    await world.turn(20)
    assert world.is_in(SourceState.STREAMING)
    assert world.intake.via == {}
    world.inbox.list_error = None
    await world.turn(20)
    assert world.intake.via == {"a": Via.CATCH_UP}
    assert world.intake.late == ["a"]


async def test_the_stream_resumes_where_it_was_recorded(world: World) -> None:
    await world.start()
    world.inbox.streams[0].last_event_id = "e7"
    world.inbox.emit(*world.new("a"))
    await world.turn(15)
    assert world.ledger.kept.last_event_id == "e7"
    world.inbox.streams[0].put(None)
    await world.turn(1)
    assert world.inbox.streams[0].last_event_id == "e7"


async def test_a_stream_that_ended_is_opened_again_no_sooner_than_the_vendor_wishes(world: World) -> None:
    await world.start()
    world.inbox.streams[0].retry = 20.0
    world.inbox.emit(*world.new("a"))
    await world.turn(1)
    world.inbox.streams[0].put(None)
    await world.turn(15)
    assert world.inbox.streams == []
    await world.turn(10)
    assert len(world.inbox.streams) == 1


async def test_what_the_vendor_counts_but_does_not_list_is_told_once_it_is_sure(world: World) -> None:
    world.inbox.hidden = 7
    world.inbox.emit(*world.new("a", "b", "c", "d"))
    with capture_logs() as logs:
        await world.start(mode="poll", poll={"min_interval": "5s", "max_interval": "1m"}, audit_interval="1m")
        await world.turn(150)
        world.inbox.hidden = 0
        await world.turn(150)
    told = [each for each in logs if each["event"] == "unread_hidden"]
    assert [each["count"] for each in told] == [7]
    assert world.ledger.kinds().count("hidden") == 1


async def test_a_list_of_one_page_is_not_compared_with_the_count(world: World) -> None:
    world.inbox.hidden = 7
    world.inbox.emit(*world.new("a"))
    await world.start(mode="poll", audit_interval="1m")
    await world.turn(150)
    assert "hidden" not in world.ledger.kinds()


# --- polling -------------------------------------------------------------------------------------------------------


async def test_a_refused_stream_is_replaced_by_polls_until_it_is_there(world: World) -> None:
    world.inbox.stream_error = REFUSED
    await world.start()
    assert world.is_in(SourceState.POLLING)
    world.inbox.emit(*world.new("a"))
    await world.turn(10)
    assert world.intake.via == {"a": Via.POLL}
    world.inbox.stream_error = None
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=61)
    assert world.intake.late == []
    world.inbox.emit(*world.new("b"))
    await world.calm()
    assert world.intake.via["b"] is Via.STREAM


async def test_what_comes_between_the_last_poll_and_the_stream_is_found_and_not_late(world: World) -> None:
    world.inbox.stream_error = REFUSED
    await world.start()
    await world.turn(100)
    world.inbox.stream_error = None
    world.inbox.emit(*world.new("a"), streamed=False)
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=61)
    await world.calm()
    assert world.intake.via == {"a": Via.POLL}
    assert world.intake.late == []


async def test_a_stream_that_stalled_is_trusted_again_when_it_brings_bytes(world: World) -> None:
    await world.start()
    world.inbox.streams[0].put(SourceError("silent", reason="stalled"))
    await world.turn(2)
    assert world.inbox.streams
    assert world.is_in(SourceState.POLLING)
    world.inbox.emit(*world.new("a"), streamed=False)
    await world.turn(10)
    assert "a" in world.intake.via
    world.inbox.streams[0].put([])
    await world.calm()
    assert world.is_in(SourceState.STREAMING)


async def test_a_broken_stream_is_replaced_by_polls_after_a_second_failure(world: World) -> None:
    await world.start()
    world.inbox.stream_error = BROKEN
    world.inbox.streams[0].put(BROKEN)
    await world.calm()
    assert world.is_in(SourceState.BACKING_OFF)
    world.inbox.emit(*world.new("a"))
    await world.turn(1)
    assert world.is_in(SourceState.POLLING)
    assert world.intake.late == ["a"]


async def test_when_nothing_works_the_source_backs_off_and_comes_back(world: World) -> None:
    await world.start()
    world.inbox.stream_error = world.inbox.list_error = BROKEN
    world.inbox.streams[0].put(BROKEN)
    await world.turn(120)
    assert world.is_in(SourceState.BACKING_OFF)
    assert world.source.status.last_error == "broken"
    world.inbox.emit(*world.new("a"))
    world.inbox.stream_error = world.inbox.list_error = None
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=61)
    await world.calm()
    assert world.intake.late == ["a"]
    gaps = [event for event in world.ledger.events if event.kind == "gap"]
    assert [gap.detail["found"] for gap in gaps] == [1]


async def test_an_account_that_polls_never_opens_a_stream(world: World) -> None:
    await world.start(mode="poll")
    await world.turn(1000)
    assert world.calls("stream") == 0
    assert world.is_in(SourceState.POLLING)


async def test_an_account_that_streams_never_polls(world: World) -> None:
    world.inbox.stream_error = REFUSED
    await world.start(mode="stream")
    await world.turn(300)
    assert world.is_in(SourceState.BACKING_OFF)
    assert world.calls("page") == 0


async def test_an_api_without_a_stream_is_polled(world: World) -> None:
    world.inbox.stream_error = StreamRefusedError("none", reason="no_stream")
    await world.start()
    await world.turn(300)
    assert world.calls("stream") == 1
    assert world.is_in(SourceState.POLLING)


async def test_polls_slow_down_while_idle_and_hurry_after_activity(world: World) -> None:
    world.inbox.counts = False
    await world.start(mode="poll", poll={"min_interval": "5s", "max_interval": "160s"}, audit_interval="1d")

    async def pause() -> float:
        return await world.next_call("page")

    idle = [await pause() for _ in range(8)]
    assert idle == sorted(idle[:5]) + idle[5:]
    assert all(130 <= each <= 160 for each in idle[5:])
    world.inbox.emit(*world.new("a"))
    await pause()
    assert await pause() <= 6


async def test_after_an_error_polls_stay_fast(world: World) -> None:
    world.inbox.counts = False
    await world.start(mode="poll", audit_interval="1d")
    await world.turn(600)
    world.inbox.emit(*world.new("a", severity=Severity.ERROR))
    await world.until(lambda: "a" in world.intake.via, within=301)
    before = world.calls("page")
    await world.turn(600)
    assert world.calls("page") - before >= 110
    world.inbox.emit(*world.new("b"))
    await world.turn(1200)
    before = world.calls("page")
    await world.turn(600)
    assert world.calls("page") - before <= 4


async def test_an_unchanged_count_saves_the_list_but_not_for_ever(world: World) -> None:
    await world.start(mode="poll", poll={"min_interval": "5s", "max_interval": "5s"}, audit_interval="1d")
    await world.turn(20)
    probes, pages = world.calls("unread_count"), world.calls("page")
    await world.until(lambda: world.calls("unread_count") >= probes + 100, within=600)
    assert 9 <= world.calls("page") - pages <= 11
    world.inbox.emit(*world.new("a"))
    await world.turn(6)
    assert "a" in world.intake.via


async def test_a_count_that_lies_hides_nothing_for_long(world: World) -> None:
    await world.start(mode="poll", poll={"min_interval": "5s", "max_interval": "5s"}, audit_interval="1d")
    await world.turn(20)

    async def zero() -> int:
        return 0

    world.inbox.unread_count = zero  # type: ignore[method-assign]  # the vendor counts wrongly
    await world.turn(60)
    world.inbox.emit(*world.new("a"))
    await world.until(lambda: "a" in world.intake.via, within=51)


async def test_one_failed_poll_is_no_gap(world: World) -> None:
    await world.start(mode="poll")
    world.inbox.list_error = BROKEN
    await world.turn(12)
    assert world.is_in(SourceState.BACKING_OFF)
    world.inbox.emit(*world.new("a"))
    world.inbox.list_error = None
    await world.until(lambda: "a" in world.intake.via, within=61)
    assert world.is_in(SourceState.POLLING)
    assert world.intake.late == []
    assert world.intake.via == {"a": Via.POLL}


async def test_polls_that_fail_for_long_are_a_gap(world: World) -> None:
    await world.start(mode="poll")
    world.inbox.list_error = BROKEN
    await world.turn(600)
    world.inbox.emit(*world.old("a"))
    world.inbox.list_error = None
    await world.until(lambda: "a" in world.intake.via, within=61)
    assert world.intake.late == ["a"]
    assert world.ledger.kinds() == ["gap"]


# --- refusals of the account ---------------------------------------------------------------------------------------


async def test_what_came_while_credentials_were_refused_is_late(world: World) -> None:
    world.started_before()
    await world.start(poll={"min_interval": "1s", "max_interval": "5s"})
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=5)
    world.inbox.list_error = world.inbox.stream_error = UnauthorizedError("401", reason="http_401")
    world.inbox.streams[0].put(None)
    await world.until(lambda: world.is_in(SourceState.UNAUTHORIZED), within=90)
    await world.turn(15)
    world.inbox.emit(*world.new("z"), streamed=False)
    world.inbox.list_error = world.inbox.stream_error = None
    await world.until(lambda: "z" in world.intake.via, within=400)
    assert world.intake.late == ["z"]


async def test_what_a_stream_says_became_of_an_item_is_kept(world: World) -> None:
    await world.start()
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=5)
    (stream,) = world.inbox.streams
    gone = StatusChange(upstream_id="n1", status="expired")
    stream.put([*world.new("n1"), gone])
    await world.calm()
    assert world.ledger.changes == [gone]
    assert "n1" in world.intake.via


async def test_marks_that_are_refused_are_a_state_too_and_it_ends_where_it_was(world: World) -> None:
    await world.start()
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=5)
    world.inbox.list_error = UnauthorizedError("403", reason="http_403")
    marking = asyncio.create_task(world.inbox.mark_read(["a"]))
    await world.calm()
    assert world.is_in(SourceState.UNAUTHORIZED)
    world.inbox.list_error = None
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=700)
    await marking


async def test_refused_credentials_are_a_state_until_they_are_taken(world: World) -> None:
    world.inbox.stream_error = world.inbox.list_error = DENIED
    await world.start()
    assert world.is_in(SourceState.UNAUTHORIZED)
    await world.turn(3600)
    assert world.is_in(SourceState.UNAUTHORIZED)
    assert world.ledger.kinds() == ["unauthorized"]
    assert len(world.inbox.calls) <= 17  # after 10, 20, 40, 80, 160 seconds, and then every five minutes
    world.inbox.emit(*world.new("a"))
    world.inbox.stream_error = world.inbox.list_error = None
    await world.until(lambda: "a" in world.intake.via, within=302)
    await world.until(lambda: world.is_in(SourceState.STREAMING), within=62)


async def test_nothing_is_asked_before_retry_after(world: World) -> None:
    await world.start(mode="poll")
    world.inbox.list_error = RateLimitedError("slower", reason="http_429", retry_after=100)
    before = len(world.inbox.calls)
    await world.until(lambda: len(world.inbox.calls) > before, within=11)
    world.inbox.list_error = None
    made = len(world.inbox.calls)
    await world.turn(99)
    assert len(world.inbox.calls) == made
    await world.turn(2)
    assert len(world.inbox.calls) > made


# --- troubles of our own -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [LedgerError("disk full"), RuntimeError("http://secret")])
async def test_what_could_not_be_recorded_is_found_again(world: World, error: Exception) -> None:
    await world.start()
    world.intake.error = error
    with capture_logs() as logs:
        world.inbox.emit(*world.new("a"))
        await world.turn(30)
    assert world.intake.via == {}
    assert "secret" not in str(logs) + str(world.source.status)
    assert len([line for line in logs if line["event"] == "source_broken"]) == 1
    world.intake.error = None
    await world.until(lambda: "a" in world.intake.via, within=61)
    await world.calm()
    assert world.is_in(SourceState.STREAMING)


async def test_a_fault_that_repeats_does_not_flood_the_log(world: World) -> None:
    world.inbox.stream_error = world.inbox.list_error = BROKEN
    with capture_logs() as logs:
        await world.start()
        await world.turn(540)
    lines = [line for line in logs if line["log_level"] != "debug"]
    assert len(lines) <= 6, lines
    assert world.metric("source_errors_total", reason="connect") > 10

"""What is a trouble, what is told of it, and when it is over: without a ledger, and with a clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from bellwire.meta.conditions import Key, conditions_of
from bellwire.meta.decide import CALM, QUIET, Calm, Moment, decide
from bellwire.meta.sight import AccountSight, Shortfall, Sight
from bellwire.meta.watch import Silences
from bellwire.meta.wording import beginning, ending
from bellwire.model import AccountKey, SourceState, TroubleKind
from bellwire.trouble_records import BrokenChannel, Tally, Trouble, TroubleNews, TroubleSight
from makers import PAGER, VISION

if TYPE_CHECKING:
    from fakes import FakeClock

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def an_account(state: SourceState = SourceState.STREAMING, **values: Any) -> AccountSight:
    every: dict[str, Any] = {"key": VISION, "state": state, "since": TEN - timedelta(hours=1)}
    return AccountSight(**every | values)


class Bench:
    """Remembers what is open, as the ledger does."""

    def __init__(self) -> None:
        self.calm = Calm()
        self.open: dict[Key, Trouble] = {}
        self.now = TEN

    def look(
        self,
        seen: Sight,
        *,
        broken: tuple[BrokenChannel, ...] = (),
        tallies: tuple[Tally, ...] = (),
        quiet: dict[AccountKey, float] | None = None,
    ) -> TroubleNews:
        known = TroubleSight(open=tuple(self.open.values()), broken=broken, tallies=tallies)
        conditions = conditions_of(seen, known, quiet or {}, self.now)
        news = decide(seen, known, conditions, self.calm, Moment(now=self.now, wall=self.now))
        for begun in news.begun:
            self.open[begun.kind, begun.subject] = Trouble(
                kind=begun.kind,
                subject=begun.subject,
                text=begun.telling.title,
                began_at=begun.began_at,
                number=begun.tally.number if begun.tally else 0,
                counted_at=self.now if begun.tally else None,
            )
        for ended in news.ended:
            del self.open[ended.kind, ended.subject]
        return news

    def told(self, seen: Sight, **values: Any) -> list[str]:
        news = self.look(seen, **values)
        tellings = [begun.telling for begun in news.begun] + [ended.telling for ended in news.ended]
        return [telling.title for telling in tellings]


BROKEN = BrokenChannel(key=PAGER, since=TEN + timedelta(minutes=2), error="http_503: 503 Service Unavailable")


def test_a_channel_that_breaks_is_told_once_and_once_when_it_works_again() -> None:
    bench, seen = Bench(), Sight(channels=(PAGER,))
    assert bench.told(seen) == []
    (begun,) = bench.look(seen, broken=(BROKEN,)).begun
    assert begun.telling.title == "pager/webhook does not get through"
    assert "http_503: 503 Service Unavailable" in begun.telling.text
    assert bench.told(seen, broken=(BROKEN,)) == []
    bench.now = TEN + timedelta(minutes=19)
    assert bench.told(seen) == ["pager/webhook gets through again, was broken 10:02–10:19 UTC"]  # noqa: RUF001
    assert bench.told(seen) == []


def test_what_comes_back_within_the_hour_ends_only_after_ten_minutes_of_calm() -> None:
    bench, seen = Bench(), Sight(channels=(PAGER,))
    told = []
    for minute in range(60):  # to and fro, every minute
        bench.now = TEN + minute * MINUTE
        told += bench.told(seen, broken=(BROKEN,) if minute % 2 else ())
    assert len(told) == 3  # it broke, it worked again, it broke
    bench.now += MINUTE
    gone_at = bench.now
    assert bench.told(seen) == []
    bench.now += CALM
    (ended,) = bench.look(seen).ended
    assert ended.ended_at == gone_at


def test_a_channel_or_account_that_leaves_the_configuration_ends_its_troubles() -> None:
    bench = Bench()
    seen = Sight(channels=(PAGER,), accounts=(an_account(SourceState.UNAUTHORIZED, since=TEN),))
    assert len(bench.told(seen, broken=(BROKEN,))) == 2
    bench.now = TEN + timedelta(minutes=5)
    told = bench.told(Sight(), broken=(BROKEN,))
    assert told == [
        "pager/webhook is no longer in the configuration (pager/webhook does not get through, 10:02–10:05 UTC)",  # noqa: RUF001
        "vision is no longer in the configuration (account vision is unauthorized, 10:00–10:05 UTC)",  # noqa: RUF001
    ]


@pytest.mark.parametrize("state", [SourceState.CONNECTING, SourceState.BACKING_OFF, SourceState.STOPPED])
def test_a_source_that_connects_neither_ends_nor_begins_a_refusal(state: SourceState) -> None:
    bench = Bench()
    assert bench.told(Sight(accounts=(an_account(state),))) == []
    assert bench.told(Sight(accounts=(an_account(SourceState.UNAUTHORIZED),))) == ["account vision is unauthorized"]
    assert bench.told(Sight(accounts=(an_account(state),))) == []
    bench.now = TEN + timedelta(minutes=1)
    (told,) = bench.told(Sight(accounts=(an_account(),)))
    assert told.startswith("account vision is authorized again, was not ")


def test_an_account_is_silent_only_while_it_is_connected_and_has_caught_up() -> None:
    bench = Bench()
    quiet = {VISION: 7200.0}
    late = an_account(silence=3600.0, since=TEN - timedelta(seconds=59))
    assert bench.told(Sight(accounts=(late,)), quiet=quiet) == []
    away = an_account(SourceState.BACKING_OFF, silence=3600.0)
    assert bench.told(Sight(accounts=(away,)), quiet=quiet) == []
    ready = an_account(silence=3600.0)
    (begun,) = bench.look(Sight(accounts=(ready,)), quiet=quiet).begun
    assert begun.telling.title == "account vision is silent"
    assert begun.began_at == TEN - timedelta(seconds=7200)
    assert bench.told(Sight(accounts=(away,)), quiet=quiet) == []
    assert bench.told(Sight(accounts=(ready,)), quiet={VISION: 1.0}) == [
        "account vision is heard again, was silent 08:00–10:00 UTC"  # noqa: RUF001
    ]


def test_an_account_without_a_limit_is_never_silent() -> None:
    assert Bench().told(Sight(accounts=(an_account(),)), quiet={VISION: 1e9}) == []


def test_what_is_counted_is_told_once_and_over_when_nothing_was_added_for_a_quarter_of_an_hour() -> None:
    bench, seen = Bench(), Sight()
    tally = Tally(name="x", kind=TroubleKind.DELIVERIES_DEAD, subject="pager/webhook", number=3, example="http_400")
    (begun,) = bench.look(seen, tallies=(tally,)).begun
    assert (begun.telling.title, begun.tally) == ("3 deliveries to pager/webhook died", tally)
    assert begun.telling.text.startswith("http_400\n")
    news = bench.look(seen, tallies=(tally,))
    assert (news.begun, news.grown, news.ended) == ((), (tally,), ())
    bench.now = TEN + QUIET - MINUTE
    assert bench.told(seen) == []
    bench.now = TEN + QUIET
    assert bench.told(seen) == ["3 deliveries to pager/webhook died 10:00–10:00 UTC, none since"]  # noqa: RUF001


def test_a_reload_that_failed_and_alerts_that_are_unaccounted_for_are_told() -> None:
    bench = Bench()
    news = bench.look(Sight(reload_failure="x.yaml:1:1: route: bad", shortfall=Shortfall(alerts=2, faults=("f: 2",))))
    assert [each.telling.title for each in news.begun] == [
        "the configuration could not be reloaded",
        "alerts are unaccounted for",
    ]
    assert "x.yaml:1:1: route: bad" in news.begun[0].telling.text
    assert "2 in all\nf: 2" in news.begun[1].telling.text
    assert bench.told(Sight(reload_failure="another", shortfall=None)) == []  # still; and a new run knows nothing yet
    assert len(bench.told(Sight(shortfall=Shortfall(alerts=0)))) == 2


@pytest.mark.parametrize("kind", TroubleKind)
def test_every_kind_has_words_for_its_beginning_and_its_end(kind: TroubleKind) -> None:
    told = beginning(kind, "someone", "why", 1, page="https://bellwire.example")
    assert told.title
    assert told.text.startswith("why\n")
    assert told.text.endswith("\nhttps://bellwire.example")
    trouble = Trouble(kind=kind, subject="someone", text=told.title, began_at=TEN, number=1)
    over = ending(trouble, TEN + timedelta(days=1), ZoneInfo("Europe/Paris"))
    assert "2026-11-22 11:00 – 2026-11-23 11:00 CET" in over.title  # noqa: RUF001


class Arrivals:
    """A ledger that knows when the last alert came."""

    def __init__(self, last: datetime | None) -> None:
        self._last = last

    async def last_arrival(self, _account: AccountKey) -> datetime | None:
        return self._last


@pytest.mark.parametrize(("last", "silence"), [(None, 0.0), (TEN - timedelta(hours=2), 7200.0)])
async def test_silence_counts_from_the_last_alert_whichever_run_it_came_in(
    clock: FakeClock, last: datetime | None, silence: float
) -> None:
    silences = Silences(Arrivals(last), clock)  # type: ignore[arg-type]  # of the port it asks this only
    account = an_account(silence=3600.0)
    assert await silences.of([account]) == {VISION: silence}
    clock.step_wall(3600)  # a step of the wall is no silence
    await clock.advance(10)
    assert await silences.of([account]) == {VISION: silence + 10}
    heard = an_account(silence=3600.0, last_item_at=TEN)
    assert await silences.of([heard]) == {VISION: 0.0}
    assert await silences.of([]) == {}


def test_an_account_that_is_well_again_ends_its_trouble_though_nothing_else_is_said_of_it() -> None:
    bench = Bench()
    denied = Sight(channels=(PAGER,), accounts=(an_account(SourceState.UNAUTHORIZED, since=TEN),))
    assert len(bench.told(denied)) == 1
    well = Sight(channels=(PAGER,), well=frozenset({an_account().key.name}))
    (told,) = bench.told(well)
    assert told.startswith("account vision is authorized again")
    assert bench.told(well) == []

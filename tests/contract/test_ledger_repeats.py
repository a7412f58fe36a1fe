"""The ledger's contract for repeats, whatever database is under it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.model import MarkPolicy, Muting, Repetition
from bellwire.records import NewSilence, RateLimit
from bellwire.routing.intervals import Calendar, TimeInterval
from fakes import FakeClock
from ledger_moves import begin, due, outcome_of, send, states, story, take, totals
from makers import OPS, PAGER, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.model import ChannelKey
    from bellwire.records import Arrival, Claim

HOUR = 3600.0
DEAD: dict[str, Any] = {"verdict": Verdict.MESSAGE_FAULT, "reason": "http_400", "dead": True}


def alike(*channels: ChannelKey, key: str = "doors", within: float = HOUR, **values: Any) -> Arrival:
    """Return an arrival that repeats others of the key."""
    destination = {"repetition": Repetition(key=key, within=within)} | values.pop("destination", {})
    return an_arrival(*(channels or (PAGER,)), destination=destination, **values)


def said(claims: list[Claim]) -> list[tuple[list[str], int]]:
    return [([alert.id for alert in claim.message.alerts], claim.message.suppressed) for claim in claims]


async def test_a_repeat_waits_for_the_first_one_and_is_suppressed_once_that_is_sent(ledger: Ledger) -> None:
    first, second = ids(await ledger.record([alike(), alike()]))
    claims = await take(ledger)
    assert said(claims) == [([first], 0)]
    (waiting,) = (await story(ledger, second))["deliveries"]
    assert (waiting["state"], waiting["waits_for"]) == ("pending", "repeat")
    assert (await story(ledger, second))["obligations"][0]["detail"] == first
    await begin(ledger, claims)
    await ledger.settle(a_policy(), [outcome_of(claims[0])])
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}
    told = await story(ledger, second)
    assert (told["suppressed"], told["suppressed_by"]["id"], told["suppressed_by"]["title"]) == (
        "repeat",
        first,
        (await story(ledger, first))["title"],
    )
    assert await take(ledger) == []


async def test_what_comes_within_the_time_is_suppressed_and_the_next_message_says_how_many(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.record([alike(), alike()])
    await send(ledger)
    await clock.advance(HOUR - 1)
    (late,) = ids(await ledger.record([alike()]))
    assert await states(ledger) == {"delivered": 1, "suppressed": 2}
    assert (await story(ledger, late))["deliveries"] == []
    await clock.advance(1)
    (again,) = ids(await ledger.record([alike()]))
    assert said(await send(ledger)) == [([again], 2)]
    await clock.advance(HOUR)
    (third,) = ids(await ledger.record([alike()]))
    assert said(await send(ledger)) == [([third], 0)]


async def test_the_time_runs_from_the_confirmed_send(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([alike()])
    await clock.advance(3 * HOUR)
    await send(ledger)
    await clock.advance(HOUR - 1)
    await ledger.record([alike()])
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}


async def test_what_is_not_alike_or_goes_elsewhere_is_no_repeat(ledger: Ledger) -> None:
    await ledger.record([alike(), alike(key="windows"), an_arrival(PAGER), alike(OPS)])
    assert len(await take(ledger)) == 3
    assert len(await take(ledger, a_policy(OPS))) == 1


async def test_one_channel_may_have_it_as_a_repeat_while_another_still_waits(ledger: Ledger) -> None:
    await ledger.record([alike(PAGER, OPS)])
    await send(ledger)
    (second,) = ids(await ledger.record([alike(PAGER, OPS)]))
    assert await states(ledger) == {"in_flight": 2}
    told = {each["receiver"]: (each["state"], each["reason"]) for each in (await story(ledger, second))["obligations"]}
    assert told == {"pager": ("suppressed", "repeat"), "ops": ("open", "repeat")}
    await send(ledger, a_policy(OPS))
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}


async def test_if_the_first_one_dies_the_oldest_repeat_is_sent(ledger: Ledger) -> None:
    first, second, third = ids(await ledger.record([alike(), alike(), alike()]))
    assert said(await send(ledger, **DEAD)) == [([first], 0)]
    assert (await story(ledger, third))["obligations"][0]["detail"] == second
    assert said(await send(ledger)) == [([second], 0)]
    assert await states(ledger) == {"dead": 1, "delivered": 1, "suppressed": 1}
    assert (await story(ledger, third))["suppressed_by"]["id"] == second


async def test_if_every_one_of_them_dies_the_next_that_comes_leads(ledger: Ledger) -> None:
    await ledger.record([alike(), alike()])
    await send(ledger, **DEAD)
    await send(ledger, **DEAD)
    (fresh,) = ids(await ledger.record([alike()]))
    assert said(await send(ledger)) == [([fresh], 0)]
    assert await states(ledger) == {"dead": 2, "delivered": 1}


async def test_a_count_that_died_unheard_is_said_by_the_next(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([alike(), alike()])
    await send(ledger)
    await clock.advance(HOUR)
    await ledger.record([alike(), alike()])
    assert [number for _, number in said(await send(ledger, **DEAD))] == [1]
    assert [number for _, number in said(await send(ledger))] == [1]


async def test_a_retry_keeps_its_repeats_waiting(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([alike(), alike()])
    await send(ledger, verdict=Verdict.RETRY, reason="http_503", due_at=clock.now() + timedelta(seconds=5))
    assert await take(ledger) == []
    await clock.advance(5)
    assert len(await send(ledger)) == 1
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}


async def silence(ledger: Ledger, clock: FakeClock, matcher: str) -> None:
    now = clock.wall()
    new = NewSilence(
        matchers=(matcher,), starts_at=now, ends_at=now + timedelta(hours=1), author="mia", comment="mended"
    )
    await ledger.silences.add(new)


async def test_if_the_first_one_is_silenced_the_next_that_is_not_leads(ledger: Ledger, clock: FakeClock) -> None:
    quiet = alike(alert=an_alert(labels={"team": "doors"}))
    _, second, _ = ids(await ledger.record([quiet, alike(), alike()]))
    await silence(ledger, clock, 'team="doors"')
    claims = await take(ledger) or await take(ledger)
    assert said(claims) == [([second], 0)]
    await begin(ledger, claims)
    await ledger.settle(a_policy(), [outcome_of(claims[0])])
    assert await states(ledger) == {"delivered": 1, "suppressed": 2}


async def test_a_repeat_that_leads_is_looked_at_by_silences_in_its_turn(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([alike(alert=an_alert(labels={"team": "doors"})) for _ in range(3)])
    await silence(ledger, clock, 'team="doors"')
    assert await take(ledger) == []
    assert await states(ledger) == {"suppressed": 3}
    assert (await totals(ledger))["deliveries.suppressed"] >= 3


async def test_a_group_with_the_first_one_in_it_decides_for_its_repeats(ledger: Ledger) -> None:
    grouped = {"group_key": "g", "interval": 0.0}
    first, other, repeat = ids(
        await ledger.record(
            [alike(destination=grouped), alike(key="windows", destination=grouped), alike(destination=grouped)]
        )
    )
    assert said(await send(ledger)) == [([first, other], 0)]
    assert (await story(ledger, repeat))["suppressed_by"]["id"] == first


async def test_a_repeat_that_leads_goes_into_its_group(ledger: Ledger) -> None:
    grouped = {"group_key": "g", "interval": 0.0}
    await ledger.record([alike(destination=grouped), alike(destination=grouped)])
    await send(ledger, **DEAD)
    (claim,) = await take(ledger)
    assert (claim.message.group_key, claim.message.kind) == ("g", "group")


async def test_parts_of_a_group_decide_each_for_its_own(ledger: Ledger) -> None:
    grouped = {"group_key": "g", "interval": 0.0}
    policy = a_policy(max_alerts=1)
    one, two = ids(await ledger.record([alike(key=key, destination=grouped) for key in ("doors", "windows")]))
    repeats = ids(await ledger.record([alike(key=key, destination=grouped) for key in ("doors", "windows")]))
    assert said(await send(ledger, policy)) == [([one], 0)]
    assert await states(ledger) == {"delivered": 1, "suppressed": 1, "in_flight": 2}
    assert said(await send(ledger, policy, **DEAD)) == [([two], 0)]
    assert said(await send(ledger, policy)) == [([repeats[1]], 0)]


async def test_a_digest_of_a_rate_limit_decides_for_all_that_it_took_in(ledger: Ledger, clock: FakeClock) -> None:
    policy = a_policy(rate=RateLimit(per_second=1.0, burst=1, max_delay=30.0))
    await ledger.record([alike(key="a"), alike(key="b"), alike(key="a"), alike(key="b")])
    await clock.advance(31)
    assert [len(alerts) for alerts, _ in said(await send(ledger, policy))] == [2]
    assert await states(ledger) == {"delivered": 2, "suppressed": 2}
    await ledger.record([alike(key="a")])
    assert await states(ledger) == {"delivered": 2, "suppressed": 3}


async def test_a_message_says_how_many_for_all_of_its_keys(ledger: Ledger, clock: FakeClock) -> None:
    grouped = {"group_key": "g", "interval": 0.0}
    for _ in range(2):
        await ledger.record([alike(key=key, destination=grouped) for key in ("a", "b")])
        await send(ledger)
    await clock.advance(HOUR)
    await ledger.record([alike(key=key, destination=grouped) for key in ("a", "b")])
    assert [number for _, number in said(await send(ledger))] == [2]


async def test_a_repeat_that_leads_while_its_window_is_closed_is_dropped(ledger: Ledger) -> None:
    ledger.follow(Calendar(), UTC)
    muting = {"muting": Muting(mute=("always",))}
    await ledger.record([alike(destination=muting) for _ in range(3)])
    claims = await take(ledger)
    await begin(ledger, claims)
    ledger.follow(Calendar(intervals={"always": (TimeInterval(zone=UTC),)}), UTC)
    await ledger.settle(a_policy(), [outcome_of(claims[0], **DEAD)])
    assert await states(ledger) == {"dead": 1, "suppressed": 2}
    assert await take(ledger) == []


async def test_repeats_die_with_their_channel(ledger: Ledger) -> None:
    await ledger.record([alike(), alike(), alike()])
    assert await ledger.retire_channels([OPS]) >= 3
    assert await states(ledger) == {"dead": 3}


async def test_repeats_outlive_a_restart(ledger_url: str, clock: FakeClock) -> None:
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    await ledger.record([alike(), alike()])
    await take(ledger)
    await ledger.close()
    ledger = await Ledger.open(ledger_url, lambda _: clock)
    assert len(await send(ledger)) == 1
    assert await states(ledger) == {"delivered": 1, "suppressed": 1}
    await ledger.record([alike()])
    assert await states(ledger) == {"delivered": 1, "suppressed": 2}
    await ledger.close()


async def test_read_marks_follow_repeats(ledger: Ledger) -> None:
    await ledger.record([alike(mark=MarkPolicy.HANDLED), alike(mark=MarkPolicy.HANDLED)])
    await send(ledger)
    assert len(await due(ledger)) == 2


@pytest.mark.parametrize(("unsaid", "kept"), [(0, 0), (1, 1)])
async def test_retention_forgets_what_has_passed_but_not_a_count_that_nobody_heard(
    ledger: Ledger, clock: FakeClock, unsaid: int, kept: int
) -> None:
    await ledger.record([alike() for _ in range(1 + unsaid)])
    await send(ledger)
    await clock.advance(HOUR)
    await ledger.forget_passed(clock.now() - timedelta(seconds=1))
    await ledger.record([alike()])
    assert [number for _, number in said(await send(ledger))] == [kept]
    await clock.advance(2 * HOUR)
    await ledger.forget_passed(clock.now())
    await ledger.record([alike()])
    assert [number for _, number in said(await send(ledger))] == [0]


async def test_an_alert_of_no_rule_for_repeats_asks_nothing_of_them(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(3)])
    await send(ledger)
    assert ledger._facts.repeats is False  # noqa: SLF001 - that nothing was looked up shows nowhere else


# --- against a plain model -------------------------------------------------------------------------------------------


class Model:
    """What repeats of one key on one channel come to, in as few words as there are."""

    def __init__(self) -> None:
        self.settled = {"delivered": 0, "dead": 0, "suppressed": 0}
        self.leads = False
        self.waiting = 0
        self.unsaid = 0
        self.sent_at: datetime | None = None

    def arrive(self, now: datetime) -> None:
        if self.leads:
            self.waiting += 1
        elif self.sent_at and now < self.sent_at + timedelta(seconds=HOUR):
            self.unsaid += 1
            self.settled["suppressed"] += 1
        else:
            self.leads = True

    def sent(self, now: datetime) -> None:
        self.settled["delivered"] += 1
        self.settled["suppressed"] += self.waiting
        self.leads, self.unsaid, self.waiting, self.sent_at = False, self.waiting, 0, now

    def fell(self, state: str) -> None:
        """The first one died, or was suppressed."""
        self.settled[state] += 1
        self.leads, self.sent_at = self.waiting > 0, None
        self.waiting = max(0, self.waiting - 1)

    @property
    def states(self) -> dict[str, int]:
        all_ = self.settled | {"in_flight": self.waiting + self.leads}
        return {state: number for state, number in all_.items() if number}


@settings(max_examples=15, deadline=None, database=None)
@given(acts=st.lists(st.sampled_from(["arrive", "arrive", "send", "die", "hush", "wait"]), max_size=25))
def test_repeats_agree_with_a_plain_model(tmp_path_factory: pytest.TempPathFactory, acts: list[str]) -> None:
    asyncio.run(_act(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db", acts))


async def _act(url: str, acts: list[str]) -> None:
    clock, model = FakeClock(), Model()
    ledger = await Ledger.open(url, lambda _: clock)
    try:
        for act in acts:
            if act == "arrive":
                await ledger.record([alike()])
                model.arrive(clock.now())
            elif act == "wait":
                await clock.advance(HOUR / 2 + 1)
            elif act == "hush" and model.leads:
                # Everything that waits is silenced, each in its turn.
                while model.leads:
                    model.fell("suppressed")
                now = clock.wall()
                quiet = {"starts_at": now, "ends_at": now + timedelta(seconds=1), "author": "a", "comment": "c"}
                await ledger.silences.add(NewSilence(matchers=('account="vision"',), **quiet))
                for _ in range(4):  # one claim looks only so far
                    assert await take(ledger) == []
                await clock.advance(1)
            elif act in {"send", "die"}:
                claims = await send(ledger, **(DEAD if act == "die" else {}))
                assert [claim.message.suppressed for claim in claims] == [model.unsaid] * model.leads
                if claims and act == "send":
                    model.sent(clock.now())
                elif claims:
                    model.fell("dead")
            assert await states(ledger) == model.states
    finally:
        await ledger.close()

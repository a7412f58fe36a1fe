"""Whatever comes, in whatever order: settlement follows from obligations, and every alert is accounted for."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.reading import explain_alert, read_totals
from bellwire.model import ChannelKey, DeliveryState, MarkPolicy, ObligationState
from bellwire.records import Fallback, LetterOrder, RateLimit
from bellwire.states import settle
from conftest import DATABASES
from fakes import FakeClock
from ledger_rig import deliveries, end, states, take
from makers import OPS, PAGER, VISION, a_policy, an_arrival, ids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bellwire.records import ChannelPolicy, Claim

DESK = ChannelKey(receiver="desk", kind="email", name="desk@example.com")
DESK_HOOK = ChannelKey(receiver="desk", kind="webhook")
TO_OPS, TO_DESK = Fallback(receiver="ops", channels=(OPS,)), Fallback(receiver="desk", channels=(DESK, DESK_HOOK))
POLICIES: dict[ChannelKey, ChannelPolicy] = {
    PAGER: a_policy(PAGER, fallbacks=(TO_OPS, TO_DESK), fallback_after=60.0, max_alerts=2, lease=3600),
    OPS: a_policy(
        OPS,
        fallbacks=(TO_DESK,),
        fallback_after=120.0,
        max_alerts=3,
        rate=RateLimit(per_second=1, burst=5, max_delay=30),
    ),
    DESK: a_policy(DESK, max_alerts=2),
    DESK_HOOK: a_policy(DESK_HOOK),
}
RECEIVERS = {name: tuple(p for key, p in POLICIES.items() if key.receiver == name) for name in ("pager", "ops", "desk")}

channels = st.sampled_from(list(POLICIES))
OUTCOMES: dict[str, dict[str, Any]] = {
    "sent": {},
    "retry": {"verdict": Verdict.RETRY, "reason": "http_503"},
    "in doubt": {"verdict": Verdict.IN_DOUBT, "reason": "timeout", "doubtful": True},
    "channel": {"verdict": Verdict.CHANNEL_FAULT, "reason": "http_401"},
    "dead": {"verdict": Verdict.MESSAGE_FAULT, "reason": "http_400", "dead": True},
}
STEPS = st.one_of(
    st.tuples(
        st.just("record"),
        st.sets(channels, min_size=1, max_size=3),
        st.sampled_from(list(MarkPolicy)),
        st.sampled_from(["", "g"]),
        st.integers(1, 3),
    ),
    st.tuples(st.just("take"), channels, st.integers(1, 4)),
    st.tuples(st.just("end"), st.sampled_from(list(OUTCOMES))),
    st.tuples(st.just("wait"), st.sampled_from([1, 31, 61, 121])),
    st.tuples(st.just("fall back")),
    st.tuples(st.just("replay"), st.sampled_from([None, "pager", "ops", "desk"])),
    st.tuples(st.just("resend"), st.sampled_from([None, "ops"])),
    st.tuples(st.just("abandon"), st.integers(0, 3)),
    st.tuples(st.just("read"), st.integers(0, 5)),
    st.tuples(st.just("remove"), channels),
)


class World:
    """A ledger, what is being sent, and every alert that there ever was."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.sending: list[tuple[ChannelPolicy, Claim]] = []
        self.alerts: dict[str, str] = {}  # each with its item

    async def do(self, name: str, *values: Any) -> None:
        verbs: dict[str, Callable[..., Awaitable[None]]] = {
            "record": self.record,
            "take": self.take,
            "end": self.end,
            "wait": self.clock.advance,
            "fall back": self.fall_back,
            "replay": self.replay,
            "resend": self.resend,
            "abandon": self.abandon,
            "read": self.read,
            "remove": self.remove,
        }
        await verbs[name](*values)

    async def record(self, keys: set[ChannelKey], mark: MarkPolicy, group: str, number: int) -> None:
        where = {"group_key": group, "interval": 5}
        arrivals = [an_arrival(*sorted(keys, key=str), mark=mark, destination=where) for _ in range(number)]
        recorded = ids(await self.ledger.record(arrivals))
        self.alerts |= {alert_id: each.alert.upstream_id for alert_id, each in zip(recorded, arrivals, strict=True)}

    async def take(self, key: ChannelKey, limit: int) -> None:
        policy = POLICIES[key]
        self.sending += [(policy, claim) for claim in await take(self.ledger, policy, limit)]

    async def end(self, outcome: str) -> None:
        if self.sending:
            policy, claim = self.sending.pop(0)
            values = OUTCOMES[outcome]
            due = {"due_at": self.clock.now() + timedelta(seconds=1)} if values and not values.get("dead") else {}
            await end(self.ledger, policy, [claim], **{"doubtful": claim.doubtful} | values | due)

    async def fall_back(self) -> None:
        await self.ledger.fall_back([policy for policy in POLICIES.values() if policy.fallbacks])

    async def replay(self, to: str | None) -> None:
        await self.ledger.letters.replay(LetterOrder(to=to, who="x"), RECEIVERS)

    async def resend(self, to: str | None) -> None:
        sent = [each["id"] for each in await deliveries(self.ledger, DeliveryState.SENT)]
        if sent:
            await self.ledger.letters.replay(LetterOrder(deliveries=(sent[0],), to=to, who="x"), RECEIVERS)

    async def abandon(self, number: int) -> None:
        dead = [each["id"] for each in await deliveries(self.ledger, DeliveryState.DEAD)][:number]
        if dead:
            await self.ledger.letters.abandon(LetterOrder(deliveries=tuple(dead), who="x"))

    async def read(self, number: int) -> None:
        items = list(self.alerts.values())[:number]
        await self.ledger.read_upstream(VISION, items, "list")

    async def remove(self, key: ChannelKey) -> None:
        await self.ledger.retire_channels([each for each in POLICIES if each != key], {"pager": (TO_DESK,)})

    async def check(self) -> None:
        """Hold what must be true at every moment."""
        await states(self.ledger)
        for told in await self.ledger.ask(lambda connection: [explain_alert(connection, each) for each in self.alerts]):
            owed = [ObligationState(each["state"]) for each in told["obligations"]]
            assert told["state"] is settle(owed), (told["id"], owed)
            places = [(each["receiver"], each["channel"], each["name"]) for each in told["obligations"]]
            assert len(places) == len(set(places))
        totals = await self.ledger.ask(read_totals)
        found = [each["state"] for each in await deliveries(self.ledger)]
        assert {state.value: totals.get(f"deliveries.{state}", 0) for state in DeliveryState} == {
            state.value: found.count(state) for state in DeliveryState
        }

    async def come_to_rest(self) -> None:
        """Let everything be sent that is owed, until nothing is in flight."""
        for _ in itertools.repeat(None, 60):
            await self.clock.advance(400)
            while self.sending:
                await self.end("sent")
            for key in POLICIES:
                await self.take(key, 100)
            # that nothing could be taken is no rest: a group may have been put off to its next interval
            if not self.sending and "in_flight" not in await states(self.ledger):
                return
        pytest.fail("it does not come to rest")


async def live(url: str, steps: list[tuple[Any, ...]]) -> None:
    clock = FakeClock()
    ledger = await Ledger.open(url, lambda _last: clock)
    try:
        world = World(ledger, clock)
        for step in steps:
            await world.do(*step)
            await world.check()
        await world.come_to_rest()
        await world.check()
    finally:
        await ledger.close()


@pytest.mark.parametrize("database", DATABASES)
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEPS, min_size=3, max_size=25))
def test_every_alert_is_accounted_for_whatever_comes(database: str, steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(DATABASES[database](Path(folder)), steps))

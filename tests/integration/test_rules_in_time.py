"""Rules that look at time and at other alerts: from the configuration through intake and ledger to what is sent.

The clock stands at Sunday, 2026-11-22, 10:00 UTC.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from bellwire.assembly import channels_of, rulebook_of
from bellwire.config.schema import Config
from bellwire.dispatch import Dispatch, Lane
from bellwire.intake import Intake, Mailbox
from bellwire.metrics import Metrics
from bellwire.model import Message, Notification, Receipt, Severity, Via
from fakes import settle
from ledger_moves import states
from makers import VISION

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Envelope
    from fakes import FakeClock

HOUR = 3600.0

CONFIG = {
    "route": {
        "receiver": "ops",
        "routes": [
            {"matchers": ['type="held"'], "mute_time_intervals": ["morning"], "muted": "hold"},
            {"matchers": ['type="dropped"'], "mute_time_intervals": ["morning"]},
            {"matchers": ['type="daily"'], "digest": "0 13 * * sun"},
            {"matchers": ['type="again"'], "suppress_repeats": "1h", "dedupe_by": ["title"]},
        ],
    },
    "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}],
    "time_intervals": [
        {"name": "morning", "time_intervals": [{"times": [{"start_time": "08:00", "end_time": "12:00"}]}]}
    ],
    "inhibit_rules": [
        {"source_matchers": ['type="outage"'], "target_matchers": ['severity<"error"'], "equal": ["account"]}
    ],
}


class Sink:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def render(self, message: Message) -> bytes:
        self.messages.append(message)
        return b""

    async def send(self, envelope: Envelope) -> Receipt:
        del envelope
        return Receipt(detail="")

    @property
    def titles(self) -> list[list[str]]:
        return [[alert.title for alert in message.alerts] for message in self.messages]


class Bench:
    """Intake and dispatch over a ledger, by `CONFIG`."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        config = Config.model_validate(CONFIG)
        rulebook = rulebook_of(config)
        self.metrics = Metrics()
        ledger.on_suppressed = self.metrics.count_suppressed
        ledger.follow(rulebook.rules.calendar, rulebook.rules.zone)
        self._ledger, self._clock = ledger, clock
        self._intake = Intake(ledger, clock, self.metrics, rulebook, {VISION: Mailbox(api="visual_layer")})
        self.sink = Sink()
        ((_, plan),) = channels_of(config).items()
        lane = Lane(policy=plan.policy, channel=self.sink, width=4)
        self._dispatch = Dispatch(lane, ledger, clock, self.metrics, random.Random(1))
        self._numbers = iter(range(1000))

    async def see(self, type_: str, title: str = "T", severity: Severity = Severity.ERROR) -> None:
        item = {"upstream_id": f"n{next(self._numbers)}", "type": type_, "severity": severity, "title": title}
        await self._intake.receive(VISION, [Notification(**item)], Via.STREAM)  # type: ignore[arg-type]  # one dict for all

    async def send_for(self, seconds: float) -> None:
        """Dispatch for so long."""
        running = asyncio.create_task(self._dispatch.run())
        try:
            for _ in range(4):
                await self._rest()
            await self._clock.advance(seconds)
            for _ in range(8):
                await self._rest()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _rest(self) -> None:
        await settle()
        await self._ledger.ping()
        await settle()

    def suppressed(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("bellwire_suppressed_total", {"reason": reason}) or 0.0


async def test_an_outage_inhibits_what_is_less(ledger: Ledger, clock: FakeClock) -> None:
    bench = Bench(ledger, clock)
    await bench.see("outage", "source")
    await bench.see("x", "less", Severity.WARNING)
    await bench.see("x", "as bad")
    await bench.send_for(1)
    assert sorted(bench.sink.titles) == [["as bad"], ["source"]]
    assert bench.suppressed("inhibited") == 1


async def test_windows_and_digests_send_each_at_its_time(ledger: Ledger, clock: FakeClock) -> None:
    bench = Bench(ledger, clock)
    for type_ in ("held", "dropped", "daily", "held", "daily", "plain"):
        await bench.see(type_, type_)
    await bench.send_for(1)
    assert bench.sink.titles == [["plain"]]
    await bench.send_for(2 * HOUR)
    assert bench.sink.titles[1:] == [["held", "held"]]
    await bench.send_for(HOUR)
    assert bench.sink.titles[2:] == [["daily", "daily"]]
    assert bench.suppressed("muted") == 1
    assert await states(ledger) == {"delivered": 5, "suppressed": 1}


async def test_repeats_are_sent_once_and_counted(ledger: Ledger, clock: FakeClock) -> None:
    bench = Bench(ledger, clock)
    for _ in range(3):
        await bench.see("again", "same")
    await bench.see("again", "other")
    await bench.send_for(1)
    assert sorted(bench.sink.titles) == [["other"], ["same"]]
    await bench.send_for(HOUR)
    await bench.see("again", "same")
    await bench.send_for(1)
    assert (bench.sink.titles[2:], bench.sink.messages[-1].suppressed) == ([["same"]], 2)
    assert bench.suppressed("repeat") == 2

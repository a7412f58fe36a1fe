"""A stage for tests of rules: the real intake, the real ledger and the real channels, on a clock that is turned by hand.

What a channel would send is kept instead. Sends succeed, and rate limits are lifted: what is tested is what the rules say.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bellwire.assembly import channels_of, rulebook_of, stationery_of
from bellwire.channels import CHANNELS
from bellwire.channels.text import headline
from bellwire.channels.wording import Wording
from bellwire.config.schema import WebhookConfig
from bellwire.errors import BellwireError
from bellwire.http import HttpPool
from bellwire.intake import Intake
from bellwire.ledger.ledger import Ledger
from bellwire.metrics import Metrics
from bellwire.model import Via
from bellwire.records import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from bellwire.config.schema import ChannelConfig, Config
    from bellwire.intake import Rulebook
    from bellwire.model import ChannelKey, Message
    from bellwire.ports import Channel
    from bellwire.records import ChannelPolicy, Claim
    from bellwire.rehearsal.samples import Sample

_AT_ONCE = 100  # claims
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(milliseconds=1)
_MOST_MOMENTS = 100_000
_LONGEST = 1_000_000  # characters of a rendered text


class StageClock:
    """`bellwire.ports.Clock`, at whatever time the stage says: time passes for nobody who waits on it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the time."""
        return self.at

    def wall(self) -> datetime:
        """Return the same time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        del seconds
        await asyncio.sleep(0)

    def alarm(self, seconds: float, callback: Callable[[], None]) -> asyncio.Handle:
        """Have ``callback`` called in a moment."""
        del seconds
        return asyncio.get_running_loop().call_soon(callback)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Let others run, and say whether the event has happened."""
        del seconds
        await asyncio.sleep(0)
        return event.is_set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A message that a channel would have sent. ``error`` says why it could not be made as its templates have it."""

    key: ChannelKey
    at: datetime
    message: Message
    title: str
    text: str
    error: str = ""


@dataclass(kw_only=True)
class Stage:
    """One test's play. Let alerts `arrive`, `advance` the time, and look at ``sent``."""

    clock: StageClock
    ledger: Ledger
    rulebook: Rulebook
    desks: Mapping[ChannelKey, Desk]
    sent: list[Sent] = field(default_factory=list)

    async def arrive(self, sample: Sample) -> None:
        """Let an alert come now."""
        intake = Intake(self.ledger, self.clock, Metrics(), self.rulebook, {sample.account: sample.mailbox})
        await intake.receive(sample.account, [sample.notification], Via.STREAM, sample.labels)

    async def advance(self, until: datetime) -> None:
        """Send what becomes due up to and at ``until``, in its order. Raises `BellwireError` if there is no end to it."""
        for _ in range(_MOST_MOMENTS):
            due = await self._send_due()
            if due is None or due > until:
                self.clock.at = max(self.clock.at, until)
                return
            self.clock.at = max(due, self.clock.at + _MOMENT)
        msg = f"more than {_MOST_MOMENTS:,} messages became due: make run_for shorter"
        raise BellwireError(msg)

    async def _send_due(self) -> datetime | None:
        """Send all that is due now; return when there is more."""
        following: list[datetime] = []
        for desk in self.desks.values():
            while True:
                claims = await self.ledger.claim(desk.policy, _AT_ONCE)
                if not claims.claims:
                    break
                await self._send(desk, claims.claims)
            if claims.next_due is not None:
                following.append(claims.next_due)
        return min(following, default=None)

    async def _send(self, desk: Desk, claims: tuple[Claim, ...]) -> None:
        made = [desk.make(claim.message, self.clock.at) for claim in claims]
        starts = [claim.start(b"{}") for claim in claims]
        ours = await self.ledger.start(desk.policy, starts)
        sent = [pair for pair, is_ours in zip(zip(claims, made, strict=True), ours, strict=True) if is_ours]
        self.sent += [each for _, each in sent]
        outcomes = [
            Outcome(delivery_id=claim.message.delivery_id, attempt=claim.attempts + 1, detail="rehearsed")
            for claim, _ in sent
        ]
        await self.ledger.settle(desk.policy, outcomes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A channel without the way to its other side."""

    policy: ChannelPolicy
    channel: Channel
    words: Wording

    def make(self, message: Message, at: datetime) -> Sent:
        """Make a message as it would be sent."""
        own = replace(message, own_form=True)
        title, text, error = headline(own, _LONGEST), "\n".join(each.message for each in message.alerts), ""
        try:
            self.channel.render(message)
            title = self.words.title(message, _LONGEST) or title
            text = self.words.text(message, _LONGEST) or text
        except Exception as failure:  # noqa: BLE001 -- whatever it is, it is what the test is to show
            error = f"{type(failure).__name__}: {failure}"
        return Sent(key=self.policy.key, at=at, message=message, title=title, text=text, error=error)


@asynccontextmanager
async def theatre_of(config: Config) -> AsyncIterator[Theatre]:
    """Give what all tests of a configuration share; it leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="bellwire-test-", dir=_memory()) as folder:
        empty = await Ledger.open(f"sqlite:///{folder}/empty.db", lambda _last: StageClock(_EPOCH))
        await empty.close()
        pool = HttpPool()
        try:
            yield Theatre(config, Path(folder), pool)
        finally:
            await pool.close()


def _memory() -> str | None:
    """Return a folder that is memory, where there is one: each commit waits for the disk, and here nothing must last."""
    memory = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own
    return str(memory) if os.access(memory, os.W_OK) else None


def _unsigned(settings: ChannelConfig) -> ChannelConfig:
    """Return the settings without what only sending needs, and whoever tests rules may not be able to read."""
    if isinstance(settings, WebhookConfig):
        return settings.model_copy(update={"signing_secret": None, "signing_secrets": [], "headers": {}})
    return settings


class Theatre:
    """Opens a stage for each test."""

    def __init__(self, config: Config, folder: Path, pool: HttpPool) -> None:
        self._folder = folder
        self.config = config
        self.rulebook = rulebook_of(config)
        self._stages = 0
        stationery = stationery_of(config)
        self._desks: dict[ChannelKey, Desk] = {}
        for key, plan in channels_of(config).items():
            words = Wording(key.kind, plan.settings, stationery)
            channel = CHANNELS[key.kind].build(_unsigned(plan.settings), pool, words)
            policy = replace(plan.policy, rate=None, fallbacks=())
            self._desks[key] = Desk(policy=policy, channel=channel, words=words)

    @asynccontextmanager
    async def stage(self, at: datetime) -> AsyncIterator[Stage]:
        """Give an empty stage whose clock stands at ``at``."""
        self._stages += 1
        path = self._folder / f"{self._stages}.db"
        shutil.copyfile(self._folder / "empty.db", path)
        clock = StageClock(at)
        ledger = await Ledger.open(f"sqlite:///{path}", lambda _last: clock)
        try:
            ledger.follow(self.rulebook.rules.calendar, self.rulebook.rules.zone)
            yield Stage(clock=clock, ledger=ledger, rulebook=self.rulebook, desks=self._desks)
        finally:
            await ledger.close()
            for left in self._folder.glob(f"{self._stages}.db*"):
                left.unlink()

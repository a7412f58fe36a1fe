"""The demo: the reference server and the daemon as processes, receivers on real sockets, and alerts on their way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import shlex
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from bellwire.demo.configuration import provide
from bellwire.demo.processes import DemoError, check, running, until
from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.demo.receivers.slack import SlackApi
from bellwire.demo.receivers.smtp import SmtpInbox
from bellwire.demo.scenario import BATCH, RECEIVERS, Happening, happenings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

API, USER = "visual_layer", "demo"
_PAUSE = 0.4  # seconds between two notifications
_SETTLING = 30.0  # seconds that what was emitted may take to arrive
_STARTING = 60.0  # seconds that the daemon may take to be ready
_POLL = 0.2
_EVERY = 10  # notifications between two lines of counts


@dataclass(kw_only=True)
class Tally:
    """What was emitted and what came of it: receivers by name, each with the batches it got."""

    emitted: dict[str, Happening] = field(default_factory=dict)
    got: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in RECEIVERS})
    read: set[str] = field(default_factory=set)

    def expected(self, receiver: str) -> set[str]:
        """Return what a receiver must get."""
        return {batch for batch, happening in self.emitted.items() if receiver in happening.receivers}

    def expected_read(self) -> set[str]:
        """Return what must be marked as read."""
        return {batch for batch, happening in self.emitted.items() if happening.receivers}

    def adds_up(self) -> bool:
        """Return whether each got just what it must, and what is read is just what was delivered."""
        return self.read == self.expected_read() and all(self.got[name] == self.expected(name) for name in RECEIVERS)

    def line(self) -> str:
        """Return the present counts in one line."""
        got = "   ".join(f"{name} {len(self.got[name])}" for name in RECEIVERS)
        return f"emitted {len(self.emitted)}   {got}   marked as read {len(self.read)}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs in a demo, and where it is reached."""

    slack: SlackApi
    mailbox: SmtpInbox
    pager: WebhookReceiver
    session: aiohttp.ClientSession
    daemon: asyncio.subprocess.Process
    log: Path
    web: str
    reference: str
    generated: bool

    @property
    def control(self) -> str:
        """Where notifications are emitted and listed."""
        return f"{self.reference}/control/{API}/{USER}/items"

    def arrived(self) -> dict[str, list[str]]:
        """Return every message as text, by receiver."""
        return {
            "ops": [
                orjson.dumps(message.content, option=orjson.OPT_INDENT_2).decode() for message in self.slack.messages
            ],
            "mailbox": [mail.raw.decode("utf-8", "replace") for mail in self.mailbox.messages],
            "pager": [request.body.decode("utf-8", "replace") for request in self.pager.messages],
        }


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Start everything in ``folder``, the daemon last; at the end everything is closed and no process is left."""
    folder.mkdir(parents=True, exist_ok=True)
    ready, config = folder / "reference.url", folder / "bellwire.yaml"
    for old in (*folder.glob("ledger.db*"), ready):
        old.unlink(missing_ok=True)
    generated = provide(config)
    key, secret = secrets.token_hex(8), secrets.token_hex(32)
    signing = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    reference_args = (
        "reference",
        "--listen",
        "127.0.0.1:0",
        "--ready-file",
        str(ready),
        "--key",
        f"{USER}={key}:{secret}",
    )
    reference_log, log = folder / "reference.log", folder / "bellwire.log"
    async with (
        SlackApi() as slack,
        SmtpInbox() as mailbox,
        WebhookReceiver(secrets=[signing]) as pager,
        aiohttp.ClientSession() as session,
        running(reference_args, reference_log) as reference,
    ):
        url = await until(ready, reference, reference_log)
        web = f"127.0.0.1:{_free_port()}"
        environ = {
            "DEMO_LEDGER": f"sqlite:///{folder.absolute() / 'ledger.db'}",
            "DEMO_WEB": web,
            "DEMO_NOTIFICATIONS": f"{url}/{API}",
            "DEMO_API_KEY": key,
            "DEMO_API_SECRET": secret,
            "DEMO_SLACK": slack.url,
            "DEMO_SLACK_TOKEN": slack.token,
            "DEMO_SMTP": mailbox.smarthost,
            "DEMO_WEBHOOK": pager.url,
            "DEMO_SIGNING_SECRET": signing,
        }
        _keep_environ(folder / "env.sh", environ)
        async with running(("run", "--config", str(config)), log, environ) as daemon:
            yield Stage(
                slack=slack,
                mailbox=mailbox,
                pager=pager,
                session=session,
                daemon=daemon,
                log=log,
                web=web,
                reference=url,
                generated=generated,
            )


class Demo:
    """One run of the demo in ``folder``; ``say`` prints a line."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self.tally = Tally()

    async def run(self, seconds: float | None) -> bool:
        """Run for ``seconds`` and return whether everything added up, or (None) until cancelled.

        Whenever it is cancelled, everything is ended in order before it raises.
        """
        async with staged(self._folder) as stage:
            await self._ready(stage)
            self._say_where(stage)
            follow = asyncio.create_task(self._follow(stage))
            try:
                await self._emit(stage, seconds)
                return await self._verdict(stage)
            finally:
                follow.cancel()
                await asyncio.gather(follow, return_exceptions=True)
                self._keep(stage)

    async def _ready(self, stage: Stage) -> None:
        """Wait until the daemon is; DemoError if it never is."""
        why = "nothing answers there"
        try:
            async with asyncio.timeout(_STARTING):
                while True:
                    check(stage.daemon, stage.log)
                    with contextlib.suppress(aiohttp.ClientError):
                        async with stage.session.get(f"http://{stage.web}/-/ready") as answer:
                            if answer.ok:
                                return
                            why = (await answer.text()).strip()
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            msg = f"the daemon is not ready after {_STARTING:.0f} s ({why}); {stage.log} may say why"
            raise DemoError(msg) from None

    def _say_where(self, stage: Stage) -> None:
        self._say("Bellwire is running.")
        self._say(f"  status page         http://{stage.web}/")
        self._say(f"  its configuration   {self._folder / 'bellwire.yaml'}   (change it and run the demo again)")
        self._say(f"  its log             {stage.log}")
        program = os.path.relpath(Path(sys.executable).with_name("bellwire"))
        commands = f". {self._folder / 'env.sh'}; {program} audit --config {self._folder / 'bellwire.yaml'}"
        self._say(f"  commands            {commands}   (or explain ALERT, alerts, deliveries)")
        self._say(f"  reference server    {stage.reference}/docs")
        self._say(f"  what arrived        {self._folder / 'received'}   (written at the end)")
        self._say("Ctrl-C ends everything.")

    async def _emit(self, stage: Stage, seconds: float | None) -> None:
        """Emit a notification every now and then, for so long or for ever."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, happening in enumerate(happenings()):
            check(stage.daemon, stage.log)
            async with stage.session.post(stage.control, json=[happening.item]) as answer:
                answer.raise_for_status()
            self.tally.emitted[happening.batch] = happening
            if number % _EVERY == 0:
                self._say(self.tally.line())
            await asyncio.sleep(_PAUSE)
            if seconds is not None and loop.time() - began >= seconds:
                return

    async def _follow(self, stage: Stage) -> None:
        """Keep the tally of what has arrived and what is read."""
        while True:
            for name, texts in stage.arrived().items():
                self.tally.got[name] = {batch for text in texts for batch in BATCH.findall(text)}
            with contextlib.suppress(aiohttp.ClientError):
                async with stage.session.get(stage.control) as answer:
                    items: list[dict[str, Any]] = await answer.json()
                self.tally.read = {each["item"]["metadata"]["batch_id"] for each in items if each["is_read"]}
            await asyncio.sleep(_POLL)

    async def _verdict(self, stage: Stage) -> bool:
        """Wait until everything has arrived, say what came of it, and return whether it adds up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLING
        while True:
            check(stage.daemon, stage.log)
            balance = await self._balance(stage)
            settled = self._settled(balance)
            if (settled and (self.tally.adds_up() or not stage.generated)) or loop.time() > deadline:
                break
            await asyncio.sleep(_POLL)
        self._say(f"emitted              {len(self.tally.emitted):4}")
        for name in RECEIVERS:
            expected = f"   of {len(self.tally.expected(name))}" if stage.generated else ""
            self._say(f"forwarded to {name:8}{len(self.tally.got[name]):4}{expected}")
        expected = f"   of {len(self.tally.expected_read())}" if stage.generated else ""
        self._say(f"marked as read       {len(self.tally.read):4}{expected}")
        self._say(f"dropped by a rule    {balance['states']['suppressed']:4}")
        self._say(f"unaccounted          {balance['unaccounted']:4}")
        good = settled and (self.tally.adds_up() or not stage.generated)
        self._say("It adds up." if good else f"It does not add up: {stage.log} may say why.")
        return good

    async def _balance(self, stage: Stage) -> dict[str, Any]:
        async with stage.session.get(f"http://{stage.web}/api/v1/audit") as answer:
            answer.raise_for_status()
            balance: dict[str, Any] = await answer.json()
        return balance

    def _settled(self, balance: dict[str, Any]) -> bool:
        """Return whether the ledger has settled all that was emitted, and the vendor shows just the delivered as read."""
        states: dict[str, int] = balance["states"]
        all_in = balance["received"] == len(self.tally.emitted) and balance["unaccounted"] == 0
        return bool(
            all_in and states["in_flight"] == states["dead"] == 0 and states["delivered"] == len(self.tally.read)
        )

    def _keep(self, stage: Stage) -> None:
        """Write what arrived to files, one a receiver."""
        received = self._folder / "received"
        received.mkdir(exist_ok=True)
        for name, texts in stage.arrived().items():
            (received / f"{name}.txt").write_text("\n\n".join(texts), encoding="utf-8")


def _keep_environ(path: Path, environ: Mapping[str, str]) -> None:
    """Write the variables that the configuration asks for, so that the user's own commands find them."""
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in environ.items()), "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

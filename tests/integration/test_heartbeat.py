"""The heartbeat over real HTTP: it beats while every part moves, and is silent when one does not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bellwire.app import App, opened
from bellwire.config.schema import Config, HeartbeatConfig
from bellwire.demo.receivers.http import Reply, WebhookReceiver
from bellwire.dispatch import Dispatch
from bellwire.http import HttpPool
from bellwire.meta.heartbeat import Heartbeat
from bellwire.metrics import Metrics
from harness import eventually
from ledger_lock import locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes import FakeClock


@pytest.fixture
async def switch() -> AsyncIterator[WebhookReceiver]:
    """A dead-man's switch."""
    async with WebhookReceiver() as receiver:
        yield receiver


@asynccontextmanager
async def beating(url: str, clock: FakeClock, metrics: Metrics, stalled: list[str]) -> AsyncIterator[Heartbeat]:
    async def reasons() -> list[str]:
        return list(stalled)

    pool = HttpPool()
    heartbeat = Heartbeat(HeartbeatConfig(url=SecretStr(url)), pool, reasons, clock, metrics)
    task = asyncio.create_task(heartbeat.run())
    try:
        yield heartbeat
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pool.close()


async def beats(metrics: Metrics, outcome: str, number: int) -> None:
    """Wait until at least so many beats had this outcome."""
    labels = {"outcome": outcome}
    value = metrics.registry.get_sample_value
    await eventually(lambda: (value("bellwire_heartbeats_total", labels) or 0) >= number)


async def test_it_calls_the_address_every_interval(switch: WebhookReceiver, clock: FakeClock) -> None:
    metrics = Metrics()
    async with beating(switch.url, clock, metrics, []) as heartbeat:
        await beats(metrics, "sent", 1)
        await clock.advance(59)
        assert len(switch.messages) == 1
        await clock.advance(1)
        await beats(metrics, "sent", 2)
        assert heartbeat.pulse.last_success_at == clock.wall()
    assert [request.method for request in switch.messages] == ["GET", "GET"]


async def test_it_is_silent_while_a_part_makes_no_progress(switch: WebhookReceiver, clock: FakeClock) -> None:
    metrics, stalled = Metrics(), ["dispatch to pager/webhook has made no progress for 20 s"]
    with capture_logs() as logs:
        async with beating(switch.url, clock, metrics, stalled) as heartbeat:
            for number in range(1, 4):
                await beats(metrics, "withheld", number)
                await clock.advance(60)
            assert switch.messages == []
            assert heartbeat.pulse.withheld == stalled[0]
            stalled.clear()
            await clock.advance(60)
            await beats(metrics, "sent", 1)
            assert heartbeat.pulse.withheld is None
    assert [log["event"] for log in logs] == ["heartbeat_withheld", "heartbeat_beats_again"]


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=302, headers={"Location": "/"}), Reply(drop=True)])
async def test_a_call_that_fails_is_logged_once_and_counted_each_time(
    switch: WebhookReceiver, clock: FakeClock, reply: Reply
) -> None:
    metrics = Metrics()
    switch.otherwise = reply
    with capture_logs() as logs:
        async with beating(switch.url, clock, metrics, []) as heartbeat:
            for number in range(1, 4):
                await beats(metrics, "failed", number)
                await clock.advance(60)
            assert heartbeat.pulse.failing
            assert heartbeat.pulse.last_success_at is None
    assert [log["event"] for log in logs] == ["heartbeat_failed"]
    assert "hook" not in str(logs)  # the address is a secret


@asynccontextmanager
async def running(tmp_path: Path, switch: WebhookReceiver, **values: Any) -> AsyncIterator[App]:
    config = Config.model_validate(
        {
            "web": {"listen": ""},
            "accounts": [{"name": "vision", "api": "visual_layer", "base_url": "http://127.0.0.1:9"}],
            "route": {"receiver": "pager"},
            "receivers": [{"name": "pager", "webhook_configs": [{"url": switch.url}]}],
            "heartbeat": {"url": switch.url, "interval": "50ms"},
        }
        | values
    )
    stop, started = asyncio.Event(), asyncio.Event()
    async with opened(config, f"sqlite:///{tmp_path}/ledger.db") as app:
        task = asyncio.create_task(app.run(stop, started.set))
        await started.wait()
        try:
            yield app
        finally:
            stop.set()
            await task


async def part_of(app: App, part: str) -> asyncio.Task[None]:
    """Return the daemon's task of this name."""
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == part]
    assert await app.view.stalled() == []
    return task


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("source-vision", "the watch of account vision has ended"),
        ("dispatch-pager/webhook", "dispatch to pager/webhook has ended"),
        ("retention", "retention has ended"),
        ("audit", "audit has ended"),
        ("troubles", "troubles has ended"),
    ],
)
async def test_any_part_of_the_daemon_that_ends_silences_it(
    tmp_path: Path, switch: WebhookReceiver, part: str, reason: str
) -> None:
    async with running(tmp_path, switch) as app:
        await switch.wait_for(2)
        task = await part_of(app, part)
        task.cancel()
        await asyncio.wait({task})
        await beats(app.metrics, "withheld", 1)
        heard = len(switch.messages)
        await beats(app.metrics, "withheld", 4)
        assert len(switch.messages) == heard
        assert await app.view.stalled() == [reason]
        assert not await app.view.progressing()
        overview = await app.view.overview()
        assert overview["heartbeat"]["withheld"] == reason
        assert reason in await app.view.readiness()


async def test_a_ledger_that_cannot_write_silences_it_until_it_can(tmp_path: Path, switch: WebhookReceiver) -> None:
    async with running(tmp_path, switch) as app:
        await switch.wait_for(2)
        with locked(tmp_path):
            await beats(app.metrics, "withheld", 1)
            heard = len(switch.messages)
            await beats(app.metrics, "withheld", 4)
            assert len(switch.messages) == heard
            assert await app.view.progressing()  # the trouble is known, and a restart would mend nothing
        await switch.wait_for(heard + 2)


async def test_a_dispatch_that_is_stuck_silences_it(
    tmp_path: Path, switch: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hang(_dispatch: Dispatch) -> None:
        await never.wait()

    monkeypatch.setattr(Dispatch, "_turn", hang)
    monkeypatch.setattr("bellwire.view.STUCK_AFTER", 0.5)
    async with running(tmp_path, switch) as app:
        await switch.wait_for(2)
        (dispatch,) = app.dispatchers
        dispatch._work.set()  # noqa: SLF001 - there is work, and nobody looks
        await beats(app.metrics, "withheld", 1)
        heard = len(switch.messages)
        await beats(app.metrics, "withheld", 4)
        assert len(switch.messages) == heard
        assert (await app.view.stalled())[0].startswith("dispatch to pager/webhook has made no progress for ")
        for task in asyncio.all_tasks():
            if task.get_name() == "dispatch-pager/webhook":
                task.cancel()

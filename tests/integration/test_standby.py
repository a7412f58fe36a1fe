"""The daemon in this process with real receivers: what does not get through reaches its stand-in, and dead letters go again."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.app import opened
from bellwire.config.schema import Config
from bellwire.demo.receivers.http import Reply, WebhookReceiver
from bellwire.ledger import auditing
from bellwire.model import DeliveryState
from bellwire.reference.atp_items import change_status
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.store import Inbox as StoredInbox
from harness import eventually, free_port, upstream_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bellwire.app import App

USER = "oncall"


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=(User(name=USER, tokens=("t",)),), keep_alive=0.1)) as running:
        yield running


@pytest.fixture
async def pager() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
async def ops() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


def configuration(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, **values: Any
) -> dict[str, Any]:
    api = values.pop("api", "visual_layer")
    account = {"name": "a", "api": api, "base_url": server.base_url(api), "authorization": {"credentials": "t"}}
    webhook = {"url": pager.url, "timeout": "2s"}
    return {
        "web": {"listen": f"127.0.0.1:{values.pop('port')}" if "port" in values else ""},
        "accounts": [account | {"catch_up": {"first_start": "all"}} | values.pop("account", {})],
        "route": {"receiver": "pager"} | values.pop("route", {}),
        "receivers": [
            {"name": "pager", "webhook_configs": [webhook]} | values,
            {"name": "ops", "webhook_configs": [{"url": ops.url}]},
        ],
    }


@asynccontextmanager
async def running(folder: Path, config: dict[str, Any], *, dry: bool = False) -> AsyncIterator[App]:
    stop, started = asyncio.Event(), asyncio.Event()
    async with opened(Config.model_validate(config), f"sqlite:///{folder}/ledger.db", dry=dry) as app:
        task = asyncio.create_task(app.run(stop, started.set))
        begun = asyncio.create_task(started.wait())
        try:
            await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
            if begun.done():
                yield app
        finally:
            begun.cancel()
            stop.set()
            await task


async def settled(app: App, **expected: int) -> None:
    """Wait until the alerts are in these states, with nothing unaccounted."""
    async with asyncio.timeout(20):
        while True:
            audit = await app._ledger.ask(auditing.audit_ledger)  # noqa: SLF001 - an oracle
            assert audit["unaccounted"] == 0, audit["faults"]
            if {state: number for state, number in audit["states"].items() if number} == expected:
                return
            await app._ledger.ping()  # noqa: SLF001 - as above


async def test_a_receiver_that_is_down_is_stood_in_for(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    pager.otherwise = Reply(status=503)
    config = configuration(server, pager, ops, fallback=["ops"], fallback_after="200ms")
    async with running(tmp_path, config) as app:
        emitted = server.emit("visual_layer", USER, [{}] * 5)
        await settled(app, delivered=5)
        await eventually(lambda: unread_of(server, "visual_layer") == [])
    assert upstream_ids(ops.messages) == dict.fromkeys(emitted, 1)
    assert {request.json["kind"] for request in ops.messages} == {"fallback"}
    origins = {request.json["origin"] for request in ops.messages}
    assert origins <= {request.id for request in pager.messages} | origins
    assert len(origins) == 5


async def test_a_message_that_is_refused_is_stood_in_for_at_once(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    pager.otherwise = Reply(status=400)
    async with running(tmp_path, configuration(server, pager, ops, fallback=["ops"])) as app:
        server.emit("visual_layer", USER, [{}] * 3)
        await settled(app, delivered=3)
    assert sorted(request.json["origin"] for request in ops.messages) == sorted(each.id for each in pager.messages)


async def test_a_receiver_that_is_paused_is_stood_in_for(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    config = configuration(server, pager, ops, fallback=["ops"], fallback_after="100ms", paused=True)
    async with running(tmp_path, config) as app:
        server.emit("visual_layer", USER, [{}])
        await settled(app, delivered=1)
    assert pager.messages == []
    assert len(ops.messages) == 1


async def test_a_dry_run_stands_in_for_nobody(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    config = configuration(server, pager, ops, fallback=["ops"], fallback_after="1ms")
    async with running(tmp_path, config, dry=True) as app:
        server.emit("visual_layer", USER, [{}])
        await settled(app, in_flight=1)
        found = await app.view.deliveries(None, 10)
        assert (await app.view.overview())["dry_run"] is True
    assert [each["receiver"] for each in found] == ["pager"]


async def test_dead_letters_are_replayed_and_abandoned_over_http(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    pager.answer(400, 400)
    port = free_port()
    async with running(tmp_path, configuration(server, pager, ops, port=port)) as app:
        server.emit("visual_layer", USER, [{}] * 2)
        await settled(app, dead=2)
        looked = await post(port, "replay", dead=True, dry_run=True)
        assert (len(looked["deliveries"]), looked["alerts"], looked["dry_run"]) == (2, 2, True)
        first, second = (each["id"] for each in looked["deliveries"])
        (replayed,) = (await post(port, "replay", deliveries=[first], to="ops", by="alice"))["deliveries"]
        await settled(app, delivered=1, dead=1)
        (request,) = ops.messages
        assert (request.json["kind"], request.json["origin"], request.id) == (
            "replay",
            first,
            replayed["replays"][0]["id"],
        )
        await post(port, "abandon", deliveries=[second], by="alice")
        await settled(app, delivered=1, suppressed=1)
        await eventually(lambda: unread_of(server, "visual_layer") == [])
    assert len(pager.messages) == 2


async def test_what_was_answered_at_the_vendor_before_it_was_sent_is_not_sent(
    server: ReferenceServer, pager: WebhookReceiver, ops: WebhookReceiver, tmp_path: Path
) -> None:
    account, group = {"cancel_when_read": True}, {"group_by": [], "group_wait": "1h"}
    config = configuration(server, pager, ops, api="atp", account=account, route=group)
    async with running(tmp_path, config) as app:
        answered, waiting = server.emit("atp", USER, [{}, {}])
        await settled(app, in_flight=2)
        change_status(server.context, StoredInbox(api="atp", user=USER), answered, "responded")
        await settled(app, in_flight=1, suppressed=1)
        (alert,) = await app.view.explain(answered)
        assert alert["suppressed"] == "read_upstream"
        assert (await app.view.explain(waiting))[0]["state"] == "in_flight"
        found = await app.view.deliveries(DeliveryState.PENDING, 10)
        assert len(found) == 1


async def post(port: int, action: str, **body: Any) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        url = f"http://127.0.0.1:{port}/api/v1/deliveries/{action}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            found: dict[str, Any] = json.loads(answer.read())
            return found

    return await asyncio.to_thread(ask)


def unread_of(server: ReferenceServer, api: str) -> list[str]:
    return [item.id for item in server.items(api, USER) if item.read_at is None]

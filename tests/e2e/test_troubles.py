"""Bellwire's own troubles reach ``meta_receiver``: each once, and once when it is over."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.demo.receivers.http import Reply, Request, WebhookReceiver
from bellwire.reference.faults import Unauthorized
from harness import API, USER, Daemon, an_account, eventually, to_pager, unread
from ledger_lock import locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer


@pytest.fixture
async def keeper() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


def with_keeper(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, **values: Any
) -> dict[str, Any]:
    """Return a configuration that tells ``keeper`` of troubles."""
    config = to_pager(server, pager, meta_receiver="keeper", **values)
    quick = {"initial_backoff": "100ms", "max_backoff": "1s"}
    config["receivers"][0]["retry"] = quick
    config["receivers"].append({"name": "keeper", "webhook_configs": [{"url": keeper.url}], "retry": quick})
    return config


def told(request: Request) -> tuple[str, str]:
    """Return the kind of trouble, and whether it began or ended."""
    body = request.json
    (alert,) = body["alerts"]
    assert (body["kind"], body["receiver"], alert["api"]) == ("meta", "keeper", "bellwire")
    return alert["type"], alert["labels"]["trouble"]


def titles(receiver: WebhookReceiver) -> list[str]:
    return [request.json["alerts"][0]["title"] for request in receiver.messages]


async def troubles(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await daemon.get("/api/v1/status"))[1])["troubles"]
    return found


async def all_told(daemon: Daemon) -> None:
    """Wait until nothing is left to tell: an answer that was given is yet to be written."""
    async with asyncio.timeout(30):
        while await troubles(daemon):
            pass


async def test_a_token_that_is_revoked_and_mended_is_told_once_each_time(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    server.context.faults.add(Unauthorized(lasts=600))
    async with Daemon(tmp_path, with_keeper(server, pager, keeper)) as daemon:
        await keeper.wait_for(1)
        server.emit(API, USER, [{} for _ in range(20)])
        server.context.faults.remove()
        await keeper.wait_for(2)
        await eventually(lambda: unread(server) == [])
        assert [told(request) for request in keeper.messages] == [
            ("account_unauthorized", "began"),
            ("account_unauthorized", "ended"),
        ]
        assert titles(keeper)[1].startswith("account vision is authorized again, was not ")
        await all_told(daemon)


async def test_kill_9_in_the_middle_of_telling_repeats_the_message_under_its_id_and_no_other(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    server.context.faults.add(Unauthorized(lasts=600))
    never = asyncio.Event()
    keeper.answer(Reply(until=never))
    async with Daemon(tmp_path, with_keeper(server, pager, keeper)) as daemon:
        await keeper.wait_for(1)
        await daemon.kill()
        await daemon.start()
        first, second = await keeper.wait_for(2)
        assert (first.id, first.body) == (second.id, second.body)
        assert (first.headers["bellwire-attempt"], second.headers["bellwire-attempt"]) == ("1", "2")
        await daemon.kill()  # whether or not the outcome was written by now
        await daemon.start()
        server.context.faults.remove()
        await keeper.wait_until(lambda requests: told(requests[-1])[1] == "ended")
        began = {request.id for request in keeper.messages if told(request)[1] == "began"}
        ended = {request.id for request in keeper.messages if told(request)[1] == "ended"}
        assert (len(began), len(ended)) == (1, 1)


async def test_a_ledger_that_cannot_write_is_told_from_memory_and_its_end_is_recorded(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, with_keeper(server, pager, keeper)) as daemon:
        await daemon.streaming()
        keeper.answer(503)  # it is tried again, from memory too
        with locked(tmp_path):
            server.emit(API, USER, [{}])
            await keeper.wait_for(2)
            first, second = keeper.messages
            assert first.id == second.id
            assert told(second) == ("ledger_unwritable", "began")
        await keeper.wait_for(3)
        assert told(keeper.messages[2]) == ("ledger_unwritable", "ended")
        await eventually(lambda: unread(server) == [])
        assert len(keeper.messages) == 3
        await all_told(daemon)


async def test_a_reload_that_failed_is_told_and_so_is_the_next_good_one(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, with_keeper(server, pager, keeper)) as daemon:
        await daemon.started()
        daemon.config["route"] = {"receiver": "nobody"}
        daemon.write()
        daemon.signal(signal.SIGHUP)
        await keeper.wait_for(1)
        assert told(keeper.messages[0]) == ("reload_failed", "began")
        assert "route.receiver: there is no receiver" in keeper.messages[0].json["alerts"][0]["message"]
        daemon.config["route"] = {"receiver": "pager"}
        daemon.write()
        daemon.signal(signal.SIGHUP)
        await keeper.wait_for(2)
        assert told(keeper.messages[1]) == ("reload_failed", "ended")


async def test_dead_deliveries_are_one_trouble_however_many_they_are(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    pager.otherwise = Reply(status=422)
    async with Daemon(tmp_path, with_keeper(server, pager, keeper)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{}])
        await keeper.wait_for(1)
        assert titles(keeper) == ["1 delivery to pager/webhook died"]
        assert keeper.messages[0].json["alerts"][0]["message"].startswith("http_422\n")
        server.emit(API, USER, [{} for _ in range(199)])
        while (found := await troubles(daemon))[0]["number"] < 200:
            pass
        assert [(each["kind"], each["number"], each["untold"]) for each in found] == [("deliveries_dead", 200, 0)]
        assert len(keeper.messages) == 1
        await daemon.kill()
        await daemon.start()
        await daemon.streaming()
        server.emit(API, USER, [{}])
        while (await troubles(daemon))[0]["number"] < 201:
            pass
        assert len(keeper.messages) == 1  # a restart tells nothing again


async def test_a_meta_receiver_that_is_broken_itself_gets_to_know_in_the_end_and_nothing_else_comes_of_it(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    pager.otherwise = Reply(status=503)
    config = to_pager(server, pager, meta_receiver="pager")
    config["receivers"][0]["retry"] = {"initial_backoff": "50ms", "max_backoff": "500ms"}
    async with Daemon(tmp_path, config) as daemon:
        await daemon.streaming()
        (item,) = server.emit(API, USER, [{}])
        await pager.wait_until(lambda requests: any(request.json["kind"] == "meta" for request in requests))
        ((kind, untold),) = [(each["kind"], each["untold"]) for each in await troubles(daemon)]
        assert (kind, untold) == ("channel_broken", 1)
        page = (await daemon.get("/"))[1]
        assert "1 of the messages about this could not be sent to meta_receiver yet" in page
        pager.otherwise = Reply()
        await pager.wait_until(
            lambda requests: sum(r.status == 200 and r.json["kind"] == "meta" for r in requests) == 2
        )
        delivered = [request for request in pager.messages if request.status == 200]
        said = [request.json["alerts"][0]["title"] for request in delivered if request.json["kind"] == "meta"]
        assert said[0] == "pager/webhook does not get through"
        assert said[1].startswith("pager/webhook gets through again, was broken ")
        assert [r.json["alerts"][0]["upstream_id"] for r in delivered if r.json["kind"] == "alert"] == [item]
        await all_told(daemon)


async def test_an_account_that_is_silent_for_too_long_is_told_until_it_speaks(
    server: ReferenceServer, pager: WebhookReceiver, keeper: WebhookReceiver, tmp_path: Path
) -> None:
    accounts = [an_account(server, alert_when_silent="3s")]
    async with Daemon(tmp_path, with_keeper(server, pager, keeper, accounts=accounts)) as daemon:
        await daemon.streaming()
        await keeper.wait_for(1)
        assert told(keeper.messages[0]) == ("account_silent", "began")
        server.emit(API, USER, [{}])
        await keeper.wait_for(2)
        assert told(keeper.messages[1]) == ("account_silent", "ended")

"""A reload changes what the file changed, and nothing else notices."""

from __future__ import annotations

import asyncio
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from bellwire.demo.receivers.http import Reply, WebhookReceiver
from harness import API, USER, Daemon, an_account, eventually, to_pager, unread, upstream_ids

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer

RELOADS = 100


def post(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def reload(daemon: Daemon, **changes: Any) -> tuple[int, str]:
    daemon.config |= changes
    daemon.write()
    return await asyncio.to_thread(post, f"http://127.0.0.1:{daemon.port}/-/reload")


async def test_a_hundred_reloads_under_load_lose_and_repeat_nothing(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with WebhookReceiver() as second:
        config = to_pager(server, pager)
        config["receivers"].append({"name": "second", "webhook_configs": [{"url": second.url}]})
        async with Daemon(tmp_path, config) as daemon:
            await daemon.streaming()
            emitted: list[str] = []
            for number in range(RELOADS):
                emitted += server.emit(API, USER, [{} for _ in range(5)])
                # Rules and one channel's settings change each time; the account and the other channel never do.
                config["receivers"][1]["webhook_configs"][0]["headers"] = {"X-Number": str(number)}
                receiver = ("pager", "second")[number % 2]
                status, text = await reload(daemon, route={"receiver": receiver}, receivers=config["receivers"])
                assert (status, text) == (200, "OK\n")
            await eventually(lambda: unread(server) == [])
            arrived = upstream_ids(pager.messages) + upstream_ids(second.messages)
            assert arrived == dict.fromkeys(emitted, 1)
            assert upstream_ids(pager.messages)
            assert upstream_ids(second.messages)
            opened = [entry for entry in server.log.entries() if entry.path.endswith("/stream")]
            assert len(opened) == 1  # the account kept its connection


async def test_a_bad_file_changes_nothing_and_says_why(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        status, text = await reload(daemon, route={"receiver": "nobody"})
        assert status == 500
        assert f"{daemon.path}:1:" in text
        assert "bellwire_config_last_reload_successful 0.0" in (await daemon.get("/metrics"))[1]
        daemon.signal(signal.SIGHUP)
        await daemon.wait_for_log(lambda line: line.get("event") == "reload_failed")
        server.emit(API, USER, [{}])
        await pager.wait_for(1)
        daemon.config["route"] = {"receiver": "pager"}
        daemon.write()
        daemon.signal(signal.SIGHUP)
        await daemon.wait_for_log(lambda line: line.get("event") == "reloaded")
        assert "bellwire_config_last_reload_successful 1.0" in (await daemon.get("/metrics"))[1]


async def test_another_sites_page_cannot_reload(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.started()
        url = f"http://127.0.0.1:{daemon.port}/-/reload"
        assert (await asyncio.to_thread(post, url, Origin="http://evil.example"))[0] == 403
        assert (await asyncio.to_thread(post, url, Origin=f"http://127.0.0.1:{daemon.port}"))[0] == 200


async def test_accounts_and_receivers_come_and_go(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, to_pager(server, pager, accounts=[])) as daemon:
        await daemon.started()
        assert (await reload(daemon, accounts=[an_account(server)]))[0] == 200
        await daemon.streaming()
        pager.otherwise = Reply(status=503)
        server.emit(API, USER, [{}])
        await pager.wait_for(1)
        pager.otherwise = Reply()
        async with WebhookReceiver() as other:
            receivers = [{"name": "other", "webhook_configs": [{"url": other.url}]}]
            assert (await reload(daemon, route={"receiver": "other"}, receivers=receivers))[0] == 200
            await daemon.wait_for_log(lambda line: line.get("reason") == "channel_removed" and line["deliveries"] == 1)
            (item,) = server.emit(API, USER, [{}])
            await other.wait_for(1)
            assert set(upstream_ids(other.messages)) == {item}
            assert (await reload(daemon, accounts=[]))[0] == 200
            await server.streaming(API, USER, 0)

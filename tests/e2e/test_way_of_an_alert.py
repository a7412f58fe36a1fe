"""From a live stream to every receiver and back to "read", through the real daemon."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.demo.receivers.slack import SlackApi
from bellwire.demo.receivers.smtp import SmtpInbox
from harness import API, USER, Daemon, eventually, to_pager, unread, upstream_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bellwire.demo.receivers.http import Request
    from bellwire.reference.serve import ReferenceServer


async def test_an_alert_reaches_every_receiver_and_is_marked_as_read(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with SlackApi() as slack, SmtpInbox() as mailbox:
        ops = {
            "name": "ops",
            "slack_configs": [{"token": "xoxb-demo", "channel": "#ops", "base_url": slack.url}],
            "email_configs": [
                {
                    "to": ["a@example.com", "b@example.com"],
                    "from": "bellwire@example.com",
                    "smarthost": mailbox.smarthost,
                    "tls": "none",
                }
            ],
        }
        config = to_pager(server, pager)
        config["receivers"].append(ops)
        config["route"]["routes"] = [
            {"matchers": ['severity = "warning"'], "receiver": "pager", "continue": True},
            {"matchers": ['result_count >= "10"'], "receiver": "ops"},
            {"matchers": ['type = "notification"'], "receiver": None},
        ]
        async with Daemon(tmp_path, config) as daemon:
            await daemon.streaming()
            metadata = {"is_alert": True, "view_name": "Scratches", "dataset_name": "Doors", "result_count": 12}
            (loud,) = server.emit(API, USER, [{"metadata": metadata}])
            (quiet,) = server.emit(API, USER, [{"metadata": {"is_alert": False}}])
            await pager.wait_for(1)
            await slack.wait_for(1)
            await mailbox.wait_for(2)
            await eventually(lambda: unread(server) == [quiet])
            (request,) = pager.messages
            body = request.json
            assert request.status == 200  # a wrong signature is answered with 401
            assert body["kind"] == "alert"
            assert body["receiver"] == "pager"
            assert [alert["upstream_id"] for alert in body["alerts"]] == [loud]
            assert body["alerts"][0]["title"] == "Scratches: 12 new results in Doors"
            status, text = await daemon.get("/-/ready")
            assert (status, text.strip()) == (200, "OK")
            code, out, _ = await daemon.command("audit", "--json")
            assert code == 0
            (audit,) = json.loads(out)
            assert audit["states"] == {"in_flight": 0, "delivered": 1, "suppressed": 1, "dead": 0}
            code, out, _ = await daemon.command("explain", quiet)
            assert code == 0
            assert "dropped" in out


async def emit_until(server: ReferenceServer, total: int, emitted: list[str]) -> None:
    """Emit at 200 items/s, five at a time, until ``emitted`` has so many."""
    loop = asyncio.get_running_loop()
    began, first = loop.time(), len(emitted)
    while len(emitted) < total:
        emitted += server.emit(API, USER, [{} for _ in range(min(5, total - len(emitted)))])
        due = began + (len(emitted) - first) / 200
        await at(due)


async def at(moment: float) -> None:
    """Wait until the loop's clock says so: a rate is time, and nothing announces it."""
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()
    loop.call_at(moment, reached.set)
    await reached.wait()


def has(items: int) -> Callable[[list[Request]], bool]:
    return lambda requests: len(upstream_ids(requests)) >= items


async def test_nothing_is_lost_by_five_kills_under_load(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    total, kills = 1000, 5
    async with WebhookReceiver() as second:
        config = to_pager(server, pager)
        config["receivers"].append({"name": "second", "webhook_configs": [{"url": second.url}]})
        config["route"]["routes"] = [
            {"matchers": ['account = "vision"'], "receiver": "pager", "continue": True},
            {"matchers": ['account = "vision"'], "receiver": "second"},
        ]
        emitted: list[str] = []
        async with Daemon(tmp_path, config) as daemon:
            await daemon.streaming()
            for kill in range(kills + 1):
                if kill:
                    await daemon.kill()
                    await daemon.start()
                await emit_until(server, total * (kill + 1) // (kills + 1), emitted)
                # Not until all has arrived: the kill must find work under way.
                await pager.wait_until(has(len(emitted) - 30), 60)
            await pager.wait_until(lambda requests: set(upstream_ids(requests)) == set(emitted), 60)
            await second.wait_until(lambda requests: set(upstream_ids(requests)) == set(emitted), 60)
            await eventually(lambda: unread(server) == [], 60)
            code, out, _ = await daemon.command("audit", "--json")
            assert (code, json.loads(out)[0]["states"]["delivered"]) == (0, total)
            assert await daemon.terminate() == 0
        for receiver in (pager, second):
            by_item: dict[str, set[str]] = {}
            for request in receiver.messages:
                for alert in request.json["alerts"]:
                    by_item.setdefault(alert["upstream_id"], set()).add(request.id)
            assert all(len(ids) == 1 for ids in by_item.values()), "a repeated item bears the same webhook-id"
        assert not [entry for entry in server.log.entries() if "read-all" in entry.path]

"""Slack as people meet it: one thread a group, whatever happens in between, and buttons that do what they say."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.channels.slack_buttons import Button
from bellwire.demo.receivers import Reply, SlackApi
from harness import API, USER, Daemon, an_account, eventually, unread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as api:
        yield api


def to_slack(server: ReferenceServer, slack: SlackApi, **account: Any) -> dict[str, Any]:
    """Return a configuration that sends each account's alerts to Slack as one group, with buttons."""
    channel = {"token": slack.token, "app_token": slack.app_token, "channel": "#ops", "base_url": slack.url}
    receiver = {
        "name": "ops",
        "slack_configs": [channel],
        "rate_limit": {"per_second": 50, "burst": 10},
        "retry": {"initial_backoff": "100ms", "max_backoff": "1s"},
    }
    return {
        "accounts": [an_account(server, **account)],
        "route": {"receiver": "ops", "group_by": ["account"], "group_interval": "100ms"},
        "receivers": [receiver],
    }


async def test_kill_9_after_a_reply_was_posted_neither_repeats_it_nor_loses_the_thread(
    server: ReferenceServer, slack: SlackApi, tmp_path: Path
) -> None:
    never = asyncio.Event()
    async with Daemon(tmp_path, to_slack(server, slack)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{}])
        (parent,) = await slack.wait_for(1)
        await eventually(lambda: unread(server) == [])  # the first message's outcome is written
        slack.then("chat.postMessage", Reply(until=never))
        server.emit(API, USER, [{}])
        await slack.wait_for(2)
        await daemon.kill()
        never.set()

        await daemon.start()
        await eventually(lambda: unread(server) == [])
        server.emit(API, USER, [{}])
        await slack.wait_for(3)
        await slack.wait_until(lambda _: "3 alerts so far" in str(parent.content["blocks"]))

    assert [message.content.get("thread_ts") for message in slack.messages] == [None, parent.ts, parent.ts]
    assert len({message.delivery_id for message in slack.messages}) == 3
    assert slack.calls["conversations.replies"] == 1


async def test_what_is_pressed_reaches_the_vendor_and_is_told_by_explain_and_status(
    server: ReferenceServer, slack: SlackApi, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, to_slack(server, slack, mark_read="never")) as daemon:
        await daemon.streaming()
        (item,) = server.emit(API, USER, [{}])
        (message,) = await slack.wait_for(1)
        await daemon.wait_for_log(lambda line: line["event"] == "slack_app_connected")
        await delivered(daemon, item)

        await slack.socket.press(slack.press(message, Button.MARK_READ))
        (told,) = await slack.told.wait_for(1)
        await eventually(lambda: unread(server) == [])

        assert told["text"] == "1 alert will be marked as read at `vision`."
        await slack.wait_until(lambda _: message.edits == 1)
        _, explained, _ = await daemon.command("explain", item)
        assert "dana (U0123ABCD) in Slack" in explained
        (app,) = json.loads((await daemon.get("/api/v1/status"))[1])["slack_apps"]
        assert app["receivers"] == ["ops"]
        assert app["connected_at"]
        assert "Buttons in Slack, of ops" in (await daemon.get("/"))[1]


async def test_alerts_go_out_whatever_becomes_of_the_socket(
    server: ReferenceServer, slack: SlackApi, tmp_path: Path
) -> None:
    slack.fail("apps.connections.open", "invalid_auth", times=1000)
    async with Daemon(tmp_path, to_slack(server, slack)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{}])
        await slack.wait_for(1)
        await daemon.wait_for_log(lambda line: line["event"] == "slack_app_disconnected")

        assert "the buttons of ops in Slack are not connected" in (await daemon.get("/"))[1]
        assert await daemon.terminate() == 0
    assert slack.app_token not in daemon.output.decode()


async def delivered(daemon: Daemon, upstream_id: str) -> None:
    """Wait until the alert of an item is delivered."""
    async with asyncio.timeout(20):
        while True:
            _, body = await daemon.get("/api/v1/alerts")
            if any(each["upstream_id"] == upstream_id and each["state"] == "delivered" for each in alerts_in(body)):
                return


def alerts_in(body: str) -> list[dict[str, Any]]:
    answer = json.loads(body)
    found: list[dict[str, Any]] = answer if isinstance(answer, list) else answer["alerts"]
    return found

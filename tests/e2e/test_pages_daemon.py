"""The pages over the real daemon and the reference server: what people do on them is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import API, SIGNING_SECRET, TOKEN, USER, Daemon, to_pager

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer
    from browser_rig import Open

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def emit(server: ReferenceServer, title: str) -> None:
    metadata = {"is_alert": True, "view_name": title, "dataset_name": "Doors"}
    server.emit(API, USER, [{"title": title, "metadata": metadata}])


async def test_what_is_dead_is_found_replayed_and_then_silenced(visit: Open, tmp_path: Path) -> None:
    settings = ReferenceSettings(users=(User(name=USER, tokens=(TOKEN,)),), keep_alive=1)
    async with (
        serving(settings) as server,
        WebhookReceiver(secrets=[SIGNING_SECRET]) as pager,
        Daemon(tmp_path, to_pager(server, pager)) as daemon,
    ):
        await daemon.streaming()
        pager.answer(400)
        emit(server, "Press 2 stopped")
        await pager.wait_until(lambda requests: [each.status for each in requests] == [400])
        seen = await visit(f"http://127.0.0.1:{daemon.port}")
        page = seen.page

        await seen.go("/alerts?match=title%3D%22Press+2+stopped%22&state=dead")
        await page.get_by_role("link", name="Press 2 stopped").click()
        await expect(page.get_by_text("http_400").first).to_be_visible()
        await page.get_by_role("link", name="Replay…").click()
        await page.get_by_role("button", name="Replay 1 delivery").click()
        await expect(page.locator(".notice")).to_contain_text("1 delivery is on the way again, with 1 alert")
        await pager.wait_until(lambda requests: [each.status for each in requests] == [400, 200])
        await seen.go("/alerts?state=delivered")
        await expect(page.get_by_role("link", name="Press 2 stopped")).to_be_visible()

        await seen.go("/silences")
        await page.get_by_label("Matchers").fill('view_name="Night shift"')
        await page.get_by_label("Why").fill("it is night")
        await page.get_by_role("button", name="See what it would meet…").click()
        await page.get_by_role("button", name="Silence it").click()
        await expect(page.locator(".notice")).to_have_text("It is silent now.")
        emit(server, "Night shift")
        await seen.go("/alerts?state=suppressed")
        await expect(page.get_by_role("link", name="Night shift")).to_be_visible()

        await seen.go("/")
        replayed = page.get_by_role("listitem").filter(has_text="someone replayed 1 delivery")
        await expect(replayed).to_contain_text("no token asked for, from 127.0.0.1")
        assert seen.complaints == []

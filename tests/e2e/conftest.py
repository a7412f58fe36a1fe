"""What end-to-end tests share: a vendor and a pager, on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from bellwire.config.schema import WebConfig
from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.metrics import Metrics
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.web.serve import WebServer
from browser_rig import DESK, Visit
from fake_view import NOW
from harness import SIGNING_SECRET, TOKEN, USER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Browser, BrowserContext

    from bellwire.web.view import View
    from browser_rig import Open


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=(User(name=USER, tokens=(TOKEN,)),), keep_alive=1)) as running:
        yield running


@pytest.fixture
async def pager() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver(secrets=[SIGNING_SECRET]) as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(program: Callable[[str], str]) -> AsyncIterator[Browser]:
    """Give a Chromium, one for all tests of a module: they run in one loop."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Open]:
    """Give a function that opens a browser's window on a view, which it serves, or on an address that is served."""
    servers: list[WebServer] = []
    contexts: list[BrowserContext] = []

    async def open_(
        shown: View | str, size: dict[str, int] | None = None, *, script: bool = True, scheme: str = "light", **web: str
    ) -> Visit:
        url = shown
        if not isinstance(shown, str):
            server = WebServer(shown, Metrics(), WebConfig(**{"listen": "127.0.0.1:0"} | web), lambda: NOW)  # type: ignore[arg-type]  # pydantic makes the secrets
            await server.start()
            servers.append(server)
            url = server.url
        window = size or DESK
        context = await browser.new_context(
            viewport={"width": window["width"], "height": window["height"]},
            java_script_enabled=script,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        return Visit(await context.new_page(), str(url), servers[-1] if servers else None)

    yield open_
    for context in contexts:
        await context.close()
    for server in servers:
        await server.stop()

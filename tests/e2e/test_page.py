"""The status page in a real Chromium, at the width of a desk and of a hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from bellwire.config.schema import WebConfig
from bellwire.metrics import Metrics
from bellwire.model import AlertState, SourceState
from bellwire.web.serve import WebServer
from fake_view import NOW, FakeView, a_busy_view, a_channel, a_story, an_account, an_alert, an_obligation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from typing import TypeAlias

    from playwright.async_api import Browser, BrowserContext, Page

    Open: TypeAlias = Callable[..., Awaitable["Visit"]]

# one loop, and with it one browser, for all of them
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
DESK, HAND = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WIDTHS = pytest.mark.parametrize("size", [DESK, HAND], ids=["desk", "hand"])
MARKUP = '<img src=x onerror="document.title=`hacked`"><script>document.title="hacked"</script>{{ 7*7 }}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(program: Callable[[str], str]) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        yield started
        await started.close()


class Visit:
    """A page that is open on a running server; ``complaints`` are what the browser's console said."""

    def __init__(self, page: Page, server: WebServer) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def go(self, path: str = "/") -> None:
        await self.page.goto(self.server.url + path)

    async def fits(self) -> bool:
        """Return whether nothing has to be scrolled sideways."""
        fits: bool = await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        return fits


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Open]:
    """Give a function that serves a view and opens a browser's window on it."""
    servers: list[WebServer] = []
    contexts: list[BrowserContext] = []

    async def open_(view: FakeView, size: dict[str, int] | None = None, *, script: bool = True, **web: str) -> Visit:
        server = WebServer(view, Metrics(), WebConfig(**{"listen": "127.0.0.1:0"} | web))  # type: ignore[arg-type]  # pydantic makes the secrets
        await server.start()
        servers.append(server)
        window = size or DESK
        context = await browser.new_context(
            viewport={"width": window["width"], "height": window["height"]}, java_script_enabled=script
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        return Visit(await context.new_page(), server)

    yield open_
    for context in contexts:
        await context.close()
    for server in servers:
        await server.stop()


@WIDTHS
async def test_the_status_page_shows_everything_at_a_glance(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_busy_view(), size)
    await seen.go()
    page = seen.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bellwire is not ready")
    await expect(page.get_by_text("account plant is backing_off")).to_be_visible()
    plant = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="plant visual_layer"))
    await expect(plant).to_contain_text("backing off")
    await expect(plant).to_contain_text("14")
    pager = page.get_by_role("table", name="Channels").get_by_role("row").filter(has_text="pager")
    await expect(pager).to_contain_text("open")
    alert = page.get_by_role("row").filter(has=page.get_by_role("link", name="Press 2 stopped"))
    await expect(alert).to_contain_text("critical")
    await expect(alert).to_contain_text("oncall@example.com")
    await expect(alert).to_contain_text("dead")
    await expect(page.get_by_text("dropped by a rule")).to_be_visible()
    assert await seen.fits()
    assert seen.complaints == []


@WIDTHS
async def test_an_alert_leads_to_its_story(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_busy_view(), size)
    await seen.go()
    await seen.page.get_by_role("link", name="Weld seam: 3 new results in Line 4").click()
    page = seen.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Weld seam: 3 new results in Line 4")
    await expect(page.get_by_text('did not match: severity >= "error" saw warning')).to_be_visible()
    attempts = page.get_by_role("table", name="Attempts by pager/webhook").get_by_role("row")
    await expect(attempts.nth(1)).to_contain_text("503 Service Unavailable")
    await expect(attempts.nth(2)).to_contain_text("in doubt")
    source = page.get_by_role("link", name="Open it at its source")
    await expect(source).to_have_attribute("href", "https://vision.example/views/17")
    assert await seen.fits()
    assert seen.complaints == []


async def test_the_page_changes_by_itself_when_something_happens(visit: Open) -> None:
    view = FakeView(accounts=[an_account()], channels=[a_channel()])
    seen = await visit(view)
    await seen.go()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("All is well")
    view.alerts = [an_alert("It has just come", state=AlertState.IN_FLIGHT)]
    view.accounts = [an_account(state=SourceState.UNAUTHORIZED)]
    view.reasons = ["account vision is unauthorized"]
    await expect(seen.page.get_by_role("link", name="It has just come")).to_be_visible()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Bellwire is not ready")
    await expect(seen.page.get_by_role("status")).to_have_text("Bellwire is not ready")
    assert seen.complaints == []


async def test_a_link_keeps_the_focus_while_the_page_changes_around_it(visit: Open) -> None:
    view = FakeView(alerts=[an_alert("The first")])
    seen = await visit(view)
    await seen.go()
    await seen.page.get_by_role("link", name="The first").focus()
    view.alerts = [an_alert("The second"), *view.alerts]
    await expect(seen.page.get_by_role("link", name="The second")).to_be_visible()
    await expect(seen.page.get_by_role("link", name="The first")).to_be_focused()


async def test_a_daemon_that_is_gone_is_said_so_and_its_return_noticed(visit: Open) -> None:
    view = FakeView()
    seen = await visit(view)
    await seen.go()
    lost = seen.page.get_by_text("Bellwire does not answer")
    await expect(lost).to_be_hidden()
    await seen.server.stop()
    await expect(lost).to_be_visible()
    port = seen.server.url.rpartition(":")[2]
    again = WebServer(view, Metrics(), WebConfig(listen=f"127.0.0.1:{port}"))
    await again.start()
    await expect(lost).to_be_hidden()
    await again.stop()


@WIDTHS
async def test_what_vendors_write_is_text_and_nothing_else(visit: Open, size: dict[str, int]) -> None:
    alert = an_alert(MARKUP, account=MARKUP, type=MARKUP, labels={MARKUP: MARKUP}, url="javascript:alert(1)")
    alert["obligations"] = [an_obligation(MARKUP, MARKUP, reason=MARKUP)]
    story = a_story(alert, message=MARKUP, events=[{"at": NOW, "kind": MARKUP, "detail": {MARKUP: MARKUP}}])
    view = FakeView(
        accounts=[an_account(MARKUP, last_error=MARKUP)],
        channels=[a_channel(MARKUP, failures=1, last_error=MARKUP)],
        alerts=[alert],
        stories={alert["id"]: [story], "both": [story, story]},
        events=[{"at": NOW, "account": MARKUP, "kind": MARKUP, "detail": {MARKUP: MARKUP}}],
        reasons=[MARKUP],
    )
    seen = await visit(view, size)
    for path in ("/", f"/alerts/{alert['id']}", "/alerts/both", f"/alerts/{'%3Cscript%3E'}"):
        await seen.go(path)
        assert await seen.page.locator("main img, main script").count() == 0, path
        assert await seen.page.title() != "hacked"
        assert await seen.page.locator("a[href^='javascript:']").count() == 0
        assert await seen.fits(), path
    await seen.go()
    await expect(seen.page.get_by_role("link", name=MARKUP)).to_be_visible()
    assert [text for text in seen.complaints if "404" not in text and "409" not in text] == []


async def test_it_reads_as_well_without_javascript(visit: Open) -> None:
    seen = await visit(a_busy_view(), HAND, script=False)
    await seen.go()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Bellwire is not ready")
    await expect(seen.page.get_by_role("link", name="Weld seam")).to_be_visible()
    await expect(seen.page.locator("meta[http-equiv=refresh]")).to_be_attached()


@WIDTHS
async def test_logging_in_leads_to_the_page_and_logging_out_away(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_busy_view(), size, token="sesame-4711")
    await seen.go("/api/docs")
    page = seen.page
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("That is not a token of this Bellwire.")
    await page.get_by_label("Token").fill("sesame-4711")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Bellwire API")
    assert await seen.fits()
    assert await page.evaluate("document.cookie") == ""
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await seen.go()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_every_text_stands_out_from_its_ground_in_light_and_dark(browser: Browser) -> None:
    server = WebServer(a_busy_view(), Metrics(), WebConfig(listen="127.0.0.1:0"))
    await server.start()
    try:
        for scheme in SCHEMES:
            context = await browser.new_context(color_scheme=scheme)
            page = await context.new_page()
            await page.goto(server.url)
            faint = await page.evaluate(FAINT_TEXTS)
            assert faint == [], scheme
            await context.close()
    finally:
        await server.stop()


async def test_pictures_of_it_are_taken(visit: Open, tmp_path: Path) -> None:
    folder = os.environ.get("BELLWIRE_PICTURES") or str(tmp_path)
    for name, size in (("desk", DESK), ("hand", HAND)):
        seen = await visit(a_busy_view(), size)
        await seen.go()
        picture = await seen.page.screenshot(path=f"{folder}/status-{name}.png", full_page=True)
        assert picture.startswith(b"\x89PNG")


# WCAG 2's contrast of each piece of text with the nearest opaque ground below it: at least 4.5, 3 for large text.
FAINT_TEXTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(style.color), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) faint.push(`${node.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""

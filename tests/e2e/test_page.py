"""The overview and an alert's story in a real Chromium, at the width of a desk and of a hand."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from bellwire.config.schema import WebConfig
from bellwire.metrics import Metrics
from bellwire.model import AlertState, SourceState
from bellwire.web.serve import WebServer
from browser_rig import HAND, SCHEMES, WIDTHS
from fake_view import NOW, FakeView, a_busy_view, a_channel, a_story, ago, an_account, an_alert, an_obligation

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from bellwire.web.lasthour import LastHour
    from browser_rig import Open

# one loop, and with it one browser, for all of them
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKUP = '<img src=x onerror="document.title=`hacked`"><script>document.title="hacked"</script>{{ 7*7 }}'


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
    pager = page.get_by_role("table", name="Receivers").get_by_role("row").filter(has_text="pager")
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
    assert seen.server is not None
    await seen.server.stop()
    await expect(lost).to_be_visible()
    port = seen.url.rpartition(":")[2]
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


async def test_the_picture_of_it_is_small_enough_for_the_readme(visit: Open, tmp_path: Path) -> None:
    folder = Path(os.environ.get("BELLWIRE_PICTURES") or tmp_path)
    seen = await visit(a_good_day(), {"width": 1280, "height": 1150})
    assert seen.server is not None
    fill(seen.server.app.state.hour)
    await seen.go()
    await expect(seen.page.get_by_text("In the last hour:")).to_be_visible()
    picture = await seen.page.screenshot(path=folder / "overview.png")
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def a_good_day() -> FakeView:
    """Return a view as most people will see it: nearly all is well."""
    view = a_busy_view()
    view.reasons = []
    view.accounts = [
        an_account("vision", since=ago(86_400)),
        an_account("line-4", api="elan", base_url="https://elan.example", last_item_at=ago(340), lag=0.31, unread=0),
        an_account("warehouse", api="owlmetry", base_url="https://owl.example", state=SourceState.POLLING, lag=4.2),
    ]
    view.channels = [
        a_channel("oncall", "email", name="oncall@example.com"),
        a_channel("ops"),
        a_channel("pager", "webhook", dead=1),
    ]
    view.alerts[0] = view.alerts[0] | {"obligations": [an_obligation(), an_obligation("pager", "webhook")]}
    return view


def fill(hour: LastHour) -> None:
    """Let an hour pass, with a busy quarter in it."""
    chance, totals = random.Random(7), Counter[str]()
    confirmed = {"ops/slack": (0.0, 0.0), "pager/webhook": (0.0, 0.0), "oncall/email": (0.0, 0.0)}
    for minute in range(60):
        busy = 24 if 22 < minute < 35 else 7
        came, kept_back = chance.randrange(busy // 2, busy), chance.randrange(3)
        totals.update({"alerts.received": came, "alerts.suppressed": min(came, kept_back)})
        totals.update({"alerts.delivered": max(0, came - kept_back), "alerts.dead": int(minute == 31)})
        confirmed = {name: (sent + came / 2, took + came / 9) for name, (sent, took) in confirmed.items()}
        hour.note(NOW - timedelta(minutes=59 - minute), {"totals": dict(totals), "confirmed": confirmed})


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

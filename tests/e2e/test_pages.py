"""Every page but the overview, and every action, in a real Chromium: at two widths, by keyboard, with and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from playwright.async_api import expect

from bellwire.channels.email_message import mail
from bellwire.channels.slack_blocks import payload
from bellwire.channels.webhook_body import webhook_body
from bellwire.errors import ConfigError, Fault
from bellwire.model import DeliveryKind, DeliveryState, Message, SourceState
from browser_rig import DESK, HAND, WIDTHS
from fake_view import FakeView, a_busy_view, a_delivery, a_route, ago, an_account, an_alert, some_letters
from makers import an_alert as a_real_alert

if TYPE_CHECKING:
    from browser_rig import Open

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = [
    "/",
    "/accounts",
    "/alerts",
    "/alerts?match=severity%3D~%5B",
    "/alerts/STORY",
    "/deliveries",
    "/deliveries/replay?delivery=01JDEAD",
    "/deliveries/abandon?dead=1",
    "/silences",
    "/silences/new?matchers=account%3Dvision&duration=2h&comment=mended",
    "/silences/01JSILENCE/expire",
    "/routes",
    "/routes?labels=severity%3Derror",
    "/configuration",
    "/configuration/reload",
    "/api/docs",
    "/nowhere",
]


def previews() -> list[dict[str, Any]]:
    """Return one alert's message, as each of three channels renders it."""
    message = Message(
        delivery_id="01JDELIVERY", kind=DeliveryKind.ALERT, receiver="ops", alerts=(a_real_alert(title="Weld <seam>"),)
    )
    bodies = {
        "slack": orjson.dumps(payload(message)),
        "email": mail(message, "bellwire@example.com", "oncall@example.com"),
        "webhook": webhook_body(message),
    }
    return [
        {"receiver": "ops", "channel": kind, "name": "", "body": body, "error": None} for kind, body in bodies.items()
    ]


def a_full_view() -> FakeView:
    """Return a view with something on every page."""
    view = a_busy_view()
    story = next(iter(view.stories.values()))[0]
    view.stories["STORY"] = [story]
    view.closer.found = previews()
    view.closer.tree = [
        a_route(),
        a_route("route.routes[0]", "route", receiver="pager", matchers=['severity>="error"'], digest="0 8 * * *"),
        a_route("route.routes[1]", "route", receiver=None, matchers=['type="notification"']),
    ]
    counts = {"route": {"ops": 31}, "route.routes[0]": {"pager": 7}}
    view.closer.tally = {
        "alerts": 40,
        "from": story["received_at"],
        "routes": counts,
        "dropped": {"route.routes[1]": 2},
    }
    view.letters = some_letters()
    view.quiet.listed = [view.quiet.a_silence("01JSILENCE")]
    ended = {"state": "expired", "ends_at": ago(60), "expired_by": "Joe"}
    view.quiet.listed += [view.quiet.a_silence(f"01JENDED{n:02}", comment=f"over {n}", **ended) for n in range(45)]
    view.sent += [a_delivery("pager", "webhook", state=DeliveryState.DEAD, id="01JDEAD", reason="http_400")]
    return view


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (HAND, "dark")], ids=["desk, light", "hand, dark"])
async def test_each_page_fits_and_keeps_nobody_out(visit: Open, size: dict[str, int], scheme: str) -> None:
    seen = await visit(a_full_view(), size, scheme=scheme)
    found: dict[str, list[str]] = {}
    for path in PAGES:
        await seen.go(path)
        await expect(seen.page.get_by_role("heading", level=1).first).to_be_visible()
        found[path] = await seen.barriers() + ([] if await seen.fits() else ["it does not fit"])
    assert {path: barriers for path, barriers in found.items() if barriers} == {}
    assert [each for each in seen.complaints if "422" not in each and "404" not in each] == []


@WIDTHS
async def test_every_page_of_a_dry_run_says_that_nothing_is_sent(visit: Open, size: dict[str, int]) -> None:
    view = a_full_view()
    view.dry_run = True
    seen = await visit(view, size)
    for path in PAGES:
        await seen.go(path)
        note = seen.page.get_by_role("note")
        await expect(note).to_have_text("⚠ Dry run: nothing is sent, nothing is marked as read.")
        await expect(note).to_be_in_viewport()
    assert await seen.barriers() == []
    assert await seen.fits()


@WIDTHS
async def test_an_address_that_leads_nowhere_leads_back(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_full_view(), size)
    await seen.go("/nowhere/at/all")
    await expect(seen.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    await seen.page.get_by_role("link", name="Deliveries").click()
    await expect(seen.page.get_by_role("heading", name="Deliveries")).to_be_visible()


@WIDTHS
async def test_silences_that_have_ended_are_leafed_through(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_full_view(), size)
    await seen.go("/silences")
    past = seen.page.get_by_role("region", name="Ended").get_by_role("listitem")
    for shown in (["over 0", "over 19"], ["over 20", "over 39"], ["over 40", "over 44"]):
        await expect(past.first).to_contain_text(shown[0])
        await expect(past.last).to_contain_text(shown[1])
        if "over 44" not in shown:
            await seen.page.get_by_role("link", name="Older").click()
    assert await seen.fits()
    await seen.page.get_by_role("link", name="Those that stand").click()
    await expect(seen.page.get_by_role("link", name="End it…")).to_be_visible()


@WIDTHS
async def test_alerts_are_searched_by_matchers_and_state(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_busy_view(), size)
    await seen.go("/alerts")
    page = seen.page
    await page.get_by_label("Matchers").fill('account="plant"')
    await page.get_by_label("Matchers").press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    await expect(page.get_by_role("link", name="Press 2 stopped")).to_be_visible()
    await page.get_by_label("Matchers").fill("")
    await page.get_by_label("State").select_option("suppressed")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    await expect(page.get_by_role("link", name="Nightly export is done")).to_be_visible()


async def test_a_matcher_that_cannot_be_read_is_shown_with_its_place(visit: Open) -> None:
    seen = await visit(a_busy_view())
    await seen.go("/alerts?match=account%3D%22vision%22%2C+severity%3D~%22%5B%22")
    await expect(seen.page.get_by_role("alert")).to_contain_text("bad regular expression")
    shown = await seen.page.locator("pre.caret").inner_text()
    text, caret = shown.splitlines()
    assert text[caret.index("^")] == "["


async def test_older_alerts_are_a_click_away(visit: Open) -> None:
    view = FakeView(alerts=[an_alert(f"Number {n}") for n in range(60)][::-1])
    seen = await visit(view)
    await seen.go("/alerts")
    await expect(seen.page.get_by_role("rowheader")).to_have_count(50)
    await seen.page.get_by_role("link", name="Older").click()
    await expect(seen.page.get_by_role("rowheader")).to_have_count(10)
    await seen.page.get_by_role("link", name="Newest").click()
    await expect(seen.page.get_by_role("link", name="Number 59")).to_be_visible()


@WIDTHS
async def test_an_alert_is_shown_as_each_channel_shows_it(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_full_view(), size)
    await seen.go("/alerts/STORY")
    page = seen.page
    await expect(page.get_by_role("group", name="As Slack shows it")).to_contain_text("Weld <seam>")
    frame = page.frame_locator("iframe[title='The mail to ops/email']")
    await expect(frame.get_by_text("Weld <seam>")).to_be_visible()
    await page.get_by_text("The body that is sent").click()
    await expect(page.locator("pre", has_text='"delivery_id": "01JDELIVERY"')).to_be_visible()
    assert seen.complaints == []


async def test_chosen_deliveries_are_replayed_once_someone_has_seen_how_many(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view, HAND)
    await seen.go("/deliveries?state=dead")
    page = seen.page
    await page.get_by_role("checkbox", name="Choose 01JDEAD").check()
    await page.get_by_role("button", name="Replay chosen…").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Replay 1 delivery?")
    assert [order.dry for _, order in view.orders] == [True]
    await page.get_by_role("button", name="Replay 1 delivery").click()
    await expect(page.locator(".notice")).to_contain_text("1 delivery is on the way again")
    (what, order) = view.orders[-1]
    assert (what, order.dry) == ("replay", False)
    assert order.deliveries == tuple(each["id"] for each in view.letters["deliveries"])
    assert (order.who, order.how) == ("someone", "no token asked for, from 127.0.0.1")


async def test_all_that_is_dead_is_given_up_by_keyboard(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view)
    await seen.go("/deliveries?state=dead")
    await seen.page.get_by_role("button", name="Give up all…").press("Enter")
    await expect(seen.page.get_by_text("This cannot be undone.")).to_be_visible()
    await seen.page.get_by_role("button", name="Give up 1 delivery").press("Enter")
    await expect(seen.page.locator(".notice")).to_contain_text("1 delivery was given up")
    assert [(what, order.dry) for what, order in view.orders] == [("abandon", True), ("abandon", False)]


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without"])
async def test_a_silence_is_added_once_someone_has_seen_what_it_meets(visit: Open, *, script: bool) -> None:
    view = a_full_view()
    view.quiet.met = [{name: view.alerts[0][name] for name in ("id", "account", "severity", "title", "state")}]
    view.quiet.met[0]["received_at"] = view.alerts[0]["received_at"]
    seen = await visit(view, script=script)
    await seen.go("/silences")
    page = seen.page
    await page.get_by_label("Matchers").fill('account="vision"\nview_name=~"Weld.*"')
    if script:
        await expect(page.get_by_text("It would meet 1 alert in flight, and met 0 of the newest.")).to_be_visible()
    await page.get_by_label("Why").fill("being mended")
    await page.get_by_label("Your name").fill("Mia")
    await page.get_by_role("button", name="See what it would meet…").click()
    await expect(page.get_by_text("1 alert in flight would not be sent.")).to_be_visible()
    await expect(page.get_by_role("link", name="Weld seam")).to_be_visible()
    assert view.quiet.added == []
    await page.get_by_role("button", name="Silence it").click()
    await expect(page.locator(".notice")).to_have_text("It is silent now.")
    (silence,) = view.quiet.added
    assert silence.matchers == ('account="vision"', 'view_name=~"Weld.*"')
    assert (silence.author, silence.comment) == ("Mia", "being mended")
    assert (silence.ends_at - silence.starts_at).total_seconds() == 7200


async def test_what_is_wrong_with_a_silence_is_said_where_it_is_mended(visit: Open) -> None:
    seen = await visit(a_full_view(), HAND)
    await seen.go("/silences/new?matchers=account%3D%3D&duration=2h&comment=x")
    await expect(seen.page.get_by_role("alert")).to_be_visible()
    await expect(seen.page.get_by_label("Matchers")).to_have_value("account==")
    await expect(seen.page.get_by_label("Matchers")).to_have_attribute("aria-invalid", "true")
    await expect(seen.page.get_by_role("button", name="Silence it")).to_have_count(0)


async def test_a_silence_is_ended_after_a_question(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view)
    await seen.go("/silences")
    await seen.page.get_by_role("link", name="End it…").click()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("End this silence now?")
    assert view.quiet.ended == []
    await seen.page.get_by_role("button", name="End it").click()
    await expect(seen.page.locator(".notice")).to_have_text("The silence has ended.")
    assert [each for each, *_ in view.quiet.ended] == ["01JSILENCE"]


@WIDTHS
async def test_the_routes_tell_what_went_where_and_an_alert_is_tried_on_them(visit: Open, size: dict[str, int]) -> None:
    seen = await visit(a_full_view(), size)
    await seen.go("/routes")
    page = seen.page
    pager = page.locator(".route", has_text='severity>="error"')
    await expect(pager).to_contain_text("7")
    await expect(pager).to_contain_text("pager")
    await expect(page.locator(".route", has_text="dropped")).to_contain_text("2")
    await page.get_by_label("Labels").fill("account=vision\nseverity=error")
    await page.get_by_label("At").fill("2026-11-23T03:00Z")
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_role("heading", name="It would go to ops")).to_be_visible()
    await expect(page.get_by_text("at 2026-11-23 03:00:00.000")).to_be_visible()
    await page.get_by_label("Labels").fill("no label")
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_role("alert")).to_contain_text("write name=value")


async def test_the_configuration_is_reloaded_after_a_question_and_its_failure_shown(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view)
    await seen.go("/configuration")
    page = seen.page
    await expect(page.get_by_text("receiver: ops")).to_be_visible()
    await page.get_by_role("link", name="Reload…").click()
    assert view.reloads == 0
    await page.get_by_role("button", name="Reload").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Configuration")
    assert view.reloads == 1
    fault = Fault(file="bellwire.yaml", line=3, column=5, path="route.receiver", message="there is no receiver oops")
    view.reload_error = ConfigError([fault])
    view.closer.failure, view.closer.reloaded_at = str(fault), view.alerts[0]["received_at"]
    await seen.go("/configuration/reload")
    await page.get_by_role("button", name="Reload").click()
    await expect(page.get_by_role("heading", name="The last reload changed nothing")).to_be_visible()
    await expect(page.get_by_text("bellwire.yaml:3:5: route.receiver: there is no receiver oops")).to_be_visible()


async def test_who_may_only_look_sees_no_buttons_and_is_refused(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view, token="sesame-4711", read_token="only-look-4711")
    await seen.go("/login")
    page = seen.page
    await page.get_by_label("Token").fill("only-look-4711")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Receivers")).to_be_visible()
    for path in ("/deliveries?state=dead", "/silences", "/configuration", "/alerts/STORY"):
        await seen.go(path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert await page.locator("main button, main a.button").count() == (1 if "deliveries" in path else 0), path
    for path in ("/deliveries/replay?dead=1", "/silences/new?matchers=a%3Db", "/configuration/reload"):
        await seen.go(path)
        await expect(page.get_by_role("heading", level=1)).to_have_text("You may only look")
    answer = await page.request.post(f"{seen.url}/configuration/reload", headers={"origin": seen.url})
    assert answer.status == 403
    assert view.reloads == 0


async def test_a_thousand_accounts_are_folded_to_those_that_are_not_well(visit: Open) -> None:
    accounts = [an_account(f"site-{n:04}") for n in range(998)]
    accounts += [
        an_account("broken", state=SourceState.UNAUTHORIZED, last_error="401"),
        an_account("gone", paused=True),
    ]
    seen = await visit(FakeView(accounts=accounts))
    await seen.go()
    page = seen.page
    table = page.get_by_role("table", name="Accounts")
    await expect(table.get_by_role("rowheader")).to_have_count(1)
    await expect(page.get_by_text("999 accounts are well")).to_be_visible()
    await page.get_by_role("link", name="Show all 1,000").click()
    await expect(table.get_by_role("rowheader")).to_have_count(100)
    await page.get_by_role("link", name="After →").click()
    await expect(page.get_by_text("1,000 of 1,000, from 101 to 200")).to_be_visible()
    await page.get_by_label("Name").fill("broken")
    await page.get_by_role("button", name="Show").click()
    await expect(table.get_by_role("rowheader")).to_have_count(1)
    assert await seen.fits()


async def test_boxes_that_are_ticked_stay_so_while_the_list_changes(visit: Open) -> None:
    view = a_full_view()
    seen = await visit(view, DESK)
    await seen.go("/deliveries?state=dead")
    page = seen.page
    box = page.get_by_role("checkbox", name="Choose 01JDEAD")
    await box.check()
    view.sent.append(a_delivery("late", "webhook", state=DeliveryState.DEAD, id="01JLATER"))
    view.counts["deliveries.dead"] = 2
    async with page.expect_event("console", lambda message: message.text == "held"):
        await page.evaluate(
            "new EventSource(document.querySelector('main').dataset.live)"
            ".addEventListener('part', (e) => { if (e.data.includes('01JLATER')) console.log('held') })"
        )
    await expect(box).to_be_checked()
    await box.uncheck()
    await expect(page.get_by_role("checkbox", name="Choose 01JLATER")).to_be_visible()

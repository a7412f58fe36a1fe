"""What pages and API share without a browser: who may act, limits, streams, searches."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from bellwire.web import bounds
from fake_view import FakeView, a_busy_view, an_account, an_alert
from web_rig import serving

if TYPE_CHECKING:
    from web_rig import Client

FORM = "application/x-www-form-urlencoded"
SILENCE = urlencode({"matchers": 'a="b"', "duration": "1h", "comment": "x"})


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/silences", SILENCE),
        ("/silences/01J/expire", ""),
        ("/deliveries/replay", "dead=1"),
        ("/deliveries/abandon", "dead=1"),
        ("/configuration/reload", ""),
    ],
)
@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}]
)
async def test_no_other_sites_page_can_have_anything_done(path: str, form: str, headers: dict[str, str]) -> None:
    view = a_busy_view()
    async with serving(view) as client:
        answer = await client.send("POST", path, form, content_type=FORM, **headers)
    assert answer.status == 403
    assert (view.orders, view.reloads, view.quiet.added) == ([], 0, [])


async def test_a_form_that_is_sent_again_and_cannot_be_understood_changes_nothing() -> None:
    view = a_busy_view()
    async with serving(view) as client:
        for path, form in (("/silences", "matchers=%5B&duration=1h&comment=x"), ("/deliveries/replay", "")):
            answer = await client.send("POST", path, form, content_type=FORM)
            assert answer.status in {303, 422}
    assert (view.orders, view.quiet.added) == ([], [])


BANNER = "<b>Dry run:</b> nothing is sent, nothing is marked as read."


@pytest.mark.parametrize(
    "path", ["/", "/accounts", "/alerts", "/alerts/none", "/deliveries", "/silences", "/routes", "/configuration", "/x"]
)
async def test_every_page_of_a_dry_run_says_that_it_is_one(path: str) -> None:
    async with serving(FakeView(dry_run=True)) as dry, serving(FakeView()) as real:
        shown = [(await client.get(path, accept="text/html")).text for client in (dry, real)]
    assert [BANNER in each for each in shown] == [True, False]


async def test_where_there_is_nothing_a_browser_gets_a_page_and_a_program_json() -> None:
    async with serving(FakeView()) as client:
        page = await client.get("/nope/<b>", accept="text/html,*/*")
        assert (page.status, page.headers.get_content_type()) == (404, "text/html")
        assert "There is no such page" in page.text
        assert "<code>/nope/&lt;b&gt;</code>" in page.text
        assert 'href="/deliveries"' in page.text
        told = [await client.get("/nope"), await client.send("POST", "/nope", accept="text/html")]
        for_programs = ("/api/nope", "/api", "/metrics/nope", "/-/nope", "/static/nope")
        told += [await client.get(path, accept="text/html") for path in for_programs]
        assert [(each.status, each.text) for each in told] == [(404, '{"detail":"Not Found"}')] * 7


async def test_whoever_has_not_logged_in_is_not_told_where_there_is_nothing() -> None:
    async with serving(FakeView(dry_run=True), token="all-of-it") as client:
        for path in ("/nope", "/alerts"):
            assert (await client.get(path, accept="text/html")).status == 303
            assert (await client.get(path)).status == 401
        assert BANNER not in (await client.get("/login")).text
        assert "Deliveries" not in (await client.get("/static/nope", accept="text/html")).text
        assert (await client.get("/nope", accept="text/html", authorization="Bearer all-of-it")).status == 404


async def test_an_order_that_is_refused_is_said_so() -> None:
    view = a_busy_view()
    view.letters |= {"deliveries": [], "refused": ["01J still waits to be sent"]}
    async with serving(view) as client:
        shown = await client.get("/deliveries/replay?delivery=01J")
        done = await client.send("POST", "/deliveries/replay", "delivery=01J", content_type=FORM)
    assert shown.status == 422
    assert "01J still waits to be sent" in shown.text
    assert done.headers["location"].startswith("/deliveries?problem=")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async with serving(FakeView()) as client:
        reader, writer = await asyncio.open_connection(*_place(client))
        head = f"POST /api/v1/silences HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bounds.MOST_BYTES + 1}\r\n\r\n"
        writer.write(head.encode())  # and nothing more: the answer does not wait for it
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        assert (await client.get("/-/healthy")).status == 200


async def test_a_body_that_grows_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1000)
    async with serving(FakeView()) as client:
        reader, writer = await asyncio.open_connection(*_place(client))
        head = b"POST /api/v1/silences HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%s\r\n0\r\n\r\n" % (2000, b"x" * 2000))
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()


async def test_who_asks_too_often_is_told_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "BURST", 3.0)
    monkeypatch.setattr(bounds, "PER_SECOND", 0.01)
    async with serving(FakeView()) as client:
        answers = [await client.get("/api/v1/status") for _ in range(4)]
        healthy = await client.get("/-/healthy")
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) == 100
    assert healthy.status == 200


async def test_guessing_tokens_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LOGINS_PER_SECOND", 0.001)
    async with serving(FakeView(), token="sesame-4711") as client:
        statuses = [(await client.send("POST", "/login", "token=x", content_type=FORM)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


async def test_a_page_is_told_what_changed_and_nothing_else() -> None:
    view = FakeView(accounts=[an_account()])
    async with serving(view) as client:
        reader, writer = await asyncio.open_connection(*_place(client))
        writer.write(b"GET /live/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        first = [await _part(reader) for _ in range(7)]
        assert {each["name"] for each in first} >= {"verdict", "accounts", "alerts", "chart"}
        view.alerts = [an_alert("It has just come")]
        changed = await _part(reader)
        assert changed["name"] == "alerts"
        assert "It has just come" in changed["html"]
        writer.close()


async def test_open_streams_do_not_hold_up_the_stop() -> None:
    async with asyncio.timeout(10):
        async with serving(FakeView()) as client:
            reader, writer = await asyncio.open_connection(*_place(client))
            writer.write(b"GET /live/silences HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"event: part")
        rest = await reader.read()
        writer.close()
    assert rest.endswith(b"0\r\n\r\n")  # it ended as it should: nothing was broken off


async def test_a_search_over_http_says_where_to_go_on() -> None:
    view = FakeView(alerts=[an_alert(f"Number {n}") for n in range(5)][::-1])
    async with serving(view) as client:
        first = await client.get("/api/v1/alerts?limit=3&match=account%3Dvision")
        path = first.headers["link"].removeprefix("<").partition(">")[0]
        rest = await client.get(path)
    assert [each["title"] for each in first.json + rest.json] == [f"Number {n}" for n in range(4, -1, -1)]
    assert rest.headers["link"] is None


async def test_a_matcher_of_a_search_that_cannot_be_read_is_shown_with_its_place() -> None:
    async with serving(FakeView()) as client:
        answer = await client.get("/api/v1/alerts?match=severity%3D~%22%5B%22")
        time = await client.get("/api/v1/alerts?since=yesterday")
    assert (answer.status, answer.json["matcher"], answer.json["offset"]) == (400, 'severity=~"["', 11)
    assert time.status == 400
    assert "2h" in time.json["detail"]


async def test_a_mail_that_is_shown_may_do_nothing_at_all() -> None:
    view = a_busy_view()
    body = b"From: a@b.c\r\nTo: d@e.f\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<p onclick=x>hello</p>"
    view.closer.found = [{"receiver": "ops", "channel": "email", "name": "", "body": body, "error": None}]
    view.stories["STORY"] = next(iter(view.stories.values()))
    async with serving(view) as client:
        answer = await client.get("/alerts/STORY/messages/0")
        missing = await client.get("/alerts/STORY/messages/1")
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    )
    assert missing.status == 404


async def test_the_last_hour_and_what_people_did_are_told_over_http() -> None:
    view = a_busy_view()
    async with serving(view) as client:
        assert len((await client.get("/api/v1/history")).json) == 60
        await client.send("POST", "/-/reload")
        (action,) = (await client.get("/api/v1/actions")).json
        tried = (await client.get("/api/v1/routes/try?label=severity%3Derror")).json
        wrong = await client.get("/api/v1/routes/try?label=severity")
    assert (action["who"], action["how"]) == ("a program", "no token asked for, from 127.0.0.1")
    assert tried["routing"]["destinations"][0]["receiver"] == "ops"
    assert wrong.status == 400


def _place(client: Client) -> tuple[str | None, int | None]:
    parts = urlsplit(client.url)
    return parts.hostname, parts.port


async def _part(reader: asyncio.StreamReader) -> dict[str, str]:
    async with asyncio.timeout(40):  # a stream rests a hundred times what a look took
        while not (line := await reader.readline()).startswith(b"data: "):
            assert line
    part: dict[str, str] = json.loads(line.removeprefix(b"data: "))
    return part

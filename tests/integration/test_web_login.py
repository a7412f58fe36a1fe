from __future__ import annotations

from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from fake_view import FakeView, a_busy_view
from web_rig import Answer, Client, serving

TOKEN, READ_TOKEN = "sesame-4711", "look-4712"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - for a moment, and with a token
BOTH = {"token": TOKEN, "read_token": READ_TOKEN}
CLOSED = ["/", "/live", "/alerts/x", "/metrics", "/api/v1/status", "/api/docs", "/api/openapi.json", "/nothing"]


async def log_in(client: Client, token: str, **more: str) -> Answer:
    form = urlencode({"token": token, **more})
    return await client.send("POST", "/login", form, content_type="application/x-www-form-urlencoded")


async def test_without_a_token_nobody_is_asked() -> None:
    async with serving(FakeView()) as client:
        assert [(await client.get(path)).status for path in ("/", "/metrics", "/api/v1/status")] == [200, 200, 200]


async def test_with_a_token_nothing_is_shown_without_it_but_health_and_the_login() -> None:
    async with serving(FakeView(), **BOTH) as client:
        assert [(path, (await client.get(path)).status) for path in CLOSED] == [(path, 401) for path in CLOSED]
        for path in ("/-/healthy", "/-/ready", "/login", "/static/bellwire.css"):
            assert (path, (await client.get(path)).status) == (path, 200)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
async def test_what_is_not_the_token_is_refused_and_not_repeated(given: str) -> None:
    async with serving(FakeView(), **BOTH) as client:
        answer = await client.get("/api/v1/status", authorization=given)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


async def test_the_token_opens_everything() -> None:
    async with serving(a_busy_view(), **BOTH) as client:
        bearer = f"Bearer {TOKEN}"
        for path in ("/", "/metrics", "/api/v1/status", "/api/docs"):
            assert (path, (await client.get(path, authorization=bearer)).status) == (path, 200)
        answer = await client.send("POST", "/api/v1/status", authorization=bearer)
        assert answer.status == 405  # let in, though there is nothing of this kind yet


async def test_the_read_token_may_only_look() -> None:
    async with serving(FakeView(), **BOTH) as client:
        bearer = f"Bearer {READ_TOKEN}"
        assert (await client.get("/api/v1/status", authorization=bearer)).status == 200
        assert (await client.send("HEAD", "/", authorization=bearer)).status == 200
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await client.send(method, "/api/v1/status", authorization=bearer)).status == 403


async def test_a_browser_is_sent_to_the_login_and_back_to_where_it_was() -> None:
    async with serving(a_busy_view(), **BOTH) as client:
        sent = await client.get("/alerts/x/y", accept="text/html,*/*")
        assert (sent.status, sent.headers["location"]) == (303, "/login?next=%2Falerts%2Fx%2Fy")
        form = await client.get(sent.headers["location"])
        assert 'name="next" value="/alerts/x/y"' in form.text
        back = await log_in(client, TOKEN, next="/alerts/x/y")
        assert (back.status, back.headers["location"]) == (303, "/alerts/x/y")


async def test_a_login_gives_a_cookie_that_scripts_and_other_sites_never_get() -> None:
    async with serving(a_busy_view(), **BOTH) as client:
        cookie = (await log_in(client, TOKEN)).headers["set-cookie"]
        attributes = {part.strip().lower() for part in cookie.split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= attributes
        assert TOKEN not in cookie
        page = await client.get("/", cookie=cookie.partition(";")[0])
        assert page.status == 200
        assert "Log out" in page.text


async def test_behind_https_the_cookie_never_goes_out_in_clear() -> None:
    async with serving(FakeView(), **BOTH, external_url="https://bellwire.example.com") as client:
        assert "; Secure" in (await log_in(client, TOKEN)).headers["set-cookie"]


async def test_a_reader_who_logs_in_may_look_and_log_out_but_no_more() -> None:
    async with serving(FakeView(), **BOTH) as client:
        cookie = (await log_in(client, READ_TOKEN)).headers["set-cookie"].partition(";")[0]
        assert (await client.get("/", cookie=cookie)).status == 200
        assert (await client.send("DELETE", "/api/v1/alerts/x", cookie=cookie)).status == 403
        left = await client.send("POST", "/logout", cookie=cookie)
        assert left.status == 303
        assert "Max-Age=0" in left.headers["set-cookie"]


async def test_a_wrong_token_gives_no_cookie_and_is_logged_without_it() -> None:
    with capture_logs() as logged:
        async with serving(FakeView(), **BOTH) as client:
            answer = await log_in(client, "hunter2")
            assert answer.status == 401
            assert "set-cookie" not in answer.headers
            assert "That is not a token of this Bellwire." in answer.text
            assert "hunter2" not in answer.text
            assert (await log_in(client, "x" * 20_000)).status == 401
    refused = {"event": "login_refused", "log_level": "warning", "client": "127.0.0.1"}
    assert logged == [refused, refused]


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb", ""]
)
async def test_nobody_is_sent_elsewhere_by_a_link_to_the_login(elsewhere: str) -> None:
    async with serving(FakeView(), **BOTH) as client:
        assert (await log_in(client, TOKEN, next=elsewhere)).headers["location"] == "/"


async def test_a_page_whose_session_has_ended_goes_to_the_login_by_itself() -> None:
    async with serving(FakeView(), **BOTH) as client:
        answer = await client.get("/live?seen=x", hx_request="true", accept="*/*")
        assert (answer.status, answer.headers["hx-redirect"]) == (401, "/login")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9095", "127.0.0.1.evil.example", "localhost.evil.example", ""]
)
async def test_on_loopback_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.get("/api/v1/alerts", host=host)
        assert answer.status == 421
        assert "web.external_url" in answer.text


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost:9095", "LOCALHOST", "[::1]:9095", "127.1.2.3", "bellwire.example.com", "localhost."],
)
async def test_on_loopback_our_own_names_are_answered(host: str) -> None:
    async with serving(FakeView(), external_url="https://bellwire.example.com:8443/page") as client:
        assert (await client.get("/-/healthy", host=host)).status == 200


async def test_beyond_loopback_any_name_will_do_for_a_token_is_asked() -> None:
    async with serving(FakeView(), listen=f"{EVERYWHERE}:0", token=TOKEN) as client:
        reached = Client(client.url.replace(EVERYWHERE, "127.0.0.1"))
        assert (await reached.get("/-/healthy", host="bellwire.internal")).status == 200
        assert (await reached.get("/api/v1/status", host="bellwire.internal")).status == 401

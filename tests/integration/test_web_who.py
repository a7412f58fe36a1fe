"""Who did it: the name that someone gave, and beside it how they came in, as Bellwire saw it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from bellwire.clock import SystemClock
from bellwire.ledger.acting import read_actions
from bellwire.ledger.ledger import Ledger
from fake_view import FakeView, a_busy_view
from web_rig import Client, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bellwire.web.view import SilenceView

TOKENS = {"token": "sesame-4711", "read_token": "look-4712"}
BEARER = "Bearer sesame-4711"
HERE = "from 127.0.0.1"
FORM = "application/x-www-form-urlencoded"
SILENCE = {"matchers": ['team="doors"'], "duration": "1h", "author": "mia", "comment": "being mended"}


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a ledger on the machine's clock, as the web has it."""
    opened = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    yield opened
    await opened.close()


async def log_in(client: Client, name: str) -> str:
    form = urlencode({"token": TOKENS["token"], "name": name})
    answer = await client.send("POST", "/login", form, content_type=FORM)
    cookie: str = answer.headers["set-cookie"].partition(";")[0]
    return cookie


async def reload(client: Client, **headers: str) -> tuple[str, str | None]:
    """Have a program ask for a reload; return who it was, and how they came in."""
    await client.send("POST", "/-/reload", **headers)
    action = (await client.get("/api/v1/actions", authorization=BEARER)).json[0]
    return action["who"], action["how"]


async def test_a_program_is_kept_by_the_token_that_it_had_and_the_name_that_it_gave() -> None:
    async with serving(a_busy_view(), **TOKENS) as client:
        assert await reload(client, authorization=BEARER) == ("a program", f"token, {HERE}")
        named = await reload(client, authorization=BEARER, x_bellwire_actor="deploy of doors")
        assert named == ("deploy of doors", f"token, {HERE}")


async def test_where_no_token_is_asked_for_that_is_what_is_kept() -> None:
    async with serving(a_busy_view()) as client:
        assert await reload(client, x_bellwire_actor="mia") == ("mia", f"no token asked for, {HERE}")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("mia\u2028(token, from 10.0.0.1)", "mia (token, from 10.0.0.1)"),  # it stays a name, for how is kept apart
        ("  Zoë   K. ", "Zoë K."),
        ("x" * 5000, "x" * 200),
        (" \t ", "a program"),
    ],
)
async def test_a_name_is_one_line_of_text_and_nothing_else(given: str, kept: str) -> None:
    async with serving(a_busy_view(), **TOKENS) as client:
        header = given.encode().decode("latin-1")  # as programs send what is beyond ASCII
        assert await reload(client, authorization=BEARER, x_bellwire_actor=header) == (kept, f"token, {HERE}")


async def test_a_read_token_that_may_not_act_is_kept_as_nothing() -> None:
    view = a_busy_view()
    async with serving(view, **TOKENS) as client:
        assert (await client.send("POST", "/-/reload", authorization="Bearer look-4712")).status == 403
    assert view.closer.done == []


async def test_a_browser_is_kept_by_its_session_which_the_log_tells_of() -> None:
    view = a_busy_view()
    with capture_logs() as logged:
        async with serving(view, **TOKENS) as client:
            cookie = await log_in(client, "Mia")
            page = await client.get("/silences", cookie=cookie)
            await client.send("POST", "/configuration/reload", cookie=cookie)
            await client.send("POST", "/configuration/reload", cookie=await log_in(client, ""))
            shown = await client.get("/configuration", cookie=cookie)
    first, second = (each for each in logged if each["event"] == "login")
    assert (first["name"], first["client"], first["role"]) == ("Mia", "127.0.0.1", "operator")
    assert first["session"] != second["session"]
    assert view.closer.done == [
        ("reload_asked", "Mia", f"page session {first['session']}, {HERE}"),
        ("reload_asked", "someone", f"page session {second['session']}, {HERE}"),
    ]
    assert f"page session {first['session']}, {HERE}" in shown.text
    assert f"Page session {first['session']} of Mia" in page.text
    assert re.search(r'name="author" value="Mia"', page.text)  # to begin with: it may be changed


async def test_with_a_silence_both_are_kept_when_it_is_made_and_when_it_is_ended(own: Ledger) -> None:
    async with serving(over(own.silences), **TOKENS) as client:
        made = await client.send(
            "POST",
            "/api/v1/silences",
            json.dumps(SILENCE),
            authorization=BEARER,
            content_type="application/json",
            x_bellwire_actor="a script",
        )
        path = f"/api/v1/silences/{made.json['id']}"
        await client.send("DELETE", path, cookie=await log_in(client, "Joe"))
        (listed,) = (await client.get("/api/v1/silences", authorization=BEARER)).json
    assert (listed["author"], listed["expired_by"]) == ("mia", "Joe")
    ended, added = await own.ask(lambda connection: read_actions(connection, 10))
    assert (added["who"], added["how"], added["what"]) == ("mia", f"token, {HERE}", "silence_added")
    assert (ended["who"], ended["what"]) == ("Joe", "silence_expired")
    assert re.fullmatch(rf"page session [0-9a-f]{{8}}, {HERE}", ended["how"])
    assert "how" not in added["detail"]


async def test_with_a_replay_both_are_handed_on() -> None:
    view = a_busy_view()
    async with serving(view, **TOKENS) as client:
        body = json.dumps({"dead": True, "by": "mia"})
        await client.send(
            "POST", "/api/v1/deliveries/replay", body, authorization=BEARER, content_type="application/json"
        )
        body = urlencode({"dead": "1"})
        await client.send("POST", "/deliveries/replay", body, cookie=await log_in(client, "Joe"), content_type=FORM)
    (_, by_program), (_, by_page) = view.orders
    assert (by_program.who, by_program.how) == ("mia", f"token, {HERE}")
    assert (by_page.who, by_page.how.startswith("page session ")) == ("Joe", True)


def over(silences: SilenceView) -> FakeView:
    view = FakeView()
    view.quiet = silences  # type: ignore[assignment]  # the real ones
    return view

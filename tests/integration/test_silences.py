"""Silences as people handle them: over HTTP, and on the command line with a daemon and without."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.ledger.ledger import Ledger
from bellwire.ledger.tables import actions
from bellwire.records import NewSilence
from fake_view import FakeView
from harness import free_port
from ledger_moves import states
from makers import PAGER, an_alert, an_arrival, ids
from web_rig import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from click.testing import Result

    from web_rig import Client

WANTED = {"matchers": ['team="doors"'], "duration": "1h", "author": "mia", "comment": "being mended"}


async def post(client: Client, body: dict[str, Any], **headers: str) -> Any:
    return await client.send("POST", "/api/v1/silences", json.dumps(body), content_type="application/json", **headers)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a ledger on the machine's clock, as the web has it."""
    opened = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    yield opened
    await opened.close()


def over(ledger: Ledger) -> FakeView:
    view = FakeView()
    view.quiet = ledger.silences  # type: ignore[assignment]  # the real ones
    return view


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_a_silence_is_added_listed_and_ended(own: Ledger) -> None:
    async with serving(over(own)) as client:
        made = await post(client, WANTED)
        assert made.status == 201
        (listed,) = (await client.get("/api/v1/silences")).json
        assert (listed["id"], listed["state"], listed["matchers"]) == (made.json["id"], "active", ['team="doors"'])
        await own.record([an_arrival(PAGER, alert=an_alert(labels={"team": "doors"}))])
        path = f"/api/v1/silences/{made.json['id']}?who=joe"
        assert (await client.send("DELETE", path)).json["outcome"] == "expired"
        assert (await client.send("DELETE", path)).json["outcome"] == "ended_before"
        (listed,) = (await client.get("/api/v1/silences")).json
        assert (listed["state"], listed["expired_by"]) == ("expired", "joe")
        assert (await client.send("DELETE", "/api/v1/silences/NONE")).status == 404
    assert await states(own) == {"suppressed": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"matchers": ['team="doors"', 'team~"x"']}, 'unexpected "~"'),
        ({"matchers": ["{}"]}, "needs a matcher"),
        ({"matchers": ['team=~".*"']}, "needs a matcher that the empty text does not match"),
        ({"matchers": ['team!="doors"', "zone="]}, "needs a matcher that the empty text does not match"),
        ({"matchers": [{"name": "team", "op": "!~", "value": "doors"}]}, "needs a matcher that the empty text"),
        ({"matchers": [{"name": "severity", "op": "<", "value": "errr"}]}, "no severity"),
        ({"duration": None}, "either ends_at or duration"),
        ({"ends_at": "2026-11-22T10:00:00Z"}, "either ends_at or duration"),
        ({"duration": "0s"}, "must end after"),
        ({"duration": "1h", "starts_at": "2001-01-01T00:00:00Z"}, "must end after"),
        ({"duration": "520w", "starts_at": "2001-01-01T00:00:00Z"}, "must end after"),
    ],
)
async def test_what_is_no_silence_is_refused_with_the_reason(own: Ledger, change: dict[str, Any], said: str) -> None:
    async with serving(over(own)) as client:
        answer = await post(client, WANTED | change)
    assert (answer.status, said in answer.json["detail"]) == (400, True), answer.text
    assert await own.silences.every() == []


async def a_past(ledger: Ledger, count: int) -> list[str]:
    """Add silences that are over; return their ids, the last ended first."""
    start = ledger.clock.wall() - timedelta(days=1)
    every = [
        NewSilence(
            matchers=('team="doors"',),
            starts_at=start,
            ends_at=start + timedelta(minutes=1 + number),
            author="mia",
            comment=f"over {number}",
        )
        for number in range(count)
    ]
    return (await asyncio.gather(*map(ledger.silences.add, every)))[::-1]


async def test_what_has_ended_is_listed_page_by_page_and_hides_nothing_that_stands(own: Ledger) -> None:
    async with serving(over(own)) as client:
        standing = (await post(client, WANTED)).json["id"]
        ended = await a_past(own, 45)
        first = await client.get("/api/v1/silences?limit=44")
        assert [each["id"] for each in first.json] == [standing, *ended[:44]]
        link = first.headers["link"]
        assert link == f'</api/v1/silences?limit=44&before={ended[43]}>; rel="next"'
        last = await client.get(link[1 : link.index(">")])
        assert ([each["id"] for each in last.json], last.headers["link"]) == (ended[44:], None)
        none = await client.get("/api/v1/silences?limit=0")
        assert ([each["id"] for each in none.json], none.headers["link"]) == ([standing], None)
        page = (await client.get("/silences")).text
        assert page.count("over ") == 20
        assert "being mended" in page
        older = f"/silences?before={ended[19]}"
        assert f'href="{older}"' in page
        page = (await client.get(older)).text
        assert (page.count("over "), "being mended" in page) == (20, False)
        assert "over 24<" in page
        assert "over 25<" not in page
        assert (await client.get(f"/silences?before={ended[39]}")).text.count("over ") == 5


async def test_a_bad_matcher_is_named_with_its_place(own: Ledger) -> None:
    async with serving(over(own)) as client:
        answer = (await post(client, WANTED | {"matchers": ['a="b"', 'team="x']})).json
        assert answer["matcher"] == 'team="x'
        assert isinstance(answer["offset"], int)
        assert (await client.get("/api/v1/silences/preview?matcher=%3D")).status == 400
        answer = (await post(client, WANTED | {"matchers": [{"name": "team", "op": "=~", "value": "a["}]})).json
        assert (answer["matcher"], answer["offset"]) == ("team =~ a[", None)
        strange = await post(client, WANTED | {"matchers": [{"name": "team", "op": "~", "value": "a"}]})
        assert strange.status == 422


async def test_a_silence_takes_matchers_as_objects_too(own: Ledger) -> None:
    wanted = ['team=~"d.*"', {"name": "my label", "op": "!=", "value": 'a "b"'}]
    async with serving(over(own)) as client:
        assert (await post(client, WANTED | {"matchers": wanted})).status == 201
        (listed,) = (await client.get("/api/v1/silences")).json
    assert listed["matchers"] == ['team=~"d.*"', '"my label"!="a \\"b\\""']
    doors, other = an_alert(labels={"team": "doors"}), an_alert(labels={"team": "doors", "my label": 'a "b"'})
    await own.record([an_arrival(PAGER, alert=doors), an_arrival(PAGER, alert=other)])
    assert await states(own) == {"suppressed": 1, "in_flight": 1}


async def test_nobody_can_look_at_or_make_a_silence_of_whatever_lacks_a_label(own: Ledger) -> None:
    wide = "matchers=foo%3D~.*&duration=1h&author=mia&comment=x"
    async with serving(over(own)) as client:
        assert (await client.get("/api/v1/silences/preview?matcher=foo%3D~.*")).status == 400
        shown = await client.get(f"/silences/new?{wide}")
        met = await client.get("/silences/meets?matchers=foo%3D~.*")
        made = await client.send("POST", "/silences", wide, content_type="application/x-www-form-urlencoded")
    assert (shown.status, met.status, made.status) == (422, 200, 422)
    for page in (shown, met, made):
        assert "that the empty text does not match" in page.text
    assert await own.silences.every() == []


async def test_a_preview_names_what_would_be_silenced(own: Ledger) -> None:
    arrivals = [an_arrival(PAGER, alert=an_alert(labels={"team": team})) for team in ("doors", "windows")]
    doors, _ = ids(await own.record(arrivals))
    async with serving(over(own)) as client:
        found = (await client.get("/api/v1/silences/preview?matcher=team%3D%22doors%22")).json
    assert [(each["id"], each["state"]) for each in found] == [(doors, "in_flight")]


async def test_neither_another_sites_page_nor_a_reader_may_silence(own: Ledger) -> None:
    async with serving(over(own)) as client:
        assert (await post(client, WANTED, origin="https://elsewhere.example")).status == 403
    async with serving(over(own), token="all-of-it", read_token="only-to-look") as client:
        assert (await post(client, WANTED)).status == 401
        assert (await post(client, WANTED, authorization="Bearer only-to-look")).status == 403
        assert (await post(client, WANTED, authorization="Bearer all-of-it")).status == 201


# --- on the command line ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration, and how commands are called there."""

    folder: Path
    listen: str = ""

    def __post_init__(self) -> None:
        config = {
            "global": {"timezone": "Europe/Paris"},
            "storage": {"url": f"sqlite:///{self.folder}/ledger.db"},
            "web": {"listen": self.listen},
            "route": {"receiver": "pager"},
            "receivers": [{"name": "pager", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}],
        }
        (self.folder / "bellwire.yaml").write_text(json.dumps(config))

    async def call(self, *words: str) -> Result:
        config = ["--config", str(self.folder / "bellwire.yaml")]
        return await asyncio.to_thread(CliRunner().invoke, main, ["silence", words[0], *config, *words[1:]])


ADD = ("add", 'team="doors"', "severity<error", "--duration", "1h", "--comment", "being mended", "--author", "mia")


async def test_without_a_daemon_silences_are_kept_in_the_ledgers_file(tmp_path: Path) -> None:
    await (await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))).close()
    place = Place(tmp_path)
    added = await place.call(*ADD)
    assert added.exit_code == 0, added.output
    silence_id = added.stdout.strip()
    (listed,) = json.loads((await place.call("list", "--json")).stdout)
    assert (listed["id"], listed["state"], listed["author"]) == (silence_id, "active", "mia")
    assert listed["matchers"] == ['team="doors"', 'severity<"error"']
    assert silence_id in (await place.call("list")).stdout
    ended = await place.call("expire", silence_id, "01NOBODY", "--author", "joe")
    assert (ended.exit_code, "there is no silence 01NOBODY" in ended.stderr) == (1, True)
    assert json.loads((await place.call("list", "--json")).stdout) == []
    (listed,) = json.loads((await place.call("list", "--all", "--json")).stdout)
    assert (listed["state"], listed["expired_by"]) == ("expired", "joe")
    again = await place.call("expire", silence_id.lower())
    assert (again.exit_code, again.stdout) == (0, f"{silence_id.lower()} had ended before\n")


async def test_with_a_daemon_silences_are_its_own(own: Ledger, tmp_path: Path) -> None:
    port = free_port()
    place = Place(tmp_path, f"127.0.0.1:{port}")
    async with serving(over(own), listen=place.listen):
        silence_id = (await place.call(*ADD)).stdout.strip()
        await own.record([an_arrival(PAGER, alert=an_alert(labels={"team": "doors", "severity": "info"}))])
        assert await states(own) == {"suppressed": 1}
        (listed,) = json.loads((await place.call("list", "--json")).stdout)
        assert listed["id"] == silence_id
        assert (await place.call("expire", silence_id)).exit_code == 0
        assert (await place.call("expire", "NOBODY")).exit_code == 1
    kept = await own.ask(lambda connection: connection.execute(select(actions.c.what)).scalars().all())
    assert kept == ["silence_added", "silence_expired"]


@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "file"])
async def test_for_programs_every_command_prints_one_array_of_objects(tmp_path: Path, *, daemon: bool) -> None:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    ended = await a_past(ledger, 3)
    place = Place(tmp_path, f"127.0.0.1:{free_port()}" if daemon else "")
    async with AsyncExitStack() as stack:
        if daemon:
            stack.push_async_callback(ledger.close)
            await stack.enter_async_context(serving(over(ledger), listen=place.listen))
        else:
            await ledger.close()
        (added,) = json.loads((await place.call(*ADD, "--json")).stdout)
        (listed,) = json.loads((await place.call("list", "--json")).stdout)
        assert (added, listed["state"]) == ({"id": listed["id"]}, "active")
        every = json.loads((await place.call("list", "--all", "--limit", "2", "--json")).stdout)
        assert [each["id"] for each in every] == [added["id"], *ended[:2]]
        older = json.loads((await place.call("list", "--before", ended[1].lower(), "--json")).stdout)
        assert [each["id"] for each in older] == ended[2:]
        wanted = [added["id"].lower(), ended[0], "01NOBODY"]
        answer = await place.call("expire", *wanted, "--json")
    assert (answer.exit_code, "there is no silence 01NOBODY" in answer.stderr) == (1, True)
    assert json.loads(answer.stdout) == [
        {"id": added["id"], "outcome": "expired"},
        {"id": ended[0], "outcome": "ended_before"},
        {"id": "01NOBODY", "outcome": "unknown"},
    ]


async def test_a_daemon_that_cannot_be_asked_is_not_written_behind_its_back(own: Ledger, tmp_path: Path) -> None:
    refused = await Place(tmp_path).call(*ADD)
    assert (refused.exit_code, "a daemon has the ledger" in refused.stderr) == (1, True)
    assert await own.silences.every() == []


async def test_where_there_is_no_ledger_none_is_made(tmp_path: Path) -> None:
    refused = await Place(tmp_path).call(*ADD)
    assert (refused.exit_code, "there is no ledger yet" in refused.stderr) == (1, True)
    assert not (tmp_path / "ledger.db").exists()


async def test_a_start_is_in_the_zone_of_the_configuration(own: Ledger, tmp_path: Path) -> None:
    day = (datetime.now(UTC) + timedelta(days=400)).date()
    place = Place(tmp_path, f"127.0.0.1:{free_port()}")
    async with serving(over(own), listen=place.listen):
        assert (await place.call(*ADD, "--start", f"{day}T12:00+00:00")).exit_code == 0
        assert (await place.call(*ADD, "--start", f"{day.year}-07-01T12:00")).exit_code == 0
    starts = {each["starts_at"] for each in await own.silences.every()}
    assert starts == {datetime(day.year, day.month, day.day, 12, tzinfo=UTC), datetime(day.year, 7, 1, 10, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", 'team~"x"', "--duration", "1h", "--comment", "c"), '  team~"x"\n      ^ '),
        (("add", "a=~.*", "b!=c", "--duration", "1h", "--comment", "c"), "that the empty text does not match"),
        (("add", "a=b", "--duration", "soon", "--comment", "c"), "--duration"),
        (("add", "a=b", "--duration", "0s", "--comment", "c"), "--duration"),
        (("add", "a=b", "--duration", "1h", "--comment", "c", "--start", "soon"), "--start"),
        (("add", "a=b", "--duration", "1h", "--comment", "c", "--start", "2001-01-01T00:00"), "ended already"),
        (("add", "a=b", "--duration", "1h", "--comment", "c", "--start", "9999-12-31T23:59:59"), "years 1970 to 8999"),
        (("add", "a=b", "--duration", "1h", "--comment", "c", "--start", "0001-01-01T00:00:00+14:00"), "--start: "),
        (("add", "--duration", "1h", "--comment", "c"), "MATCHER"),
        (("add", "a=b", "--duration", "1h"), "--comment"),
    ],
)
async def test_a_wrong_call_exits_2_and_says_where(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    refused = await Place(tmp_path).call(*words)
    assert refused.exit_code == 2, refused.output
    assert said in refused.stderr


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize(
    ("option", "text"), [("--comment", ""), ("--comment", " "), ("--comment", "x" * 2001), ("--author", "x" * 201)]
)
async def test_words_that_no_silence_takes_are_named_whether_a_daemon_runs_or_not(
    own: Ledger, tmp_path: Path, *, daemon: bool, option: str, text: str
) -> None:
    place = Place(tmp_path, f"127.0.0.1:{free_port()}")
    async with AsyncExitStack() as stack:
        if daemon:
            await stack.enter_async_context(serving(over(own), listen=place.listen))
        refused = await place.call("add", "a=b", "--duration", "1h", "--comment", "c", option, text)
    assert refused.exit_code == 2
    assert f"Error: {option}: it is " in refused.stderr


async def test_what_the_daemon_refuses_is_said_with_its_place(own: Ledger, tmp_path: Path) -> None:
    place = Place(tmp_path, f"127.0.0.1:{free_port()}")
    async with serving(over(own), listen=place.listen):
        refused = await place.call("add", "a=b", "--duration", "1h", "--comment", "not \udcff text")
    assert refused.exit_code == 1
    assert "the daemon answers 422: comment: holds half of a character" in refused.stderr

"""What a vendor changes about an item that is known: an event of its alert, once, for each API over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
import structlog

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.assembly import mailbox_of
from bellwire.config.schema import AccountConfig
from bellwire.http import HttpPool
from bellwire.intake import Intake, Mailbox, Rulebook
from bellwire.ledger import reading
from bellwire.ledger.changes import Changes
from bellwire.ledger.ledger import Ledger
from bellwire.metrics import Metrics
from bellwire.model import AccountKey, Notification, Severity, Via
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.routing.rules import Rules
from bellwire.routing.tree import Route
from ledger_rig import send
from makers import PAGER, VISION, a_policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection

    from bellwire.reference.serve import ReferenceServer
    from fakes import FakeClock

pytestmark = pytest.mark.timeout(20)

RULEBOOK = Rulebook(rules=Rules(root=Route(path="route", receiver="pager")), channels={"pager": (PAGER,)})


class Changed(NamedTuple):
    """What an item says at first, what its vendor might change of it, and the fields that are then named."""

    first: dict[str, Any]
    patch: dict[str, Any]
    fields: dict[str, Any]


CHANGES = {
    "visual_layer": Changed(
        {},
        {"metadata": {"result_count": 99}, "message": "more"},
        {"message": "more", "metadata.result_count": 99},
    ),
    "qualytics": Changed(
        {},
        {"notification": {"message": "failed", "target_url": "https://q.example/1"}},
        {"notification.message": "failed", "notification.target_url": "https://q.example/1"},
    ),
    "owlmetry": Changed(
        {"type": "issue.digest"},
        {"title": "worse", "type": "issue.new", "link": None},
        {"title": "worse", "type": "issue.new", "link": None},
    ),
    "elan": Changed(
        {"event_data": {"step": 1, "job_name": "Letters"}},
        {"title": "worse", "event_data": {"step": 2}},
        {"title": "worse", "event_data.step": 2},
    ),
    "atp": Changed(
        {"priority": "low"},
        {"priority": "critical", "status": "delivered", "context": {"title": "Really?"}},
        {"priority": "critical", "context.title": "Really?"},
    ),
}


class Desk:
    """One account of one API, from the vendor's socket into the ledger, and the control API beside it."""

    def __init__(self, server: ReferenceServer, session: aiohttp.ClientSession, inbox: HttpInbox, api: str) -> None:
        self.api = api
        self.inbox = inbox
        self._server = server
        self._session = session

    def emit(self, **given: Any) -> str:
        (upstream_id,) = self._server.emit(self.api, "ann", [given])
        return upstream_id

    async def change(self, upstream_id: str, patch: dict[str, Any]) -> None:
        url = f"{self._server.url}/control/{self.api}/ann/items/{upstream_id}"
        async with self._session.patch(url, json=patch) as response:
            assert response.status == 204

    async def read(self, intake: Intake, clock: FakeClock, via: Via = Via.POLL) -> int:
        asked = asyncio.ensure_future(self.inbox.page())
        while not asked.done():  # a vendor may allow so many polls a minute
            await clock.advance(0.1)
        return await intake.receive(self.key, (await asked).items, via)

    @property
    def key(self) -> AccountKey:
        return AccountKey(name="a", base_url=self._server.base_url(self.api))

    def intake(self, ledger: Ledger, clock: FakeClock) -> Intake:
        mailbox = mailbox_of(account(self.api, self._server))
        return Intake(ledger, clock, Metrics(), RULEBOOK, {self.key: mailbox})


def account(api: str, server: ReferenceServer) -> AccountConfig:
    return AccountConfig.model_validate(
        {"name": "a", "api": api, "base_url": server.base_url(api), "authorization": {"credentials": "ann-token"}}
    )


@asynccontextmanager
async def a_desk(api: str, clock: FakeClock) -> AsyncIterator[Desk]:
    settings = ReferenceSettings(users=(User(name="ann", tokens=("ann-token",)),))
    pool = HttpPool()
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        config = account(api, server)
        try:
            yield Desk(server, session, HttpInbox(APIS[api](config), config, pool, clock), api)
        finally:
            await pool.close()


async def events(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the events of the one alert that there is."""
    (alert,) = await ledger.ask(lambda connection: reading.recent_alerts(connection, 2))
    story = await ledger.ask(lambda connection: reading.explain_alert(connection, alert["id"]))
    told: list[dict[str, Any]] = story["events"]
    return told


async def named(ledger: Ledger) -> list[dict[str, Any]]:
    """Return what each event says of each field: what it is now."""
    return [{each["name"]: each["new"] for each in event["detail"]["fields"]} for event in await events(ledger)]


def test_every_api_is_held_to_this_contract() -> None:
    assert set(CHANGES) == set(APIS)


# --- over real sockets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", list(CHANGES))
async def test_what_the_vendor_changes_is_an_event_once_and_nothing_is_sent_again(
    api: str, ledger: Ledger, clock: FakeClock
) -> None:
    first, patch, fields = CHANGES[api]
    async with a_desk(api, clock) as desk:
        intake = desk.intake(ledger, clock)
        upstream_id = desk.emit(**first)
        assert [await desk.read(intake, clock), await desk.read(intake, clock)] == [1, 0]
        assert await events(ledger) == []
        await desk.change(upstream_id, patch)
        assert [await desk.read(intake, clock, via) for via in (Via.POLL, Via.AUDIT, Via.CATCH_UP)] == [0, 0, 0]
    (event,) = await events(ledger)
    assert event["kind"] == "changed"
    assert {each["name"]: each["new"] for each in event["detail"]["fields"]} == fields
    assert all(each["old"] != each["new"] for each in event["detail"]["fields"])
    (alert,) = await ledger.ask(lambda connection: reading.recent_alerts(connection, 10))
    assert (alert["state"], len(alert["obligations"])) == ("in_flight", 1)


@pytest.mark.parametrize("api", list(CHANGES))
async def test_what_says_only_that_it_was_read_or_answered_is_no_change(
    api: str, ledger: Ledger, clock: FakeClock
) -> None:
    async with a_desk(api, clock) as desk:
        intake = desk.intake(ledger, clock)
        desk.emit()
        (item,) = (await desk.inbox.page()).items
        await intake.receive(desk.key, [item], Via.POLL)
        for key in APIS[api].READ_STATE:
            for value in (True, None, "2026-11-22T10:00:00Z"):
                other = replace(item, payload=item.payload | {key: value})
                assert await intake.receive(desk.key, [other], Via.POLL) == 0
        assert await events(ledger) == []
        assert await intake.receive(desk.key, [replace(item, payload=item.payload | {"new": 1})], Via.POLL) == 0
    assert await named(ledger) == [{"new": 1}]


async def test_the_stream_that_goes_back_a_little_brings_changes_too(ledger: Ledger, clock: FakeClock) -> None:
    async with a_desk("atp", clock) as desk:
        intake = desk.intake(ledger, clock)
        upstream_id = desk.emit()
        new = []
        for patch in ({}, {}, {"deadline": "2027-01-01T00:00:00Z"}, {"status": "delivered"}):
            await desk.change(upstream_id, patch)
            async with desk.inbox.stream("0") as stream:
                batch = await anext(aiter(stream.batches()))
            found = [each for each in batch if isinstance(each, Notification)]
            new.append(await intake.receive(desk.key, found, Via.STREAM))
    assert new == [1, 0, 0, 0]
    assert await named(ledger) == [{"deadline": "2027-01-01T00:00:00Z"}]


# --- whatever the API ----------------------------------------------------------------------------------------------


def an_item(upstream_id: str = "n1", **payload: Any) -> Notification:
    return Notification(
        upstream_id=upstream_id, type="alert", severity=Severity.ERROR, title="T", payload={"id": upstream_id} | payload
    )


def an_intake(ledger: Ledger, clock: FakeClock) -> Intake:
    return Intake(ledger, clock, Metrics(), RULEBOOK, {VISION: Mailbox(api="visual_layer")})


async def bring(intake: Intake, via: Via = Via.POLL, **payload: Any) -> None:
    await intake.receive(VISION, [an_item(**payload)], via)


async def test_each_content_is_told_against_what_was_sent_and_so_is_the_way_back(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock)
    for count in (1, 2, 2, 3, 1, 1):
        await bring(intake, count=count)
    assert [event["detail"]["fields"] for event in await events(ledger)] == [
        [{"name": "count", "old": 1, "new": 2}],
        [{"name": "count", "old": 1, "new": 3}],
        [],
    ]


async def test_a_change_is_told_once_across_a_restart_and_so_is_its_end(ledger_url: str, clock: FakeClock) -> None:
    found = []
    for count in (1, 2, 2, 1, 1):
        ledger = await Ledger.open(ledger_url, lambda _last: clock)
        await bring(an_intake(ledger, clock), count=count)
        found.append(await named(ledger))
        await ledger.close()
    assert found == [[], [{"count": 2}], [{"count": 2}], [{"count": 2}, {}], [{"count": 2}, {}]]


async def test_what_the_list_says_and_the_stream_does_not_has_not_changed(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, Via.STREAM, count=1, on_the_stream=True)
    await bring(intake, Via.POLL, count=1, in_the_list={"more": 1})
    assert await events(ledger) == []
    for via in (Via.POLL, Via.STREAM, Via.AUDIT):
        where = {"on_the_stream": True} if via is Via.STREAM else {"in_the_list": {"more": 1}}
        await bring(intake, via, count=2, **where)
    assert await named(ledger) == [{"count": 2}]
    await bring(intake, Via.STREAM, count=2, on_the_stream=None)
    assert await named(ledger) == [{"count": 2}, {"count": 2, "on_the_stream": None}]


async def test_a_stream_that_does_not_name_what_a_list_changed_says_nothing_of_it(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, Via.POLL, count=1, deep={"on": 1, "in_the_list": 1})
    await bring(intake, Via.POLL, count=1, deep={"on": 1, "in_the_list": 2})
    changed = [{"deep.in_the_list": 2}]
    for via in (Via.STREAM, Via.POLL, Via.STREAM):
        deep = {"on": 1} if via is Via.STREAM else {"on": 1, "in_the_list": 2}
        await bring(intake, via, count=1, deep=deep)
        assert await named(ledger) == changed
    await bring(intake, Via.STREAM, count=2, deep={"on": 1})
    assert await named(ledger) == [*changed, {"count": 2}]
    await bring(intake, Via.POLL, count=1, deep={"on": 1, "in_the_list": 1})
    assert await named(ledger) == [*changed, {"count": 2}, {}]


async def test_the_order_of_keys_is_no_change_and_neither_is_null_for_none(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, one=1, two={"a": 1, "b": [1, 2]})
    await bring(intake, two={"b": [1, 2], "a": 1}, one=1, three=None)
    assert await events(ledger) == []


async def test_what_retention_has_forgotten_is_compared_no_more(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, count=1)
    await send(ledger, a_policy(PAGER))
    await bring(intake, count=2)
    assert await named(ledger) == [{"count": 2}]
    await clock.advance(60)
    assert await ledger.strip_contents(clock.now()) == 1
    assert await events(ledger) == []  # what they said is content, too
    await bring(intake, count=3)
    assert await events(ledger) == []


async def test_a_change_that_was_found_before_retention_came_is_not_written_after_it(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, count=1)
    await send(ledger, a_policy(PAGER))
    await clock.advance(60)

    async def ask(question: Callable[[Connection], Any]) -> Any:
        answer = await ledger.ask(question)
        assert await ledger.strip_contents(clock.now()) == 1
        return answer

    changes = Changes(ledger._writer, ask)  # noqa: SLF001 - its own comparison, between whose halves something comes
    assert await changes.compare(VISION, [an_item(count=2)], Via.POLL) == 0
    assert await events(ledger) == []


async def test_what_changes_again_and_again_is_not_kept_without_end(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    for count in range(40):
        await bring(intake, count=count)
    assert [each["count"] for each in await named(ledger)] == [*range(1, 20), 39]


async def test_what_is_new_is_recorded_though_another_item_of_the_list_changed(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, count=1)
    found = [an_item("n1", count=2), an_item("n2")]
    assert await intake.receive(VISION, found, Via.POLL) == 1
    assert (await ledger.ask(reading.read_totals))["alerts.received"] == 2


async def test_a_repetition_on_the_stream_is_no_event(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    assert await intake.receive(VISION, [an_item(count=1), an_item(count=1)], Via.STREAM) == 1
    assert await intake.receive(VISION, [an_item(count=1)], Via.STREAM) == 0
    assert await events(ledger) == []
    assert await intake.receive(VISION, [an_item(count=2)], Via.STREAM) == 0
    assert await named(ledger) == [{"count": 2}]


async def test_another_accounts_item_of_the_same_id_is_another_item(ledger: Ledger, clock: FakeClock) -> None:
    twin = VISION._replace(name="twin")
    mailboxes = {VISION: Mailbox(api="visual_layer"), twin: Mailbox(api="visual_layer")}
    intake = Intake(ledger, clock, Metrics(), RULEBOOK, mailboxes)
    for count, key in enumerate((VISION, twin, VISION, twin)):
        await intake.receive(key, [an_item(count=count % 2)], Via.POLL)
    told = await ledger.ask(lambda connection: reading.explain(connection, "n1", 2))
    assert [story["events"] for story in told] == [[], []]


async def test_it_is_logged_by_name_and_not_by_content(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    await bring(intake, title="old")
    with structlog.testing.capture_logs() as lines:
        await bring(intake, title="a planted secret")
    (line,) = [each for each in lines if each["event"] == "alert_changed"]
    assert (line["log_level"], line["account"], line["fields"]) == ("debug", "vision", ["title"])
    assert "planted" not in str(lines)


# --- what it costs -------------------------------------------------------------------------------------------------


class Counted:
    """The ledger's own comparison, with the questions counted."""

    def __init__(self, ledger: Ledger, remembered: int = 1000) -> None:
        self.questions = 0
        self._ledger = ledger
        self._changes = Changes(ledger._writer, self._ask, remembered)  # noqa: SLF001 - its own comparison, counted

    async def _ask(self, question: Callable[[Connection], Any]) -> Any:
        self.questions += 1
        return await self._ledger.ask(question)

    async def compare(self, items: list[Notification]) -> int:
        return await self._changes.compare(VISION, items, Via.POLL)


async def test_a_list_that_says_the_same_again_asks_the_ledger_nothing(ledger: Ledger, clock: FakeClock) -> None:
    items = [an_item(f"n{number}", count=1) for number in range(100)]
    await an_intake(ledger, clock).receive(VISION, items, Via.STREAM)
    counted = Counted(ledger)
    await counted.compare(items)
    first = counted.questions
    for _ in range(5):
        await counted.compare(items)
    assert counted.questions == first == 4  # some payloads at a time
    assert await counted.compare([*items[:-1], an_item("n99", count=2)]) == 1
    assert counted.questions == first + 1


async def test_what_does_not_fit_into_memory_is_compared_anew(ledger: Ledger, clock: FakeClock) -> None:
    items = [an_item(f"n{number}", count=1) for number in range(100)]
    await an_intake(ledger, clock).receive(VISION, items, Via.STREAM)
    counted = Counted(ledger, remembered=10)
    for _ in range(3):
        await counted.compare(items)
    assert counted.questions == 4 + 3 + 3  # the last few are remembered
    assert await counted.compare([an_item("n0", count=2)]) == 1


async def test_what_is_new_is_compared_with_nothing(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def compare(*_: object) -> int:
        raise AssertionError

    monkeypatch.setattr(ledger.changes, "compare", compare)
    intake = an_intake(ledger, clock)
    assert await intake.receive(VISION, [an_item("n1"), an_item("n2")], Via.POLL) == 2
    assert await intake.receive(VISION, [an_item("n3")], Via.STREAM) == 1

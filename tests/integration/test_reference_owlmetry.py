"""Owlmetry's face of the reference server, and the client before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp
import pytest

from bellwire.apis.inbox import HttpInbox
from bellwire.apis.owlmetry import Owlmetry
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.errors import UnauthorizedError
from bellwire.http import HttpPool
from bellwire.model import MarkOutcome
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.traps import Trap
from face_client import FaceClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.timeout(60)

API = "owlmetry"
FIELDS = {"id", "type", "title", "body", "link", "team_id", "read_at", "created_at"}
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
BOB = {"Authorization": "Bearer bob-token"}
KEY = "owl_key"
NOBODY = str(UUID(int=7))
ENDPOINTS = [
    ("GET", ""),
    ("GET", "/unread-count"),
    ("POST", "/mark-all-read"),
    ("PATCH", f"/{NOBODY}"),
    ("DELETE", f"/{NOBODY}"),
]


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    users = (User(name="ann", tokens=("ann-token",), keys=((KEY, "secret"),)), User(name="bob", tokens=("bob-token",)))
    async with serving(ReferenceSettings(users=users)) as made:
        yield made


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[FaceClient]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield FaceClient(session, f"{server.base_url(API)}/v1/notifications")


def emit(server: ReferenceServer, *given: dict[str, Any], user: str = "ann") -> list[str]:
    return server.emit(API, user, given)


def at(micros: int) -> dict[str, str]:
    return {"created_at": (START + timedelta(microseconds=micros)).isoformat()}


def unread(server: ReferenceServer, user: str = "ann") -> set[str]:
    return {item.id for item in server.items(API, user) if item.read_at is None}


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page["notifications"]]


async def every_page(client: FaceClient, **params: Any) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await client.good("GET", params=params | {"cursor": cursor})
        assert page["has_more"] is (page["cursor"] is not None)
        found += ids(page)
        cursor = page["cursor"]
    return found


# --- lists ---------------------------------------------------------------------------------------------------------


async def test_an_item_has_exactly_the_fields_that_were_seen(server: ReferenceServer, client: FaceClient) -> None:
    [made] = emit(server, {"data": {"secret": 1}, "created_at": "2024-01-15T10:00:00.123456Z", "type": "issue.digest"})

    page = await client.good("GET")

    [item] = page["notifications"]
    assert set(item) == FIELDS
    assert (item["id"], item["type"], item["read_at"]) == (made, "issue.digest", None)
    assert item["created_at"] == "2024-01-15T10:00:00.123Z"
    assert (page["cursor"], page["has_more"]) == (None, False)


async def test_items_of_every_published_type_are_made_in_turn(server: ReferenceServer, client: FaceClient) -> None:
    emit(server, *[{}] * 8)
    assert len({item["type"] for item in (await client.good("GET"))["notifications"]}) == 8


@pytest.mark.parametrize("given", [{}, {"limit": "0"}, {"limit": "many"}, {"limit": ""}, {"limit": "NaN"}])
async def test_a_limit_that_says_nothing_is_fifty(
    server: ReferenceServer, client: FaceClient, given: dict[str, str]
) -> None:
    emit(server, *(at(number) for number in range(60)))
    assert len(ids(await client.good("GET", params=given))) == 50


@pytest.mark.parametrize(("limit", "length"), [("-5", 1), ("1", 1), ("3.7", 3), ("200", 200), ("1e9", 200)])
async def test_a_limit_out_of_bounds_is_moved_into_them(
    server: ReferenceServer, client: FaceClient, limit: str, length: int
) -> None:
    emit(server, *(at(number) for number in range(210)))
    assert len(ids(await client.good("GET", params={"limit": limit}))) == length


async def test_pages_follow_the_cursor_newest_first_to_the_end(server: ReferenceServer, client: FaceClient) -> None:
    made = emit(server, *(at(number) for number in range(25)))[::-1]
    assert await every_page(client, limit=10) == made
    assert await every_page(client, limit=5) == made


@pytest.mark.parametrize("cursor", ["nothing", "x|y", f"yesterday|{NOBODY}", "2026-11-22T10:00:00.000Z|7", "|"])
async def test_a_cursor_that_cannot_be_read_is_page_one(
    server: ReferenceServer, client: FaceClient, cursor: str
) -> None:
    made = emit(server, *(at(number) for number in range(3)))[::-1]
    assert ids(await client.good("GET", params={"cursor": cursor, "limit": 2})) == made[:2]


async def test_filters_take_what_they_know_and_ignore_the_rest(server: ReferenceServer, client: FaceClient) -> None:
    a, b, c = emit(
        server, at(1) | {"type": "issue.new"}, at(2) | {"type": "app.strange"}, at(3) | {"type": "issue.new"}
    )
    await client.good("PATCH", f"/{a}")

    async def found(**params: str) -> list[str]:
        return ids(await client.good("GET", params=params))

    assert await found(read_state="unread") == [c, b]
    assert await found(read_state="read") == [a]
    assert await found(read_state="all") == await found(read_state="odd") == [c, b, a]
    assert await found(type="issue.new", read_state="unread") == [c]
    assert await found(type="app.strange") == [b]
    assert await found(type="job.completed") == []
    assert await found(type="nobody.knows") == [c, b, a]


async def test_where_habits_are_off_what_is_strange_is_refused(server: ReferenceServer, client: FaceClient) -> None:
    server.context.traps.switch({Trap.OWLMETRY_LIMIT_COERCED: False, Trap.OWLMETRY_UNKNOWN_FILTER_IGNORED: False})
    for params in ({"limit": "0"}, {"limit": "x"}, {"type": "nobody.knows"}, {"read_state": "odd"}):
        status, body = await client.call("GET", params=params)
        assert (status, body["statusCode"], body["error"]) == (400, 400, "Bad Request")
    await client.good("GET", params={"limit": "200", "type": "issue.new", "read_state": "read"})


async def test_the_millisecond_cursor_skips_what_came_in_one_millisecond(
    server: ReferenceServer, client: FaceClient
) -> None:
    made = emit(server, *[at(500)] * 10)
    assert sorted(await every_page(client, limit=3)) == sorted(made)

    server.context.traps.switch({Trap.OWLMETRY_MILLISECOND_CURSOR: True})

    assert len(await every_page(client, limit=3)) == 3


# --- read marks ----------------------------------------------------------------------------------------------------


async def test_a_mark_is_stamped_anew_and_can_be_taken_back(server: ReferenceServer, client: FaceClient) -> None:
    [made] = emit(server, {})
    first = (await client.good("PATCH", f"/{made}", json={"read": True}))["notification"]
    second = (await client.good("PATCH", f"/{made}"))["notification"]

    assert set(first) == FIELDS
    assert first["read_at"].endswith("Z")
    assert second["read_at"] >= first["read_at"]
    assert [item.marks for item in server.items(API, "ann")] == [2]
    assert (await client.good("PATCH", f"/{made}", json={"read": False}))["notification"]["read_at"] is None
    assert await client.good("GET", "/unread-count") == {"count": 1}


@pytest.mark.parametrize("body", [{}, {"read": "false"}, {"read": 0}, {"read": None}, [], "text", {"red": False}])
async def test_anything_but_a_literal_false_marks_as_read(
    server: ReferenceServer, client: FaceClient, body: Any
) -> None:
    [made] = emit(server, {})
    await client.good("PATCH", f"/{made}", json=body)
    assert unread(server) == set()


async def test_mark_all_keeps_to_a_known_type_and_an_unknown_one_is_as_none(
    server: ReferenceServer, client: FaceClient
) -> None:
    emit(server, {"type": "issue.new"}, {"type": "job.completed"}, {"type": "job.completed"})

    assert await client.good("POST", "/mark-all-read", json={"type": "issue.new"}) == {"marked": 1}
    server.context.traps.switch({Trap.OWLMETRY_UNKNOWN_TYPE_MARKS_ALL: False})
    assert await client.good("POST", "/mark-all-read", json={"type": "nobody.knows"}) == {"marked": 0}
    server.context.traps.switch({Trap.OWLMETRY_UNKNOWN_TYPE_MARKS_ALL: True})
    assert await client.good("POST", "/mark-all-read", json={"type": "nobody.knows"}) == {"marked": 2}
    assert await client.good("POST", "/mark-all-read") == {"marked": 0}


async def test_what_is_deleted_is_gone_from_everywhere(server: ReferenceServer, client: FaceClient) -> None:
    a, b = emit(server, at(1), at(2))

    assert await client.good("DELETE", f"/{a}") == {"id": a}

    for method in ("DELETE", "PATCH"):
        assert await client.call(method, f"/{a}") == (404, {"error": "Notification not found"})
    assert ids(await client.good("GET")) == [b]
    assert await client.good("GET", "/unread-count") == {"count": 1}


async def test_an_id_that_is_no_uuid_breaks_the_server_where_the_trap_is_on(
    server: ReferenceServer, client: FaceClient
) -> None:
    assert (await client.call("PATCH", "/7"))[0] == 404
    server.context.traps.switch({Trap.OWLMETRY_STRANGE_ID_BREAKS: True})
    for method in ("PATCH", "DELETE"):
        status, body = await client.call(method, "/7")
        assert (status, body["statusCode"], body["error"]) == (500, 500, "Internal Server Error")
    assert (await client.call("PATCH", f"/{NOBODY}"))[0] == 404


@pytest.mark.parametrize(
    ("kind", "data", "status", "code"),
    [
        ("application/json", b"", 400, "FST_ERR_CTP_EMPTY_JSON_BODY"),
        ("application/json; charset=utf-8", b"", 400, "FST_ERR_CTP_EMPTY_JSON_BODY"),
        ("application/json", b"{", 400, "FST_ERR_CTP_INVALID_JSON_BODY"),
        ("application/xml", b"<a/>", 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"),
    ],
)
async def test_a_body_that_is_none_is_refused_as_the_framework_does(
    server: ReferenceServer, client: FaceClient, kind: str, data: bytes, status: int, code: str
) -> None:
    [made] = emit(server, {})
    headers = {"Authorization": "Bearer ann-token", "Content-Type": kind}
    for method, path in (("PATCH", f"/{made}"), ("POST", "/mark-all-read"), ("DELETE", f"/{made}")):
        answer = await client.call(method, path, headers, data)
        assert (answer[0], answer[1]["code"]) == (status, code)
    assert unread(server) == {made}


async def test_the_trap_of_the_empty_body_can_be_switched_off(server: ReferenceServer, client: FaceClient) -> None:
    [made] = emit(server, {})
    server.context.traps.switch({Trap.OWLMETRY_EMPTY_JSON_REFUSED: False})
    headers = {"Authorization": "Bearer ann-token", "Content-Type": "application/json"}
    assert (await client.call("PATCH", f"/{made}", headers, b""))[0] == 200


async def test_users_cannot_see_mark_or_delete_each_others_items(server: ReferenceServer, client: FaceClient) -> None:
    [anns] = emit(server, {})
    emit(server, {}, user="bob")
    for method in ("PATCH", "DELETE"):
        assert (await client.call(method, f"/{anns}", BOB))[0] == 404
    assert await client.good("POST", "/mark-all-read", headers=BOB) == {"marked": 1}
    assert await client.good("GET", "/unread-count") == {"count": 1}
    assert ids(await client.good("GET")) == [anns]


# --- who is asking -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "Missing authorization"),
        ({"Authorization": "bearer ann-token"}, 401, "Invalid authorization format"),
        ({"Authorization": "Basic ann-token"}, 401, "Invalid authorization format"),
        ({"Authorization": "Bearer wrong"}, 401, "Invalid or expired token"),
        ({"Authorization": "Bearer owl_nobody"}, 401, "Invalid API key"),
        ({"Authorization": f"Bearer {KEY}"}, 403, "User authentication required"),
        ({"Cookie": "token=wrong"}, 401, "Invalid or expired token"),
        ({"Authorization": "Bearer wrong", "Cookie": "token=ann-token"}, 401, "Invalid or expired token"),
    ],
)
async def test_every_endpoint_says_why_it_does_not_answer(
    client: FaceClient, method: str, path: str, headers: dict[str, str], status: int, error: str
) -> None:
    assert await client.call(method, path, headers) == (status, {"error": error})


async def test_a_good_cookie_is_enough(client: FaceClient) -> None:
    assert await client.good("GET", "/unread-count", headers={"Cookie": "token=ann-token"}) == {"count": 0}


@pytest.mark.parametrize(("method", "path"), [("GET", f"/{NOBODY}"), ("PUT", ""), ("GET", "/"), ("GET", "/a/b")])
async def test_every_other_path_and_method_is_no_route(client: FaceClient, method: str, path: str) -> None:
    status, body = await client.call(method, path)
    assert (status, set(body)) == (404, {"message", "error", "statusCode"})


# --- traps by the control API --------------------------------------------------------------------------------------


async def test_traps_are_shown_and_switched_while_the_server_runs(server: ReferenceServer) -> None:
    async with aiohttp.ClientSession() as session:
        control = FaceClient(session, f"{server.url}/control/traps")
        shown = await control.good("GET")
        assert shown["owlmetry.limit_coerced"] is True
        assert shown["owlmetry.millisecond_cursor"] is False

        changed = await control.good("PUT", json={"owlmetry.millisecond_cursor": True})

        assert changed == shown | {"owlmetry.millisecond_cursor": True}
        assert Trap.OWLMETRY_MILLISECOND_CURSOR in server.context.traps
        strange: Any
        for strange in ({"no.trap": True}, {"owlmetry.limit_coerced": "maybe"}, []):
            assert (await control.call("PUT", json=strange))[0] == 422
        assert await control.good("GET") == changed


# --- the client before it ------------------------------------------------------------------------------------------


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    made = HttpPool()
    yield made
    await made.close()


def inbox_of(server: ReferenceServer, pool: HttpPool, **authorization: str) -> HttpInbox:
    account = AccountConfig.model_validate(
        {"name": "a", "api": API, "base_url": server.base_url(API), "authorization": authorization}
    )
    return HttpInbox(Owlmetry(account), account, pool, SystemClock())


async def listed(inbox: HttpInbox) -> list[str]:
    page = await inbox.page()
    found = [item.upstream_id for item in page.items]
    while page.next_cursor is not None:
        page = await inbox.page(page.next_cursor)
        found += [item.upstream_id for item in page.items]
    return found


async def test_the_client_logs_in_by_header_and_by_cookie(server: ReferenceServer, pool: HttpPool) -> None:
    emit(server, {})
    for form in ("bearer", "cookie"):
        assert await inbox_of(server, pool, type=form, credentials="ann-token").unread_count() == 1
    with pytest.raises(UnauthorizedError):
        await inbox_of(server, pool, credentials=KEY).page()
    with pytest.raises(UnauthorizedError):
        await inbox_of(server, pool, type="cookie", credentials="wrong").page()


async def test_the_client_finds_what_the_millisecond_cursor_skips(server: ReferenceServer, pool: HttpPool) -> None:
    server.context.traps.switch({Trap.OWLMETRY_MILLISECOND_CURSOR: True})
    made = emit(server, *(at(number * 10) for number in range(700)))  # a hundred a millisecond
    inbox = inbox_of(server, pool, credentials="ann-token")
    assert set(await listed(inbox)) == set(made)
    assert len(server.log.entries()) <= 8


async def test_what_is_too_much_for_one_millisecond_comes_up_once_the_rest_is_marked(
    server: ReferenceServer, pool: HttpPool
) -> None:
    server.context.traps.switch({Trap.OWLMETRY_MILLISECOND_CURSOR: True, Trap.OWLMETRY_STRANGE_ID_BREAKS: True})
    made = set(emit(server, *[at(500)] * 450, *(at(5_000 + number) for number in range(50))))
    inbox = inbox_of(server, pool, credentials="ann-token")
    found: set[str] = set()
    passes = 0
    while await inbox.unread_count():
        passes += 1
        batch = await listed(inbox)
        found |= set(batch)
        results = await inbox.mark_read(list(dict.fromkeys(batch)))
        assert {result.outcome for result in results} == {MarkOutcome.CONFIRMED}
    assert found == made
    assert passes == 3
    assert (await inbox.page()).items == ()
    assert not [entry for entry in server.log.entries() if "mark-all" in entry.path or entry.status != 200]

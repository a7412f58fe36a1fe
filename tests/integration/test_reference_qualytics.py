"""Qualytics' face of the reference server, and the client before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bellwire.apis.inbox import HttpInbox
from bellwire.apis.qualytics import Qualytics
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.http import HttpPool
from bellwire.model import MarkOutcome
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.traps import Trap
from face_client import FaceClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.timeout(60)

API = "qualytics"
BOB = {"Authorization": "Bearer bob-token"}
ENDPOINTS = [("GET", ""), ("GET", "/listing"), ("GET", "/1"), ("PATCH", "/acknowledge"), ("PUT", "/acknowledge/1")]


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    users = (User(name="ann", tokens=("ann-token",)), User(name="bob", tokens=("bob-token",)))
    async with serving(ReferenceSettings(users=users)) as made:
        yield made


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[FaceClient]:
    async with aiohttp.ClientSession() as session:
        yield FaceClient(session, f"{server.base_url(API)}/api/user-notifications")


def emit(server: ReferenceServer, *given: dict[str, Any], user: str = "ann") -> list[int]:
    return [int(each) for each in server.emit(API, user, given)]


def unread(server: ReferenceServer, user: str = "ann") -> list[int]:
    return [int(item.id) for item in server.items(API, user) if item.read_at is None]


def numbers(page: Any) -> list[int]:
    return [item["id"] for item in page["items"]]


# --- lists ---------------------------------------------------------------------------------------------------------


async def test_an_item_has_exactly_the_published_fields(server: ReferenceServer, client: FaceClient) -> None:
    [number] = emit(server, {"tags": ["prod"], "notification": {"message": "Done."}})

    [item] = (await client.good("GET"))["items"]

    notification, execution = item["notification"], item["notification"]["action_execution"]
    assert set(item) == {"id", "created", "acknowledged", "notification"}
    assert set(notification) == {
        "id", "created", "notification_type", "message", "target_uri", "target_url", "action_execution",
    }  # fmt: skip
    assert set(execution) == {"id", "flow_execution"}
    assert set(execution["flow_execution"]) == {"id", "flow"}
    assert set(execution["flow_execution"]["flow"]) == {"id", "name"}
    assert (item["id"], item["acknowledged"], notification["message"]) == (number, False, "Done.")
    assert notification["id"] != item["id"]
    assert notification["target_url"].endswith(notification["target_uri"])
    assert await client.good("GET", f"/{number}") == item
    assert await client.good("GET", "/listing") == [item]


async def test_pages_begin_at_one_and_say_how_many_there_are(server: ReferenceServer, client: FaceClient) -> None:
    made = emit(server, *[{}] * 30)[::-1]

    first = await client.good("GET")
    second = await client.good("GET", params={"page": 2, "size": 20})
    beyond = await client.good("GET", params={"page": 3, "size": 20})
    ascending = await client.good("GET", params={"sort_created": "asc", "size": 5})

    assert (numbers(first), first["page"], first["size"], first["pages"], first["total"]) == (made[:12], 1, 12, 3, 30)
    assert (numbers(second), second["pages"]) == (made[20:], 2)
    assert (numbers(beyond), beyond["total"]) == ([], 30)
    assert numbers(ascending) == made[::-1][:5]


async def test_lists_leave_out_what_is_read_unless_it_is_wanted(server: ReferenceServer, client: FaceClient) -> None:
    a, b = emit(server, {}, {})
    await client.good("PUT", f"/acknowledge/{a}")

    assert numbers(await client.good("GET")) == [b]
    assert numbers(await client.good("GET", params={"include_acknowledged": "true"})) == [b, a]
    assert [item["id"] for item in await client.good("GET", "/listing")] == [b]
    everything = await client.good("GET", "/listing", params={"include_acknowledged": "true"})
    assert [(item["id"], item["acknowledged"]) for item in everything] == [(b, False), (a, True)]


async def test_lists_are_filtered_by_any_of_several_types_and_tags(server: ReferenceServer, client: FaceClient) -> None:
    a, b, c = emit(
        server,
        {"trigger_type": "Anomaly", "tags": ["prod", "eu"]},
        {"trigger_type": "Manual", "tags": ["test"]},
        {"trigger_type": "Operation"},
    )

    async def found(*query: tuple[str, str]) -> list[int]:
        page = await client.good("GET", params=query)
        assert page["total"] == len(page["items"])
        return numbers(page)

    assert await found(("trigger_type", "Anomaly"), ("trigger_type", "Operation")) == [c, a]
    assert await found(("tag", "eu"), ("tag", "test")) == [b, a]
    assert await found(("tag", "test"), ("trigger_type", "Anomaly")) == []
    assert await found(("tag", "nobody's")) == []


@pytest.mark.parametrize(
    "params",
    [{"page": "0"}, {"size": "101"}, {"size": "0"}, {"trigger_type": "anomaly"}, {"sort_created": "up"}, {"page": "x"}],
)
async def test_a_parameter_out_of_bounds_is_refused(client: FaceClient, params: dict[str, str]) -> None:
    status, body = await client.call("GET", params=params)
    assert status == 422
    assert body["detail"][0]["loc"][:2] == ["query", *params]


# --- read marks ----------------------------------------------------------------------------------------------------


async def test_one_is_marked_and_told_in_short(server: ReferenceServer, client: FaceClient) -> None:
    a, b = emit(server, {}, {})

    marked = await client.good("PUT", f"/acknowledge/{a}")

    assert set(marked) == {"id", "created", "acknowledged"}
    assert (marked["id"], marked["acknowledged"]) == (a, True)
    assert await client.good("PUT", f"/acknowledge/{a}") == marked
    assert unread(server) == [b]


async def test_several_are_marked_and_counted(server: ReferenceServer, client: FaceClient) -> None:
    a, b, c = emit(server, {}, {}, {})

    answer = await client.good("PATCH", "/acknowledge", json=[{"id": a}, {"id": c}, {"id": 999_999}])

    assert answer == {"acknowledged_count": 2, "requested_count": 3}
    assert unread(server) == [b]


async def test_an_empty_array_marks_everything_unless_the_trap_is_off(
    server: ReferenceServer, client: FaceClient
) -> None:
    emit(server, {}, {})
    server.context.traps.switch({Trap.QUALYTICS_EMPTY_ARRAY_MARKS_ALL: False})
    assert await client.good("PATCH", "/acknowledge", json=[]) == {"acknowledged_count": 0, "requested_count": 0}
    assert len(unread(server)) == 2

    server.context.traps.switch({Trap.QUALYTICS_EMPTY_ARRAY_MARKS_ALL: True})
    assert await client.good("PATCH", "/acknowledge", json=[]) == {"acknowledged_count": 2, "requested_count": 2}
    assert unread(server) == []


@pytest.mark.parametrize("body", [{}, [1], [{}], [{"id": "x"}], [{"id": True}], None])
async def test_a_bulk_mark_of_no_ids_is_refused(server: ReferenceServer, client: FaceClient, body: Any) -> None:
    emit(server, {})
    status, _ = await client.call("PATCH", "/acknowledge", json=body)
    assert status == 422
    assert len(unread(server)) == 1


async def test_users_cannot_see_or_mark_each_others_items(server: ReferenceServer, client: FaceClient) -> None:
    [anns] = emit(server, {})
    [bobs] = emit(server, {}, user="bob")

    for method, path in (("GET", f"/{anns}"), ("PUT", f"/acknowledge/{anns}")):
        status, body = await client.call(method, path, BOB)
        assert (status, body) == (404, {"detail": "Notification not found"})
    assert await client.good("PATCH", "/acknowledge", headers=BOB, json=[{"id": anns}]) == {
        "acknowledged_count": 0,
        "requested_count": 1,
    }
    await client.good("PATCH", "/acknowledge", headers=BOB, json=[])
    assert numbers(await client.good("GET")) == [anns]
    assert (unread(server), unread(server, "bob")) == ([anns], [])
    assert numbers(await client.good("GET", headers=BOB, params={"include_acknowledged": "true"})) == [bobs]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_no_endpoint_answers_without_a_good_token(client: FaceClient, method: str, path: str) -> None:
    assert await client.call(method, path, {}, json=[]) == (401, {"detail": "Not authenticated"})
    assert await client.call(method, path, {"Authorization": "Bearer no"}, json=[]) == (
        401,
        {"detail": "Invalid token"},
    )
    assert (await client.call(method, path, {"Authorization": "Basic ann-token"}, json=[]))[0] == 401


# --- the client before it ------------------------------------------------------------------------------------------


@pytest.fixture
async def inbox(server: ReferenceServer) -> AsyncIterator[HttpInbox]:
    pool = HttpPool()
    account = AccountConfig.model_validate(
        {
            "name": "a",
            "api": API,
            "base_url": f"{server.base_url(API)}/api",
            "authorization": {"credentials": "ann-token"},
            "params": {"trigger_type": ["Anomaly", "Operation"], "tag": ["prod"]},
        }
    )
    yield HttpInbox(Qualytics(account), account, pool, SystemClock())
    await pool.close()


async def test_the_client_counts_and_lists_what_its_filters_let_through(
    server: ReferenceServer, inbox: HttpInbox
) -> None:
    a, *_ = emit(server, {"tags": ["prod"]}, {"tags": ["test"]}, {"tags": ["prod"], "trigger_type": "Manual"})
    page = await inbox.page()
    assert [each.upstream_id for each in page.items] == [str(a)]
    assert await inbox.unread_count() == 1


async def test_a_bulk_mark_that_counts_fewer_is_followed_by_single_marks_once(
    server: ReferenceServer, inbox: HttpInbox
) -> None:
    a, b = emit(server, {}, {})

    results = await inbox.mark_read([str(a), "999999"])

    assert [result.outcome for result in results] == [MarkOutcome.CONFIRMED] * 2
    assert unread(server) == [b]
    calls = [f"{entry.method} {entry.path.rpartition('/')[2]}" for entry in server.log.entries()]
    assert calls == ["PATCH acknowledge", f"PUT {a}", "PUT 999999", "GET user-notifications"]


async def test_many_are_marked_by_few_calls(server: ReferenceServer, inbox: HttpInbox) -> None:
    made = emit(server, *[{}] * 230)

    results = await inbox.mark_read([str(each) for each in made[5:]])

    assert {result.outcome for result in results} == {MarkOutcome.CONFIRMED}
    assert unread(server) == made[:5]
    assert len(server.log.entries()) == 3

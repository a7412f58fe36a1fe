from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bellwire.reference.faces import FACES
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API = "visual_layer"
ITEMS = f"/{API}/ann/items"
NO_CONTENT = 204
VENDOR = f"/{API}/api/v1/notifications"
USERS = (User(name="ann", tokens=("ann-token",)), User(name="bob", tokens=("bob-token",)))


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def control(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        async with self._session.request(method, f"{self.url}/control{path}", **request) as response:
            assert response.status == status
            return await response.json() if status != NO_CONTENT else None

    async def listed(self, query: str) -> list[dict[str, Any]]:
        headers = {"Authorization": "Bearer ann-token"}
        async with self._session.get(self.url + VENDOR + query, headers=headers) as response:
            items: list[dict[str, Any]] = (await response.json())["notifications"]
            return items

    async def vendor(self, method: str, path: str, user: str | None = "ann") -> int:
        headers = {"Authorization": f"Bearer {user}-token"} if user else {}
        async with self._session.request(method, self.url + VENDOR + path, headers=headers) as response:
            await response.read()
            return response.status


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=USERS, log_size=5)) as server:
        yield server


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, server.url)


async def test_health_names_the_apis(client: Client) -> None:
    assert await client.control("GET", "/health") == {"status": "ok", "apis": list(FACES)}


async def test_added_items_keep_what_was_given_and_come_back_with_their_state(client: Client) -> None:
    given = [{"id": "mine", "title": "Hello", "created_at": "2026-11-22T10:00:00Z"}, {"metadata": None}]

    ids = (await client.control("POST", ITEMS, 201, json=given))["ids"]
    await client.vendor("POST", "/mine/read")
    await client.vendor("POST", "/mine/read")
    first, second = await client.control("GET", ITEMS)

    assert [first["id"], second["id"]] == ids == ["mine", ids[1]]
    assert (first["item"]["title"], first["item"]["created_at"]) == ("Hello", "2026-11-22T10:00:00Z")
    assert first["created_at"] == "2026-11-22T10:00:00+00:00"
    assert (first["is_read"], first["marks"], first["item"]["is_read"]) == (True, 2, True)
    assert (second["is_read"], second["marks"], second["read_at"]) == (False, 0, None)
    assert second["item"]["metadata"] is None
    assert first["seq"] < second["seq"]


async def test_an_object_with_a_count_is_meant_so_many_times(client: Client) -> None:
    ids = (await client.control("POST", ITEMS, 201, json={"count": 30, "dataset_id": "x"}))["ids"]

    shown = await client.control("GET", ITEMS)

    assert len(set(ids)) == 30
    assert [item["id"] for item in shown] == ids
    assert {item["item"]["dataset_id"] for item in shown} == {"x"}
    assert await client.control("GET", f"/{API}/bob/items") == []


async def test_items_may_be_sent_as_given_whatever_they_lack(server: ReferenceServer, client: Client) -> None:
    given = [
        {},
        {"id": 7, "created_at": "yesterday"},
        {"id": "read", "is_read": True, "read_at": "2026-11-22T10:00:00"},
    ]

    await client.control("POST", ITEMS, 201, json=given, params={"complete": "false"})

    assert [item["item"] for item in await client.control("GET", ITEMS)] == [
        {"is_read": False, "read_at": None},
        {"id": 7, "created_at": "yesterday", "is_read": False, "read_at": None},
        {"id": "read", "is_read": True, "read_at": "2026-11-22T10:00:00.000000"},
    ]
    assert [item.marks for item in server.items(API, "ann")] == [0, 0, 0]


@pytest.mark.parametrize(
    "body",
    [
        "no JSON", "", "7", "null", '["text"]', '{"count": -1}', '{"count": 10001}', '{"count": true}', '{"count": "9"}',
        "[" + ",".join(["{}"] * 10_001) + "]", '[{"a":' + "[" * 300 + "]" * 300 + "}]",
    ],
)  # fmt: skip
async def test_a_body_that_is_no_items_adds_nothing_and_says_why(
    server: ReferenceServer, client: Client, body: str
) -> None:
    answer = await client.control("POST", ITEMS, 422, data=body)

    assert answer["detail"][0]["loc"] == ["body"]
    assert answer["detail"][0]["msg"]
    assert server.items(API, "ann") == []


@pytest.mark.parametrize("api", list(FACES))
async def test_what_an_item_says_can_be_changed_and_the_rest_of_it_stays(client: Client, api: str) -> None:
    inbox = f"/{api}/ann/items"
    (changed, other) = (await client.control("POST", inbox, 201, json=[{"nested": {"a": 1, "b": [1]}}, {}]))["ids"]
    before = await client.control("GET", inbox)

    for patch in ({"nested": {"a": {"c": 2}}}, {"nested": {"b": None}, "more": [2]}):
        await client.control("PATCH", f"{inbox}/{changed}", 204, json=patch)

    first, second = await client.control("GET", inbox)
    assert first == before[0] | {"item": before[0]["item"] | {"nested": {"a": {"c": 2}}, "more": [2]}}
    assert (second["id"], second) == (other, before[1])


async def test_what_lists_are_filtered_by_and_whether_it_is_read_stays_with_an_item_that_changed(
    client: Client,
) -> None:
    (mine,) = (await client.control("POST", ITEMS, 201, json=[{"dataset_id": "x"}]))["ids"]

    await client.control("PATCH", f"{ITEMS}/{mine}", 204, json={"title": "other", "is_read": True})

    listed = await client.listed("?dataset_id=x")
    assert [(item["id"], item["title"], item["is_read"]) for item in listed] == [(mine, "other", False)]


@pytest.mark.parametrize(
    ("item", "status", "body"),
    [
        ("a", 422, "no JSON"), ("a", 422, "[{}]"), ("a", 422, '"text"'), ("a", 422, '{"id": "b"}'),
        ("a", 422, '{"id": null}'), ("a", 422, '{"a":' + "[" * 300 + "]" * 300 + "}"), ("b", 404, "{}"),
    ],
)  # fmt: skip
async def test_a_change_that_cannot_be_made_changes_nothing(client: Client, item: str, status: int, body: str) -> None:
    await client.control("POST", ITEMS, 201, json=[{"id": "a"}])
    before = await client.control("GET", ITEMS)

    await client.control("PATCH", f"{ITEMS}/{item}", status, data=body)

    assert await client.control("GET", ITEMS) == before


async def test_an_id_that_is_taken_adds_nothing(server: ReferenceServer, client: Client) -> None:
    await client.control("POST", ITEMS, 201, json=[{"id": "a"}])

    await client.control("POST", ITEMS, 409, json=[{"id": "b"}, {"id": "a"}])
    await client.control("POST", ITEMS, 409, json={"id": "c", "count": 2})

    assert [item.id for item in server.items(API, "ann")] == ["a"]


@pytest.mark.parametrize(("path", "detail"), [("/pager/ann/items", "API"), (f"/{API}/carol/items", "user")])
async def test_an_unknown_inbox_is_not_found(client: Client, path: str, detail: str) -> None:
    for method in ("GET", "POST"):
        answer = await client.control(method, path, 404, json=[{}])
        assert f"no such {detail}" in answer["detail"]


async def test_the_log_tells_who_asked_what_and_what_was_answered(client: Client) -> None:
    await client.vendor("GET", "?limit=1")
    await client.vendor("POST", "/nothing/read", "bob")
    await client.vendor("GET", "/unread-count", None)
    await client.vendor("GET", "/no/such/place")

    log = await client.control("GET", "/log")

    assert log["total"] == 4
    assert [list(request.values()) for request in log["requests"]] == [
        [1, "GET", VENDOR, "ann", 200],
        [2, "POST", f"{VENDOR}/nothing/read", "bob", 404],
        [3, "GET", f"{VENDOR}/unread-count", None, 401],
        [4, "GET", f"{VENDOR}/no/such/place", None, 404],
    ]
    assert [request["number"] for request in (await client.control("GET", "/log?after=3"))["requests"]] == [4]


async def test_the_log_forgets_the_oldest_but_counts_them(client: Client) -> None:
    for _ in range(7):
        await client.vendor("GET", "/unread-count")

    log = await client.control("GET", "/log")

    assert log["total"] == 7
    assert [request["number"] for request in log["requests"]] == [3, 4, 5, 6, 7]


async def test_streams_can_be_seen_and_dropped_by_user(server: ReferenceServer, client: Client) -> None:
    headers = {"Authorization": "Bearer ann-token"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{server.url}{VENDOR}/stream") as stream:
        await client.control("POST", ITEMS, 201, json={"count": 3})
        await stream.content.readuntil(b"\n\n")

        assert await client.control("GET", "/streams") == [{"api": API, "user": "ann", "sent": 3}]
        assert await client.control("POST", "/streams/drop?user=bob") == {"dropped": 0}
        assert await client.control("POST", f"/streams/drop?api={API}&user=ann") == {"dropped": 1}
        assert (await stream.content.read()).count(b"data: ") == 2

    assert await client.control("GET", "/streams") == []

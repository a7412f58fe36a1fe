from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API = "elan"
USERS = (User(name="ann", tokens=("ann-key",)), User(name="bob", tokens=("bob-key",)))
FIELDS = {"notification_id", "event_type", "title", "message", "event_data", "is_read", "created_at", "read_at"}


class Client:
    """Calls the face as one user, in one organisation or the default one."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base = f"{base_url}/v1/notifications"

    async def call(
        self,
        method: str,
        path: str = "",
        *,
        key: str | None = "ann-key",
        org: str | None = None,
        body: Any = None,
        **params: Any,
    ) -> tuple[int, Any]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        if org is not None:
            headers["X-Org-Id"] = org
        async with self._session.request(
            method, self._base + path, headers=headers, params=params, json=body
        ) as response:
            return response.status, None if response.status == 204 else await response.json()

    async def ok(self, method: str, path: str = "", **given: Any) -> Any:
        status, body = await self.call(method, path, **given)
        assert status == 200
        return body

    async def listed(self, **given: Any) -> list[str]:
        return [item["notification_id"] for item in (await self.ok("GET", **given))["notifications"]]


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=USERS)) as server:
        yield server


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, server.base_url(API))


# --- items and lists -----------------------------------------------------------------------------------------------


async def test_an_event_has_exactly_the_vendors_fields(server: ReferenceServer, client: Client) -> None:
    [item_id] = server.emit(API, "ann", [{"event_type": "workflow.failed", "event_data": {"workflow_id": "wf_1"}}])

    [item] = (await client.ok("GET"))["notifications"]

    assert set(item) == FIELDS
    assert (item["notification_id"], item["event_type"]) == (item_id, "workflow.failed")
    assert (item["event_data"], item["is_read"], item["read_at"]) == ({"workflow_id": "wf_1"}, False, None)
    assert await client.ok("GET", f"/{item_id}") == item


async def test_event_data_is_absent_from_what_has_only_started_and_times_come_in_three_forms(
    server: ReferenceServer, client: Client
) -> None:
    server.emit(API, "ann", [{}] * 15)
    items = (await client.ok("GET"))["notifications"]
    assert {"event_data" in item for item in items} == {True, False}
    assert not [item for item in items if ("event_data" in item) != (item["event_type"] != "workflow.started")]
    endings = {("Z" if "Z" in item["created_at"] else "+" if "+" in item["created_at"] else "") for item in items}
    assert endings == {"Z", "+", ""}


async def test_the_list_pages_newest_first_with_a_total_and_no_word_of_more(
    server: ReferenceServer, client: Client
) -> None:
    ids = server.emit(API, "ann", [{}] * 60)[::-1]
    first = await client.ok("GET")
    assert set(first) == {"notifications", "total", "unread_count"}
    assert (first["total"], first["unread_count"]) == (60, 60)
    assert [item["notification_id"] for item in first["notifications"]] == ids[:50]
    assert await client.listed(limit=100, offset=50) == ids[50:]
    assert await client.listed(limit=100, offset=60) == []


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "101"}, {"offset": "-1"}, {"unread_only": "7"}])
async def test_a_parameter_out_of_bounds_is_refused(client: Client, params: dict[str, str]) -> None:
    status, body = await client.call("GET", **params)
    assert status == 422
    assert body["detail"][0]["loc"] == ["query", *params]


async def test_under_unread_only_the_total_counts_the_unread(server: ReferenceServer, client: Client) -> None:
    a, b = server.emit(API, "ann", [{}, {}])
    await client.ok("POST", "/read", body={"notification_ids": [a]})
    page = await client.ok("GET", unread_only="true")
    assert [item["notification_id"] for item in page["notifications"]] == [b]
    assert (page["total"], page["unread_count"]) == (1, 1)
    everything = await client.ok("GET")
    assert (everything["total"], everything["unread_count"]) == (2, 1)


# --- read marks and removal ----------------------------------------------------------------------------------------


async def test_a_mark_counts_what_it_changed_and_skips_the_rest(server: ReferenceServer, client: Client) -> None:
    a, b, c = server.emit(API, "ann", [{}, {}, {}])
    assert await client.ok("POST", "/read", body={"notification_ids": [a, b, b, "unknown"]}) == {"marked_count": 2}
    assert await client.ok("POST", "/read", body={"notification_ids": [a]}) == {"marked_count": 0}
    assert await client.listed(unread_only="true") == [c]
    assert await client.ok("GET", "/unread/count") == {"unread_count": 1}
    read = await client.ok("GET", f"/{a}")
    assert read["is_read"] is True
    assert read["read_at"].endswith("Z")


async def test_an_empty_mark_marks_none(server: ReferenceServer, client: Client) -> None:
    server.emit(API, "ann", [{}])
    assert await client.ok("POST", "/read", body={"notification_ids": []}) == {"marked_count": 0}
    assert await client.ok("GET", "/unread/count") == {"unread_count": 1}


@pytest.mark.parametrize("body", [None, {}, {"notification_ids": "a"}, {"notification_ids": [1]}, []])
async def test_a_mark_that_names_no_ids_is_refused(client: Client, body: Any) -> None:
    assert (await client.call("POST", "/read", body=body))[0] == 422


async def test_mark_all_marks_what_is_unread(server: ReferenceServer, client: Client) -> None:
    a, _, _ = server.emit(API, "ann", [{}, {}, {}])
    await client.ok("POST", "/read", body={"notification_ids": [a]})
    assert await client.ok("POST", "/read/all") == {"marked_count": 2}
    assert await client.ok("GET", "/unread/count") == {"unread_count": 0}


async def test_what_is_deleted_is_gone(server: ReferenceServer, client: Client) -> None:
    a, b = server.emit(API, "ann", [{}, {}])
    assert await client.call("DELETE", f"/{a}") == (204, None)
    assert await client.listed() == [b]
    for method in ("GET", "DELETE"):
        assert await client.call(method, f"/{a}") == (404, {"detail": "Notification not found"})


# --- who sees what -------------------------------------------------------------------------------------------------


async def test_each_organisation_is_an_inbox_of_its_own(server: ReferenceServer, client: Client) -> None:
    [first] = server.emit(API, "ann", [{}])
    [second] = server.emit(API, "ann", [{"org_id": "org_2"}])
    assert await client.listed() == await client.listed(org="org_1") == [first]
    assert await client.listed(org="org_2") == [second]
    assert await client.listed(org="org_3") == []
    assert "org_id" not in await client.ok("GET", f"/{second}", org="org_2")
    assert (await client.call("GET", f"/{second}"))[0] == 404
    assert (await client.call("DELETE", f"/{second}"))[0] == 404
    assert await client.ok("POST", "/read", body={"notification_ids": [second]}) == {"marked_count": 0}
    assert await client.ok("POST", "/read/all") == {"marked_count": 1}
    assert await client.ok("GET", "/unread/count", org="org_2") == {"unread_count": 1}


async def test_users_cannot_see_mark_or_delete_each_others_items(server: ReferenceServer, client: Client) -> None:
    [anns] = server.emit(API, "ann", [{}])
    for method in ("GET", "DELETE"):
        assert await client.call(method, f"/{anns}", key="bob-key") == (404, {"detail": "Notification not found"})
    assert await client.ok("POST", "/read", key="bob-key", body={"notification_ids": [anns]}) == {"marked_count": 0}
    assert await client.ok("POST", "/read/all", key="bob-key") == {"marked_count": 0}
    assert await client.listed(unread_only="true") == [anns]


ENDPOINTS = [
    ("GET", ""),
    ("GET", "/unread/count"),
    ("GET", "/x"),
    ("DELETE", "/x"),
    ("POST", "/read"),
    ("POST", "/read/all"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_no_endpoint_answers_without_a_good_key(client: Client, method: str, path: str) -> None:
    body: Any = {"notification_ids": []} if path == "/read" else None
    assert await client.call(method, path, key=None, body=body) == (401, {"detail": "Not authenticated"})
    assert await client.call(method, path, key="wrong", body=body) == (401, {"detail": "Invalid API key"})

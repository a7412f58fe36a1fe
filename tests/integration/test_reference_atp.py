from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import orjson
import pytest

from bellwire.reference.atp_items import change_status
from bellwire.reference.rates import Rates
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from bellwire.reference.store import Inbox
from bellwire.reference.traps import Trap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.timeout(30)

API = "atp"
USERS = (User(name="ann", tokens=("ann-token",), keys=(("ann-service", "s"),)), User(name="bob", tokens=("bob-token",)))
FIELDS = {"id", "version", "timestamp", "deadline", "service", "context", "actions", "priority", "status"}
CLIENT = "/api/v1/client/notifications"
SERVICE = "/api/v1/notifications"


class Client:
    """Calls the face."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base = base_url

    async def call(
        self,
        method: str,
        path: str = CLIENT,
        *,
        token: str | None = "ann-token",  # noqa: S107 - guards nothing but made-up items
        body: Any = None,
        **params: Any,
    ) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self._session.request(
            method, self._base + path, headers=headers, params=params, json=body
        ) as response:
            return response.status, await response.json()

    async def ok(self, method: str, path: str = CLIENT, **given: Any) -> Any:
        status, body = await self.call(method, path, **given)
        assert status == 200
        return body

    async def refused(self, method: str, path: str = CLIENT, **given: Any) -> tuple[int, str]:
        """Call and return status and code, held to the form of errors."""
        status, body = await self.call(method, path, **given)
        assert set(body) == {"code", "message", "details", "request_id"}
        return status, body["code"]

    async def listed(self, **params: Any) -> list[str]:
        return [item["id"] for item in (await self.ok("GET", **params))["notifications"]]

    @asynccontextmanager
    async def stream(self, event_id: str | None = None, **params: str) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {} if event_id is None else {"Last-Event-ID": event_id}
        if "token" not in params:
            headers["Authorization"] = "Bearer ann-token"
        async with self._session.get(f"{self._base}/api/v1/client/events", headers=headers, params=params) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            yield response


class Event(NamedTuple):
    id: str
    name: str
    data: Any


async def events(response: aiohttp.ClientResponse, count: int) -> list[Event]:
    """Read so many events."""
    found: list[Event] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            fields: dict[str, str] = {}
            while line := (await response.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
            found.append(Event(fields.get("id", ""), fields["event"], orjson.loads(fields["data"])))
    return found


@asynccontextmanager
async def connected(**settings: Any) -> AsyncIterator[tuple[ReferenceServer, Client]]:
    async with serving(ReferenceSettings(users=USERS, **settings)) as server, aiohttp.ClientSession() as session:
        yield server, Client(session, server.base_url(API))


@pytest.fixture
async def both() -> AsyncIterator[tuple[ReferenceServer, Client]]:
    async with connected() as both:
        yield both


@pytest.fixture
def server(both: tuple[ReferenceServer, Client]) -> ReferenceServer:
    return both[0]


@pytest.fixture
def client(both: tuple[ReferenceServer, Client]) -> Client:
    return both[1]


def settle(server: ReferenceServer, item_id: str, status: str) -> None:
    change_status(server.context, Inbox(api=API, user="ann"), item_id, status)


# --- items and lists -----------------------------------------------------------------------------------------------


async def test_an_item_has_the_protocols_fields(server: ReferenceServer, client: Client) -> None:
    [item_id] = server.emit(API, "ann", [{"context": {"title": "Ship?"}, "service": {"id": "s"}, "priority": "high"}])
    page = await client.ok("GET")
    [item] = page["notifications"]
    assert set(item) == FIELDS
    assert (item["id"], item["version"], item["priority"]) == (item_id, "1.0", "high")
    assert (item["context"]["title"], item["service"]["id"]) == ("Ship?", "s")
    assert page["pagination"] == {"next_cursor": None, "has_more": False, "total_count": 1}
    assert await client.ok("GET", f"{CLIENT}/{item_id}") == item


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_cursors_lead_through_the_list_without_gap_or_overlap(
    server: ReferenceServer, client: Client, sort: str
) -> None:
    ids = server.emit(API, "ann", [{}] * 25)
    ids = ids if sort == "oldest" else ids[::-1]
    found: list[str] = []
    params: dict[str, Any] = {"limit": 10, "sort": sort}
    for more in (True, True, False):
        page = await client.ok("GET", **params)
        found += [item["id"] for item in page["notifications"]]
        assert page["pagination"]["has_more"] is more
        assert page["pagination"]["total_count"] == 25
        params["cursor"] = page["pagination"]["next_cursor"]
    assert params["cursor"] is None
    assert found == ids


async def test_a_cursor_is_not_moved_by_what_comes_or_is_acknowledged(server: ReferenceServer, client: Client) -> None:
    ids = server.emit(API, "ann", [{}] * 4)[::-1]
    page = await client.ok("GET", limit=2, status="pending")
    server.emit(API, "ann", [{}] * 3)
    await client.ok("POST", f"{CLIENT}/{ids[0]}/acknowledge")
    assert await client.listed(limit=2, status="pending", cursor=page["pagination"]["next_cursor"]) == ids[2:]


async def test_a_list_without_limit_has_fifty(server: ReferenceServer, client: Client) -> None:
    server.emit(API, "ann", [{}] * 60)
    assert len(await client.listed()) == 50


async def test_the_list_is_filtered_by_status_service_and_project(server: ReferenceServer, client: Client) -> None:
    a, b, c, d = server.emit(
        API,
        "ann",
        [
            {"service": {"id": "x"}, "context": {"project": "p"}},
            {"service": {"id": "x"}, "context": {"project": "q"}, "status": "created"},
            {"service": {"id": "y"}, "context": {"project": "p"}, "status": "delivered"},
            {"service": {"id": "y"}, "context": {"project": "p"}},
        ],
    )
    await client.ok("POST", f"{CLIENT}/{a}/acknowledge")
    settle(server, d, "expired")
    assert await client.listed(status="pending") == [c, b]
    assert await client.listed(status="acknowledged") == [a]
    assert await client.listed(status="expired") == [d]
    assert await client.listed(service_id="x") == [b, a]
    assert await client.listed(service_id="y", project="p") == [d, c]
    assert await client.listed(status="pending", project="p") == [c]
    assert (await client.ok("GET", status="pending", limit=1))["pagination"]["total_count"] == 2


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"sort": "best"}, {"status": "lost"}, {"cursor": "page-2"}],
)
async def test_a_parameter_that_cannot_be_is_named(client: Client, params: dict[str, str]) -> None:
    status, body = await client.call("GET", **params)
    assert (status, body["code"]) == (400, "INVALID_PARAMETER")
    assert [body["details"]["parameter"].split(".")[0]] == [*params]


# --- acknowledging -------------------------------------------------------------------------------------------------


async def test_what_is_acknowledged_is_pending_no_more(server: ReferenceServer, client: Client) -> None:
    a, b = server.emit(API, "ann", [{}, {}])
    first = await client.ok("POST", f"{CLIENT}/{a}/acknowledge")
    again = await client.ok("POST", f"{CLIENT}/{a}/acknowledge")
    assert (first["notification_id"], first["status"], again["status"]) == (a, "acknowledged", "acknowledged")
    assert await client.listed(status="pending") == [b]
    assert (await client.ok("GET", f"{CLIENT}/{a}"))["status"] == "acknowledged"
    assert [item.marks for item in server.items(API, "ann")] == [2, 0]


@pytest.mark.parametrize("status", ["responded", "completed", "expired", "invalidated"])
async def test_what_is_settled_can_not_be_acknowledged(server: ReferenceServer, client: Client, status: str) -> None:
    [item_id] = server.emit(API, "ann", [{}])
    settle(server, item_id, status)
    assert await client.refused("POST", f"{CLIENT}/{item_id}/acknowledge") == (409, "NOTIFICATION_ALREADY_RESPONDED")
    assert (await client.ok("GET", f"{CLIENT}/{item_id}"))["status"] == status


async def test_anothers_item_is_denied_and_an_unknown_one_not_found(server: ReferenceServer, client: Client) -> None:
    [anns] = server.emit(API, "ann", [{}])
    for method, end in (("GET", ""), ("POST", "/acknowledge")):
        denied = await client.refused(method, f"{CLIENT}/{anns}{end}", token="bob-token")
        assert denied == (403, "NOTIFICATION_ACCESS_DENIED")
        assert await client.refused(method, f"{CLIENT}/unknown{end}") == (404, "NOTIFICATION_NOT_FOUND")
    assert await client.listed(token="bob-token") == []
    assert await client.listed(status="pending") == [anns]


BULK = f"{CLIENT}/acknowledge"


async def test_several_are_acknowledged_and_what_can_not_be_is_skipped(server: ReferenceServer, client: Client) -> None:
    a, b, c, settled = server.emit(API, "ann", [{}, {}, {}, {}])
    settle(server, settled, "responded")
    [bobs] = server.emit(API, "bob", [{}])
    told = await client.ok("POST", BULK, body={"notification_ids": [a, b, b, settled, bobs, "unknown"]})
    assert told == {"acknowledged_count": 2, "requested_count": 6}
    assert await client.ok("POST", BULK, body={"notification_ids": [a]}) == {
        "acknowledged_count": 1,
        "requested_count": 1,
    }
    assert await client.listed(status="pending") == [c]
    assert [item.marks for item in server.items(API, "bob")] == [0]


@pytest.mark.parametrize(
    "body",
    [None, {}, [], {"notification_ids": []}, {"notification_ids": [1]}, {"notification_ids": ["a"] * 101}],
    ids=["nothing", "no ids", "a list", "an empty list", "a number", "too many"],
)
async def test_a_call_for_several_that_names_none_acknowledges_none(
    server: ReferenceServer, client: Client, body: Any
) -> None:
    server.emit(API, "ann", [{}])
    assert await client.refused("POST", BULK, body=body) == (400, "INVALID_PARAMETER")
    assert [item.marks for item in server.items(API, "ann")] == [0]


async def test_the_call_for_several_can_be_missing(server: ReferenceServer, client: Client) -> None:
    [item_id] = server.emit(API, "ann", [{}])
    server.context.traps.switch({Trap.ATP_BULK_ACKNOWLEDGE_MISSING: True})
    assert await client.refused("POST", BULK, body={"notification_ids": [item_id]}) == (404, "NOT_FOUND")
    assert await client.listed(status="pending") == [item_id]


# --- the service's side --------------------------------------------------------------------------------------------


async def test_a_service_puts_an_item_in(server: ReferenceServer, client: Client) -> None:
    body = {
        "context": {"title": "Ship?", "metadata": {"n": 1}},
        "status": "expired",
        "id": "mine",
        "priority": "urgent",
    }
    status, answer = await client.call("POST", SERVICE, token="ann-service", body=body)
    assert (status, answer["status"]) == (201, "created")
    assert set(answer) == {"notification_id", "status", "estimated_delivery"}
    [item] = (await client.ok("GET", status="pending"))["notifications"]
    assert (item["id"], item["status"], item["priority"]) == (answer["notification_id"], "created", "urgent")
    assert (item["context"]["title"], item["context"]["metadata"]) == ("Ship?", {"n": 1})
    assert [stored.id for stored in server.items(API, "ann")] == [item["id"]]


async def test_numbers_of_any_length_are_kept(client: Client) -> None:
    body = {"context": {"title": "x", "metadata": {"n": 2**70}}}
    status, answer = await client.call("POST", SERVICE, token="ann-service", body=body)
    await client.ok("POST", f"{CLIENT}/{answer['notification_id']}/acknowledge")
    [item] = (await client.ok("GET"))["notifications"]
    assert (status, item["context"]["metadata"]["n"], item["status"]) == (201, 2**70, "acknowledged")


async def test_a_service_invalidates_what_it_sent(server: ReferenceServer, client: Client) -> None:
    [item_id] = server.emit(API, "ann", [{}])
    body = {"status": "invalidated", "reason": "done by hand"}
    for _ in range(2):
        answer = await client.ok("PATCH", f"{SERVICE}/{item_id}", token="ann-service", body=body)
        assert (answer["notification_id"], answer["status"]) == (item_id, "invalidated")
    assert await client.listed(status="pending") == []


async def test_a_service_can_not_invalidate_what_was_answered(server: ReferenceServer, client: Client) -> None:
    [item_id] = server.emit(API, "ann", [{}])
    settle(server, item_id, "responded")
    refused = await client.refused("PATCH", f"{SERVICE}/{item_id}", token="ann-service", body={"status": "invalidated"})
    assert refused == (409, "NOTIFICATION_ALREADY_RESPONDED")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {}, 400),
        ("POST", "", {"context": {"title": ""}}, 400),
        ("POST", "", {"context": {"title": 7}}, 400),
        ("POST", "", {"context": {"title": "x", "n": [2**70, math.nan]}}, 400),
        ("PATCH", "/unknown", {"status": "responded"}, 400),
        ("PATCH", "/unknown", {"status": "invalidated"}, 404),
    ],
)
async def test_what_a_service_sends_wrongly_is_refused(
    client: Client, method: str, path: str, body: Any, status: int
) -> None:
    code = "INVALID_PARAMETER" if status == 400 else "NOTIFICATION_NOT_FOUND"
    assert await client.refused(method, SERVICE + path, token="ann-service", body=body) == (status, code)


# --- authorization and limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CLIENT),
        ("GET", f"{CLIENT}/x"),
        ("POST", f"{CLIENT}/x/acknowledge"),
        ("GET", "/api/v1/client/events"),
        ("POST", SERVICE),
        ("PATCH", f"{SERVICE}/x"),
    ],
)
async def test_no_endpoint_answers_without_a_good_token(client: Client, method: str, path: str) -> None:
    body = {"context": {"title": "x"}, "status": "invalidated"} if path.startswith(SERVICE) else None
    others = "ann-token" if path.startswith(SERVICE) else "ann-service"
    for token in (None, "wrong", others):
        assert await client.refused(method, path, token=token, body=body) == (401, "AUTH_INVALID_TOKEN")


async def test_polls_over_the_rate_are_put_off(client: Client) -> None:
    async with connected(atp_polls_per_minute=2) as (_, limited):
        assert await limited.listed() == []
        assert await limited.refused("GET", f"{CLIENT}/unknown") == (404, "NOTIFICATION_NOT_FOUND")
        assert await limited.refused("GET") == (429, "RATE_LIMIT_EXCEEDED")
        assert await limited.refused("POST", f"{CLIENT}/unknown/acknowledge") == (404, "NOTIFICATION_NOT_FOUND")
        assert await limited.listed(token="bob-token") == []
    assert await client.listed() == []


def test_a_rate_says_when_it_allows_another_call() -> None:
    now = 100.0
    rates = Rates(lambda: now)
    inbox = Inbox(api=API, user="ann")
    assert rates.take(inbox, 2) is None
    now = 130.0
    assert rates.take(inbox, 2) is None
    now = 140.0
    assert rates.take(inbox, 2) == 20.0
    assert rates.take(Inbox(api=API, user="bob"), 2) is None
    now = 160.0
    assert rates.take(inbox, 2) is None
    assert rates.take(inbox, 2) == 30.0


async def test_the_answer_says_for_how_long(server: ReferenceServer) -> None:
    async with connected(atp_polls_per_minute=0) as (limited, _), aiohttp.ClientSession() as session:
        headers = {"Authorization": "Bearer ann-token"}
        async with session.get(limited.base_url(API) + CLIENT, headers=headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "60")
    assert server.url


# --- the stream ----------------------------------------------------------------------------------------------------


async def test_the_stream_brings_items_and_what_becomes_of_them_each_with_an_id(
    server: ReferenceServer, client: Client
) -> None:
    server.emit(API, "ann", [{}])
    async with client.stream() as response:
        [a] = server.emit(API, "ann", [{"context": {"title": "Füße\u2028\n"}}])
        await client.ok("POST", f"{CLIENT}/{a}/acknowledge")
        [b] = server.emit(API, "ann", [{}])
        settle(server, b, "responded")
        found = await events(response, 4)
    assert [event.name for event in found] == ["notification", "status_update", "notification", "status_update"]
    assert [event.data["id"] for event in found[::2]] == [a, b]
    assert found[0].data["context"]["title"] == "Füße\u2028\n"
    assert [(event.data["notification_id"], event.data["status"]) for event in found[1::2]] == [
        (a, "acknowledged"),
        (b, "responded"),
    ]
    numbers = [int(event.id) for event in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_is_resumed_behind_an_id(server: ReferenceServer, client: Client, way: str) -> None:
    async with client.stream() as response:
        [a] = server.emit(API, "ann", [{}])
        [seen] = await events(response, 1)
    [b] = server.emit(API, "ann", [{}])
    settle(server, a, "expired")
    given = {"event_id": seen.id} if way == "header" else {"last_event_id": seen.id}
    async with client.stream(**given) as response:
        missed = await events(response, 2)
        [c] = server.emit(API, "ann", [{}])
        [after] = await events(response, 1)
    assert [event.data.get("id") or event.data["notification_id"] for event in missed] == [b, a]
    assert after.data["id"] == c


@pytest.mark.parametrize("event_id", ["nonsense", "999999", "-1", "٣"])
async def test_an_id_that_was_never_given_is_where_the_stream_is_now(
    server: ReferenceServer, client: Client, event_id: str
) -> None:
    server.emit(API, "ann", [{}])
    async with client.stream(last_event_id=event_id) as response:
        [new] = server.emit(API, "ann", [{}])
        [found] = await events(response, 1)
    assert found.data["id"] == new


async def test_a_stream_brings_the_types_that_are_wanted(server: ReferenceServer, client: Client) -> None:
    async with client.stream(types="status_update") as response:
        [a] = server.emit(API, "ann", [{}])
        settle(server, a, "expired")
        [found] = await events(response, 1)
    assert (found.name, found.data["notification_id"]) == ("status_update", a)
    assert await client.refused("GET", "/api/v1/client/events", types="gossip") == (400, "INVALID_PARAMETER")


async def test_the_token_may_stand_in_the_streams_query_and_users_see_their_own(
    server: ReferenceServer, client: Client
) -> None:
    async with client.stream(token="bob-token") as response:
        server.emit(API, "ann", [{}])
        [bobs] = server.emit(API, "bob", [{}])
        [found] = await events(response, 1)
    assert found.data["id"] == bobs


async def test_a_silent_stream_pings() -> None:
    async with connected(keep_alive=0.05) as (_, client), client.stream() as response:
        assert await events(response, 2) == [Event("", "ping", {})] * 2


async def test_a_user_has_ten_streams_at_most(server: ReferenceServer, client: Client) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer ann-token"}) as session:
        url = f"{server.base_url(API)}/api/v1/client/events"
        responses = [await session.get(url) for _ in range(10)]
        assert {response.status for response in responses} == {200}
        assert await client.refused("GET", "/api/v1/client/events") == (429, "RATE_LIMIT_EXCEEDED")
        responses[0].close()
        await server.streaming(API, "ann", 9)
        async with client.stream():
            pass
        for response in responses:
            response.close()

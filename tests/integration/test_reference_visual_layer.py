from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import pytest

from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

API = "visual_layer"
BOBS_SECRET = "bobs secret, as long as PyJWT likes them"
SECRET = "anns secret, as long as PyJWT likes them"
ANN = User(name="ann", tokens=("ann-token",), keys=(("ann-key", SECRET),))
BOB = User(name="bob", tokens=("bob-token",), keys=(("bob-key", BOBS_SECRET),))
FIELDS = [
    "id", "user_id", "entity_type", "entity_id", "title", "message", "metadata", "dataset_id", "created_at", "is_read",
    "read_at",
]  # fmt: skip


class Client:
    """Calls one vendor's face as one user."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base = f"{base_url}/api/v1/notifications"

    async def call(
        self, method: str, path: str = "", token: str | None = ANN.tokens[0], scheme: str = "Bearer", **params: Any
    ) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"{scheme} {token}"}
        async with self._session.request(method, self._base + path, headers=headers, params=params) as response:
            return response.status, await response.json()

    async def get(self, path: str = "", **params: Any) -> Any:
        status, body = await self.call("GET", path, **params)
        assert status == 200
        return body

    async def post(self, path: str, **params: Any) -> Any:
        status, body = await self.call("POST", path, **params)
        assert status == 200
        return body


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=(ANN, BOB))) as server:
        yield server


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, server.base_url(API))


def minted(secret: str = SECRET, kid: str | None = "ann-key", algorithm: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    payload = {"sub": kid, "iat": now, "exp": now + 600, "iss": "sdk"} | claims
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, secret, algorithm=algorithm, headers={"kid": kid} if kid else None)


# --- items and lists -----------------------------------------------------------------------------------------------


async def test_an_alert_has_exactly_the_vendors_fields_and_says_nothing_outside_of_metadata(
    server: ReferenceServer, client: Client
) -> None:
    server.emit(API, "ann", [{"metadata": {"view_name": "Blurry frames", "result_count": 12}}])

    [item] = (await client.get())["notifications"]

    assert list(item) == FIELDS
    assert (item["title"], item["message"], item["entity_type"]) == ("", None, "saved_view")
    assert set(item["metadata"]) == {"batch_id", "is_alert", "view_name", "dataset_name", "result_count"}
    assert (item["metadata"]["view_name"], item["metadata"]["result_count"]) == ("Blurry frames", 12)
    assert (item["is_read"], item["read_at"]) == (False, None)


async def test_the_list_pages_newest_first_and_says_whether_there_is_more(
    server: ReferenceServer, client: Client
) -> None:
    ids = server.emit(API, "ann", [{}] * 45)[::-1]

    first = await client.get()
    last = await client.get(limit=25, offset=25)
    exact = await client.get(limit=20, offset=25)
    beyond = await client.get(limit=100, offset=45)

    assert [item["id"] for item in first["notifications"]] == ids[:20]
    assert [item["id"] for item in last["notifications"]] == ids[25:]
    assert [page["total"] for page in (first, last, exact, beyond)] == [45] * 4
    assert [page["has_more"] for page in (first, last, exact, beyond)] == [True, False, False, False]
    assert beyond["notifications"] == []


async def test_the_list_takes_unread_ones_and_those_of_a_dataset(server: ReferenceServer, client: Client) -> None:
    a, b, c = server.emit(API, "ann", [{"dataset_id": "x"}, {"dataset_id": "y"}, {"dataset_id": "x"}])
    await client.post(f"/{a}/read")

    async def listed(**params: str) -> list[str]:
        page = await client.get(**params)
        assert page["total"] == len(page["notifications"])
        return [item["id"] for item in page["notifications"]]

    assert await listed(unread_only="true") == [c, b]
    assert await listed(dataset_id="x") == [c, a]
    assert await listed(dataset_id="x", unread_only="true") == [c]
    assert await listed(dataset_id="z") == []


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"offset": "-1"},
        {"offset": str(2**63)},
        {"unread_only": "7"},
    ],
)
async def test_a_parameter_out_of_bounds_is_refused_in_the_frameworks_form(
    client: Client, params: dict[str, str]
) -> None:
    status, body = await client.call("GET", **params)

    assert status == 422
    assert body["detail"][0]["loc"] == ["query", *params]


# --- read marks ----------------------------------------------------------------------------------------------------


async def test_a_read_mark_takes_one_item_off_the_unread_ones(server: ReferenceServer, client: Client) -> None:
    a, b = server.emit(API, "ann", [{}, {}])

    marked = await client.post(f"/{a}/read")
    again = await client.post(f"/{a}/read")

    assert marked["id"] == a
    assert marked["is_read"] is True
    assert again["read_at"] == marked["read_at"]
    assert await client.get("/unread-count") == {"unread_count": 1}
    assert [item["id"] for item in (await client.get(unread_only="true"))["notifications"]] == [b]
    assert [item.marks for item in server.items(API, "ann")] == [2, 0]


async def test_mark_all_keeps_to_its_dataset(server: ReferenceServer, client: Client) -> None:
    server.emit(API, "ann", [{"dataset_id": "x"}, {"dataset_id": "x"}, {"dataset_id": "y"}])

    assert await client.post("/read-all", dataset_id="x") == {"marked_count": 2}
    assert await client.get("/unread-count", dataset_id="x") == {"unread_count": 0}
    assert await client.get("/unread-count") == {"unread_count": 1}
    assert await client.post("/read-all") == {"marked_count": 1}
    assert await client.get("/unread-count") == {"unread_count": 0}


async def test_users_cannot_see_count_or_mark_each_others_items(server: ReferenceServer, client: Client) -> None:
    [anns] = server.emit(API, "ann", [{}])
    server.emit(API, "bob", [{}, {}])

    status, body = await client.call("POST", f"/{anns}/read", token="bob-token")
    missing = await client.call("POST", "/no-such-id/read", token="bob-token")

    assert (status, body) == (404, {"detail": "Notification not found"})
    assert missing == (status, body)
    assert await client.post("/read-all", token="bob-token") == {"marked_count": 2}
    assert await client.get("/unread-count") == {"unread_count": 1}
    assert [item["id"] for item in (await client.get())["notifications"]] == [anns]


# --- authorization -------------------------------------------------------------------------------------------------

ENDPOINTS = [("GET", ""), ("GET", "/unread-count"), ("GET", "/stream"), ("POST", "/read-all"), ("POST", "/x/read")]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_no_endpoint_answers_without_a_good_token(client: Client, method: str, path: str) -> None:
    assert await client.call(method, path, token=None) == (401, {"detail": "Not authenticated"})
    assert await client.call(method, path, token="wrong") == (401, {"detail": "Invalid token"})
    assert await client.call(method, path, scheme="Basic") == (401, {"detail": "Not authenticated"})


async def test_a_token_minted_from_a_key_is_its_users(server: ReferenceServer, client: Client) -> None:
    server.emit(API, "bob", [{}])

    assert await client.get("/unread-count", token=minted()) == {"unread_count": 0}
    bobs = minted(BOBS_SECRET, "bob-key")
    assert await client.get("/unread-count", token=bobs) == {"unread_count": 1}


@pytest.mark.parametrize(
    ("make", "detail"),
    [
        (lambda: minted(exp=int(time.time()) - 1), "Token has expired"),
        (lambda: minted(SECRET.upper()), "Invalid token"),
        (lambda: minted(BOBS_SECRET), "Invalid token"),
        (lambda: minted(kid=None, sub="ann-key"), "Invalid token"),
        (lambda: minted(kid="carols-key"), "Invalid token"),
        (lambda: minted(sub="bob-key"), "Invalid token"),
        (lambda: minted(iss="someone"), "Invalid token"),
        (lambda: minted(exp=None), "Invalid token"),
        (lambda: minted(iat=int(time.time()) + 600), "Invalid token"),
        (lambda: minted(SECRET * 2, algorithm="HS384"), "Invalid token"),
        (lambda: minted("", algorithm="none"), "Invalid token"),
        (lambda: "a.b.c", "Invalid token"),
    ],
    ids=[
        "expired", "wrong secret", "another's secret", "no kid", "unknown kid", "another's sub", "issuer", "no exp",
        "not yet", "algorithm", "unsigned", "no JWT",
    ],
)  # fmt: skip
async def test_a_token_that_was_not_minted_as_documented_is_refused(
    client: Client, make: Callable[[], str], detail: str
) -> None:
    assert await client.call("GET", token=make()) == (401, {"detail": detail})


async def test_a_short_secret_is_the_vendors_affair() -> None:
    carol = User(name="carol", keys=(("carol-key", "short"),))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = minted("short", "carol-key")
    async with serving(ReferenceSettings(users=(carol,))) as server, aiohttp.ClientSession() as session:
        assert await Client(session, server.base_url(API)).get("/unread-count", token=token) == {"unread_count": 0}


async def test_without_authorization_every_call_is_the_first_users() -> None:
    settings = ReferenceSettings(users=(ANN, BOB), auth=False)
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        client = Client(session, server.base_url(API))
        server.emit(API, "ann", [{}])

        assert await client.get("/unread-count", token=None) == {"unread_count": 1}
        assert await client.get("/unread-count", token="anything") == {"unread_count": 1}

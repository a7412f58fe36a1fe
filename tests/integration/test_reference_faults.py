from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, get_args

import aiohttp
import pytest

from bellwire.reference.faults import (
    FAULT,
    AnyFault,
    Buffer,
    ClockOff,
    DropStreams,
    HalfEvent,
    LateItems,
    ListLags,
    RateLimit,
    RefuseStreams,
    ReorderItems,
    RepeatItems,
    ResetConnections,
    ServerErrors,
    SlowBodies,
    SplitBytes,
    StallStreams,
    Unauthorized,
    WrongContentType,
)
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, SetupError, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.reference.faults_standing import Standing

pytestmark = pytest.mark.timeout(30)

API = "visual_layer"
TOKEN = "ann-token"
USERS = (User(name="ann", tokens=(TOKEN,)), User(name="bob", keys=(("bob-key", "b" * 32),)))


class Client:
    """A user of one vendor, and of the control API."""

    def __init__(self, session: aiohttp.ClientSession, server: ReferenceServer) -> None:
        self._session = session
        self._server = server

    def ask(self, path: str = "", *, method: str = "GET", token: str = TOKEN, **headers: str) -> Any:
        url = f"{self._server.base_url(API)}/api/v1/notifications{path}"
        return self._session.request(method, url, headers={"Authorization": f"Bearer {token}", **headers})

    def stream(self) -> Any:
        return self.ask("/stream", Accept="text/event-stream")

    async def status(self, path: str = "", **request: Any) -> int:
        async with self.ask(path, **request) as response:
            await response.read()
            return int(response.status)

    async def listed(self) -> list[str]:
        async with self.ask("?limit=100") as response:
            return [item["id"] for item in (await response.json())["notifications"]]

    async def control(self, method: str, path: str = "", status: int = 200, **request: Any) -> Any:
        async with self._session.request(method, f"{self._server.url}/control/faults{path}", **request) as response:
            assert response.status == status, await response.text()
            return await response.json()


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=USERS, keep_alive=0.05)) as server:
        yield server


@pytest.fixture
async def client(server: ReferenceServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield Client(session, server)


def stand(server: ReferenceServer, fault: AnyFault) -> Standing:
    return server.context.faults.add(fault)


def emit(server: ReferenceServer, count: int = 1, user: str = "ann") -> list[str]:
    return server.emit(API, user, [{}] * count)


def ids(events: bytes) -> list[str]:
    """Return the ids of whole items, in order."""
    *whole, _ = events.split(b"\n\n")
    return [json.loads(event.removeprefix(b"data: "))["id"] for event in whole if event.startswith(b"data: {")]


async def read_items(stream: aiohttp.ClientResponse, count: int) -> list[str]:
    """Read on until so many items came."""
    read = b""
    while len(ids(read)) < count:
        piece = await stream.content.readany()
        assert piece, "the stream ended"
        read += piece
    return ids(read)


async def is_silent(stream: aiohttp.ClientResponse) -> bool:
    """Return whether several keep-alives do not come."""
    try:
        async with asyncio.timeout(0.3):
            await stream.content.readany()
    except TimeoutError:
        return True
    return False


# --- another answer than the vendor's ------------------------------------------------------------------------------


async def test_streams_are_refused_and_nothing_else_is(server: ReferenceServer, client: Client) -> None:
    stand(server, RefuseStreams(status=405))
    async with client.stream() as response:
        assert response.status == 405
    assert await client.status() == 200
    assert server.streams.matching() == []


async def test_a_web_page_comes_in_place_of_streams_or_of_everything(server: ReferenceServer, client: Client) -> None:
    (item,) = emit(server)
    fault = stand(server, WrongContentType())
    async with client.stream() as response:
        assert (response.status, response.content_type) == (200, "text/html")
    assert await client.listed() == [item]
    server.context.faults.remove(fault.number)
    stand(server, WrongContentType(streams_only=False))
    async with client.ask(f"/{item}/read", method="POST") as response:
        assert (response.status, response.content_type) == (200, "text/html")
    assert server.items(API, "ann")[0].read_at is None


async def test_credentials_are_refused_once_the_fault_is_old_enough(server: ReferenceServer, client: Client) -> None:
    stand(server, Unauthorized(after_seconds=0.2))
    before = await client.status()
    while await client.status() == 200:
        pass
    assert (before, await client.status()) == (200, 401)


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_pause_is_asked_for_in_seconds_or_by_a_date(
    server: ReferenceServer, client: Client, *, as_date: bool
) -> None:
    stand(server, RateLimit(retry_after=30, as_date=as_date))
    async with client.ask() as response:
        said = response.headers["Retry-After"]
        wish = parsedate_to_datetime(said) - parsedate_to_datetime(response.headers["Date"]) if as_date else said
    assert response.status == 429
    assert wish == (timedelta(seconds=30) if as_date else "30")


async def test_a_rate_limits_each_user_alone(server: ReferenceServer, client: Client) -> None:
    fault = stand(server, RateLimit(per_minute=3))
    assert [await client.status() for _ in range(5)] == [200, 200, 200, 429, 429]
    async with client.ask() as response:
        assert 1 <= int(response.headers["Retry-After"]) <= 61
    assert await client.status(token="nobody") == 401
    assert fault.hits == 3


async def test_calls_before_retry_after_are_counted(server: ReferenceServer, client: Client) -> None:
    stand(server, RateLimit(retry_after=60, times=1))
    assert await client.status() == 429
    assert (await client.control("GET"))["early_calls"] == 0
    while not server.context.faults.early_calls:  # what was on its way is not counted
        await client.status()
    assert (await client.control("GET"))["early_calls"] == 1


async def test_errors_can_be_for_marks_alone(server: ReferenceServer, client: Client) -> None:
    (item,) = emit(server)
    stand(server, ServerErrors(methods=("POST",), status=503))
    assert await client.status(f"/{item}/read", method="POST") == 503
    assert await client.listed() == [item]
    assert server.items(API, "ann")[0].marks == 0


async def test_the_same_seed_throws_the_same_dice(server: ReferenceServer, client: Client) -> None:
    async def statuses() -> list[int]:
        fault = stand(server, ServerErrors(chance=0.5, seed=42))
        found = [await client.status() for _ in range(20)]
        server.context.faults.remove(fault.number)
        return found

    first = await statuses()
    assert first == await statuses()
    assert {200, 500, 502, 503, 504} >= set(first) > {200}


# --- the vendor's answer, spoilt on its way ------------------------------------------------------------------------


async def test_streams_are_dropped_after_so_many_items(server: ReferenceServer, client: Client) -> None:
    stand(server, DropStreams(after_items=2))
    async with client.stream() as stream:
        sent = emit(server, 5)
        assert ids(await stream.content.read()) == sent[:2]


async def test_streams_are_dropped_after_so_many_seconds_though_nothing_comes() -> None:
    async with serving(ReferenceSettings(users=USERS, keep_alive=60)) as server:
        async with aiohttp.ClientSession() as session:
            own = Client(session, server)
            stand(server, DropStreams(after_seconds=0.2))
            async with own.stream() as stream:
                assert await stream.content.read() == b""
        assert server.streams.matching() == []


async def test_a_fault_meets_streams_that_are_open_already(server: ReferenceServer, client: Client) -> None:
    async with client.stream() as stream:
        await stream.content.readany()
        stand(server, DropStreams(after_items=1))
        sent = emit(server, 3)
        assert ids(await stream.content.read()) == sent[:1]


async def test_a_stalled_stream_stays_open_and_silent_even_after_the_fault(
    server: ReferenceServer, client: Client
) -> None:
    stand(server, StallStreams(after_items=1))
    async with client.stream() as stream:
        sent = emit(server, 3)
        assert await read_items(stream, 1) == sent[:1]
        server.context.faults.remove()
        emit(server)
        assert await is_silent(stream)
        assert len(server.streams.matching()) == 1


async def test_half_an_event_is_none(server: ReferenceServer, client: Client) -> None:
    stand(server, HalfEvent(after_items=1))
    async with client.stream() as stream:
        sent = emit(server, 3)
        read = await stream.content.read()
    assert ids(read) == sent[:1]
    assert b"\n" not in read.split(b"\n\n")[-1]
    assert read.split(b"\n\n")[-1] != b""


async def test_bytes_are_split_anywhere_and_none_is_lost(server: ReferenceServer, client: Client) -> None:
    (item,) = emit(server)
    stand(server, SplitBytes(size=50))
    pieces = []
    async with client.ask() as response:
        async for piece, _ in response.content.iter_chunks():
            pieces.append(piece)
    assert json.loads(b"".join(pieces))["notifications"][0]["id"] == item
    assert len(pieces) > 5
    assert max(map(len, pieces)) <= 50


async def test_a_proxy_holds_back_until_it_has_enough_or_is_gone(server: ReferenceServer, client: Client) -> None:
    stand(server, Buffer(size=2000))
    async with client.stream() as stream:
        sent = emit(server)
        assert await is_silent(stream)
        sent += emit(server, 10)
        assert await read_items(stream, 11) == sent
        sent = emit(server)
        assert await is_silent(stream)
        server.context.faults.remove()
        assert await read_items(stream, 1) == sent


async def test_slow_bodies_trickle(server: ReferenceServer, client: Client) -> None:
    emit(server)
    stand(server, SlowBodies(size=100, seconds=0.05))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert len(await client.listed()) == 1
    assert loop.time() - began > 0.2


async def test_items_are_repeated(server: ReferenceServer, client: Client) -> None:
    stand(server, RepeatItems())
    async with client.stream() as stream:
        first, second = emit(server, 2)
        got = await read_items(stream, 6)
    assert got[:3] == [first] * 3
    assert got[3:5] == [second] * 2
    assert got[5] in {first, second}


async def test_items_come_in_another_order_and_all_of_them(server: ReferenceServer, client: Client) -> None:
    stand(server, ReorderItems(seconds=0.05, seed=3))
    async with client.stream() as stream:
        sent = emit(server, 20)
        got = await read_items(stream, 20)
    assert got != sent
    assert sorted(got) == sorted(sent)


async def test_items_come_late_and_in_order(server: ReferenceServer, client: Client) -> None:
    stand(server, LateItems(seconds=0.3))
    async with client.stream() as stream:
        await stream.content.readany()
        loop = asyncio.get_running_loop()
        began = loop.time()
        sent = emit(server, 3)
        assert await read_items(stream, 3) == sent
        assert loop.time() - began >= 0.3


@pytest.mark.parametrize("after", [0, 40])
async def test_a_connection_is_reset_after_the_request_was_carried_out(
    server: ReferenceServer, client: Client, after: int
) -> None:
    (item,) = emit(server)
    stand(server, ResetConnections(after_bytes=after, times=1))
    with pytest.raises(aiohttp.ClientError, match="reset by peer"):
        await client.status(f"/{item}/read", method="POST")
    assert server.items(API, "ann")[0].marks == 1
    assert await client.status() == 200


async def test_a_streams_connection_is_reset(server: ReferenceServer, client: Client) -> None:
    stand(server, ResetConnections(after_bytes=100))
    async with client.stream() as stream:
        emit(server, 3)
        with pytest.raises(aiohttp.ClientError, match="reset by peer"):
            await stream.content.read()
    assert server.streams.matching() == []


# --- a vendor that is not quite right ------------------------------------------------------------------------------


async def test_a_clock_that_is_off_shows_in_items_marks_and_headers(server: ReferenceServer, client: Client) -> None:
    stand(server, ClockOff(seconds=-7200, api=API, user="ann"))
    (item,), (other,) = emit(server), emit(server, user="bob")
    async with client.ask(f"/{item}/read", method="POST") as response:
        date = parsedate_to_datetime(response.headers["Date"])
    (slow,), (right,) = server.items(API, "ann"), server.items(API, "bob")
    assert slow.read_at is not None
    two_hours, little = timedelta(hours=2), timedelta(seconds=30)
    assert abs(right.created_at - slow.created_at - two_hours) < little
    assert abs(right.created_at - slow.read_at - two_hours) < little
    assert abs(right.created_at - date - two_hours) < little
    assert right.id == other


async def test_the_list_and_its_count_lag_behind_the_stream(server: ReferenceServer, client: Client) -> None:
    (old,) = emit(server)
    fault = stand(server, ListLags(seconds=60))
    async with client.stream() as stream:
        (young,) = emit(server)
        assert await read_items(stream, 1) == [young]
    assert await client.listed() == [old]
    async with client.ask("/unread-count") as response:
        assert await response.json() == {"unread_count": 1}
    server.context.faults.remove(fault.number)
    assert await client.listed() == [young, old]


# --- whom, how often, how long -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "hit"),
    [
        ({}, True),
        ({"api": API}, True),
        ({"user": "ann"}, True),
        ({"api": "elan"}, False),
        ({"user": "bob"}, False),
        ({"methods": ("GET",)}, True),
        ({"methods": ("POST", "PATCH")}, False),
        ({"lasts": 0.000001}, False),
    ],
)
async def test_a_fault_hits_whom_it_means_and_no_other(
    server: ReferenceServer, client: Client, values: dict[str, Any], *, hit: bool
) -> None:
    fault = stand(server, ServerErrors(status=502, **values))
    assert await client.status() == (502 if hit else 200)
    assert fault.hits == hit


async def test_users_are_known_by_the_keys_that_signed_their_tokens(server: ReferenceServer, client: Client) -> None:
    import jwt  # noqa: PLC0415 - needed here alone

    stand(server, ServerErrors(status=502, user="bob"))
    token = jwt.encode({}, "b" * 32, headers={"kid": "bob-key"})
    assert await client.status(token=token) == 502


async def test_a_fault_is_over_after_so_many_times(server: ReferenceServer, client: Client) -> None:
    stand(server, ServerErrors(status=502, times=2))
    assert [await client.status() for _ in range(3)] == [502, 502, 200]
    assert (await client.control("GET"))["faults"] == []


async def test_faults_are_put_in_force_seen_and_ended(server: ReferenceServer, client: Client) -> None:
    made = await client.control("POST", status=201, json={"kind": "server_errors", "status": 500, "user": "ann"})
    await client.control("POST", status=201, json={"kind": "list_lags"})
    assert await client.status() == 500
    shown = (await client.control("GET"))["faults"]
    assert [(each["id"], each["fault"]["kind"], each["hits"]) for each in shown] == [
        (made["id"], "server_errors", 1),
        (made["id"] + 1, "list_lags", 0),
    ]
    assert 0 < shown[0]["left"] <= 60
    assert await client.control("DELETE", f"/{made['id']}") == {"ended": 1}
    await client.control("DELETE", f"/{made['id']}", 404)
    assert await client.status() == 200
    assert await client.control("DELETE") == {"ended": 1}
    assert server.context.faults.standing() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "earthquake"}, 422),
        ({"kind": "buffer", "status": 500}, 422),
        ({"kind": "buffer", "lasts": 0}, 422),
        ({"kind": "buffer", "chance": 2}, 422),
        ({"kind": "buffer", "api": "no_such"}, 404),
        ({"kind": "buffer", "user": "no_such"}, 404),
    ],
)
async def test_what_is_no_fault_is_refused(
    server: ReferenceServer, client: Client, body: dict[str, Any], status: int
) -> None:
    await client.control("POST", status=status, json=body)
    assert server.context.faults.standing() == []


async def test_every_kind_can_be_put_in_force_by_its_name_alone(server: ReferenceServer, client: Client) -> None:
    kinds = [kind.model_fields["kind"].default for kind in get_args(get_args(AnyFault)[0])]
    for kind in kinds:
        made = await client.control("POST", status=201, json={"kind": kind})
        assert made["fault"] == FAULT.validate_python({"kind": kind}).model_dump(mode="json")
    assert len(server.context.faults.standing()) == len(set(kinds)) == len(kinds)


async def test_faults_of_the_configuration_are_in_force_from_the_start() -> None:
    settings = ReferenceSettings(users=USERS, faults=(ServerErrors(status=502, lasts=3600),))
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        assert await Client(session, server).status() == 502


async def test_a_configured_fault_of_nobody_here_is_refused() -> None:
    with pytest.raises(SetupError, match="no such user: carol"):
        async with serving(ReferenceSettings(users=USERS, faults=(Buffer(user="carol"),))):
            pass


async def test_the_log_shows_what_the_client_was_told(server: ReferenceServer, client: Client) -> None:
    stand(server, ServerErrors(status=502))
    await client.status()
    (entry,) = server.log.entries()
    assert (entry.user, entry.status) == ("ann", 502)

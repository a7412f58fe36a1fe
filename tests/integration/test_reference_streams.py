from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API = "visual_layer"
USERS = (User(name="ann", tokens=("ann-token",)), User(name="bob", tokens=("bob-token",)))


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=USERS)) as server:
        yield server


@asynccontextmanager
async def stream(server: ReferenceServer, user: str = "ann") -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Authorization": f"Bearer {user}-token"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{server.base_url(API)}/api/v1/notifications/stream") as response,
    ):
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield response


async def events(response: aiohttp.ClientResponse, count: int) -> list[Any]:
    """Read so many items, held to the form: one line of data and a blank one."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            line = await response.content.readline()
            assert line.startswith(b"data: {")
            found.append(orjson.loads(line.removeprefix(b"data: ")))
            assert await response.content.readline() == b"\n"
    return found


async def rest(response: aiohttp.ClientResponse) -> bytes:
    async with asyncio.timeout(10):
        return await response.content.read()


async def test_an_item_is_pushed_as_the_list_shows_it(server: ReferenceServer) -> None:
    async with stream(server) as response:
        [item_id] = server.emit(API, "ann", [{"metadata": {"view_name": "Füße\u2028\n"}}])
        [pushed] = await events(response, 1)

    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer ann-token"}) as session,
        session.get(f"{server.base_url(API)}/api/v1/notifications") as listed,
    ):
        assert (await listed.json())["notifications"] == [pushed]
    assert pushed["id"] == item_id
    assert pushed["metadata"]["view_name"] == "Füße\u2028\n"


async def test_nothing_from_before_the_connection_is_replayed(server: ReferenceServer) -> None:
    server.emit(API, "ann", [{}, {}])
    async with stream(server) as response:
        [first] = server.emit(API, "ann", [{}])
        assert [item["id"] for item in await events(response, 1)] == [first]
    [missed] = server.emit(API, "ann", [{}])
    async with stream(server) as response:
        [second] = server.emit(API, "ann", [{}])
        assert [item["id"] for item in await events(response, 1)] == [second]
    assert missed in [item.id for item in server.items(API, "ann")]


async def test_items_that_come_together_leave_in_one_chunk_and_in_order(server: ReferenceServer) -> None:
    async with stream(server) as response:
        ids = server.emit(API, "ann", [{}] * 20)
        chunk, _ = await response.content.readchunk()

    assert chunk.count(b"\n\n") == 20
    assert [orjson.loads(event[len("data: ") :])["id"] for event in chunk.split(b"\n\n")[:-1]] == ids


async def test_a_burst_arrives_whole(server: ReferenceServer) -> None:
    async with stream(server) as response:
        ids = [item_id for _ in range(3) for item_id in server.emit(API, "ann", [{}] * 700)]
        assert [item["id"] for item in await events(response, len(ids))] == ids


async def test_each_user_and_each_stream_gets_its_own(server: ReferenceServer) -> None:
    async with stream(server) as one, stream(server) as other, stream(server, "bob") as bobs:
        [anns] = server.emit(API, "ann", [{}])
        [his] = server.emit(API, "bob", [{}])

        assert [item["id"] for item in await events(one, 1)] == [anns]
        assert [item["id"] for item in await events(other, 1)] == [anns]
        assert [item["id"] for item in await events(bobs, 1)] == [his]


async def test_a_silent_stream_says_that_it_lives_with_empty_data() -> None:
    async with serving(ReferenceSettings(users=USERS, keep_alive=0.01)) as server, stream(server) as response:
        async with asyncio.timeout(10):
            assert await response.content.readexactly(14) == b"data:\n\n" * 2


async def test_a_dropped_stream_ends_and_the_other_users_goes_on(server: ReferenceServer) -> None:
    async with stream(server) as anns, stream(server, "bob") as bobs:
        assert server.streams.close(api=API, user="ann") == 1
        assert await rest(anns) == b""

        server.emit(API, "bob", [{}])
        assert len(await events(bobs, 1)) == 1
        async with stream(server) as again:
            server.emit(API, "ann", [{}])
            assert len(await events(again, 1)) == 1


async def test_a_client_that_leaves_is_forgotten(server: ReferenceServer) -> None:
    async with stream(server):
        await server.streaming(API, "ann", 1)
    async with asyncio.timeout(10):
        await server.streaming(API, "ann", 0)


async def test_the_server_ends_at_once_with_streams_open() -> None:
    async with asyncio.timeout(10):
        async with serving(ReferenceSettings(users=USERS)) as server:
            connection = stream(server)
            response = await connection.__aenter__()
        assert await rest(response) == b""
        await connection.__aexit__(None, None, None)


async def test_a_client_that_reads_nothing_cannot_hold_up_the_end() -> None:
    request = (
        b"GET /visual_layer/api/v1/notifications/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann-token\r\n\r\n"
    )
    async with asyncio.timeout(20):
        async with serving(ReferenceSettings(users=USERS)) as server:
            host, port = server.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port), limit=1)
            writer.write(request)
            await server.streaming(API, "ann")
            server.emit(API, "ann", [{"title": "x" * 4096}] * 5000)  # more than all buffers on the way hold
        writer.close()


async def test_items_cannot_be_put_where_nobody_looks(server: ReferenceServer) -> None:
    with pytest.raises(KeyError, match="carol"):
        server.emit(API, "carol", [{}])
    with pytest.raises(KeyError, match="pager"):
        server.emit("pager", "ann", [{}])

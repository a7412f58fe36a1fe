"""A command tells its token only to the daemon, whoever has the port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from bellwire.cli.ask import Daemon, NoAnswerError
from bellwire.config.schema import WebConfig
from bellwire.web.proof import HEADER, PATH, proof, same_machine
from fake_view import FakeView, a_balance
from front_door import front_door
from web_rig import serving

if TYPE_CHECKING:
    from front_door import FrontDoor

TOKEN, READ_TOKEN = "sesame-4711", "look-4712"


async def received(url: str, **web_config: Any) -> int:
    """Ask for the balance as a command does, whose configuration names the port of ``url``."""
    config = WebConfig(listen=url.rpartition("/")[2], **web_config)
    balance = await asyncio.to_thread(Daemon(config).audit, vendors=False)
    number: int = balance["received"]
    return number


def a_view() -> FakeView:
    return FakeView(balance=a_balance(received=4711))


def told(door: FrontDoor) -> str:
    """Everything that came to someone who stands in the daemon's place."""
    return "\n".join(f"{request.raw_path} {dict(request.headers)}" for request in door.requests)


@pytest.mark.parametrize("known", [{"token": TOKEN}, {"read_token": READ_TOKEN}])
async def test_the_daemon_shows_that_it_knows_the_token_and_is_told_it(known: dict[str, str]) -> None:
    async with serving(a_view(), token=TOKEN, read_token=READ_TOKEN) as daemon:
        assert await received(daemon.url, **known) == 4711


async def test_a_program_that_took_the_port_learns_nothing_and_is_not_believed() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(a_balance(received=4712), headers={"Server": "bellwire"})

    async with front_door("http://127.0.0.1:1") as impostor:
        impostor.answer = answer
        with pytest.raises(NoAnswerError, match="another program"):
            await received(impostor.url, token=TOKEN)
        assert [request.path for request in impostor.requests] == [PATH]
        assert TOKEN not in told(impostor)


async def test_a_program_that_passes_the_challenge_on_to_the_daemon_learns_nothing() -> None:
    async with serving(a_view(), token=TOKEN) as daemon, front_door(daemon.url) as between:
        with pytest.raises(NoAnswerError, match="another program"):
            await received(between.url, token=TOKEN)
        assert [request.path for request in between.requests] == [PATH]
        assert TOKEN not in told(between)


async def test_a_program_that_answers_well_once_and_hangs_up_is_not_spoken_to_again() -> None:
    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(asked := await reader.readuntil(b"\r\n\r\n"))
        challenge = next(
            line.partition(": ")[2] for line in asked.decode().split("\r\n") if line.lower().startswith(HEADER)
        )
        ends = (writer.get_extra_info("peername"), writer.get_extra_info("sockname"))
        body = proof(TOKEN, challenge, *ends).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswerError):
            await received(f"http://127.0.0.1:{port}", token=TOKEN)
    assert len(requests) == 1


async def test_no_challenge_no_proof() -> None:
    async with serving(FakeView(), token=TOKEN) as daemon:
        assert (await daemon.get(PATH)).status == 400
        assert (await daemon.get(PATH, **{HEADER: "x" * 129})).status == 400
    async with serving(FakeView()) as daemon:
        assert (await daemon.get(PATH, **{HEADER: "x"})).status == 404


def test_a_proof_is_of_one_token_one_challenge_and_one_connection() -> None:
    client, server = ("127.0.0.1", 50_000), ("127.0.0.1", 9095)
    different = {
        proof(TOKEN, "a", client, server),
        proof(READ_TOKEN, "a", client, server),
        proof(TOKEN, "b", client, server),
        proof(TOKEN, "a", ("127.0.0.1", 50_001), server),
        proof(TOKEN, "a", client, ("127.0.0.1", 9096)),
    }
    assert len(different) == 5
    dressed = proof(TOKEN, "a", ("::ffff:127.0.0.1", 50_000), ("::FFFF:127.0.0.1", 9095))
    assert dressed == proof(TOKEN, "a", client, server)


def test_only_this_machine_is_answered() -> None:
    assert same_machine(("127.0.0.1", 1), ("127.0.0.1", 2))
    assert same_machine(("::ffff:10.0.0.5", 1), ("10.0.0.5", 2))
    assert not same_machine(("10.0.0.6", 1), ("10.0.0.5", 2))

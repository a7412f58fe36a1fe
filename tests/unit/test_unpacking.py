"""Streams that come packed, though nobody asked for it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from bellwire.apis.streaming import Unpacking

if TYPE_CHECKING:
    from collections.abc import Callable


class Pieces:
    """Brings the pieces one by one, then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self._left = list(pieces)

    async def read(self) -> bytes:
        return self._left.pop(0) if self._left else b""

    def close(self) -> None:
        self._left.clear()


async def all_of(unpacking: Unpacking) -> bytes:
    found = b""
    while piece := await unpacking.read():
        found += piece
    return found


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_what_was_packed_piece_by_piece_is_read_to_its_end(pack: Callable[[bytes], bytes]) -> None:
    one, two = pack(b"data: 1\n\n"), pack(b"data: 2\n\n")
    assert await all_of(Unpacking(Pieces(one, two))) == b"data: 1\n\ndata: 2\n\n"
    assert await all_of(Unpacking(Pieces(one + two[:3], two[3:]))) == b"data: 1\n\ndata: 2\n\n"


async def test_what_is_not_packed_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        await all_of(Unpacking(Pieces(b"data: 1\n\n")))


async def test_little_that_becomes_much_lets_others_have_their_turns() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    unpacking = Unpacking(Pieces(gzip.compress(b"\n" * 5_000_000)))
    pieces = 0
    while await unpacking.read():
        pieces += 1
    beside.cancel()
    assert pieces > 10
    assert turns >= pieces - 1

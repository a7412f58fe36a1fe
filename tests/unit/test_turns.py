"""Who may ask a vendor that thousands want to ask: so many at once, all of them at last."""

from __future__ import annotations

import asyncio

import pytest

from bellwire.turns import Turns

pytestmark = pytest.mark.timeout(20)


async def test_whoever_comes_while_there_is_room_begins_at_once() -> None:
    turns, begun = Turns(2), []
    for name in "ab":
        turns.line_up(lambda name=name: begun.append(name))  # type: ignore[misc]
    assert begun == ["a", "b"]


async def test_of_thousands_so_many_ask_at_once_and_all_in_their_order() -> None:
    turns, asking, most = Turns(5), 0, 0
    begun: list[int] = []
    tasks: list[asyncio.Task[None]] = []
    done = asyncio.Event()

    async def ask() -> None:
        nonlocal asking, most
        async with turns:
            asking += 1
            most = max(most, asking)
            await asyncio.sleep(0)
            asking -= 1

    def begin(number: int) -> None:
        begun.append(number)
        tasks.append(asyncio.create_task(ask()))
        if len(begun) == 300:
            done.set()

    for number in range(300):
        turns.line_up(lambda number=number: begin(number))  # type: ignore[misc]
    assert len(begun) == 5
    await done.wait()
    await asyncio.gather(*tasks)
    assert begun == list(range(300))
    assert most == 5


async def test_those_who_begin_and_ask_nothing_hold_nobody_up() -> None:
    turns, last = Turns(3), asyncio.Event()
    for _ in range(20):
        turns.line_up(lambda: None)
    turns.line_up(last.set)
    await last.wait()


async def test_nobody_begins_while_all_turns_are_held() -> None:
    turns, begun = Turns(1), asyncio.Event()
    async with turns:
        turns.line_up(begun.set)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun.wait(), 0.1)
    await begun.wait()

"""Alarms: many of them behind one timer."""

from __future__ import annotations

import asyncio

from bellwire.clock import Alarms, SystemClock


async def test_alarms_come_in_the_order_of_their_times() -> None:
    clock, rung, all_rung = SystemClock(), list[str](), asyncio.Event()
    clock.alarm(0.03, all_rung.set)
    clock.alarm(0.02, lambda: rung.append("later"))
    clock.alarm(0.01, lambda: rung.append("sooner"))
    clock.alarm(0, lambda: rung.append("at once"))
    async with asyncio.timeout(10):
        await all_rung.wait()
    assert rung == ["at once", "sooner", "later"]


async def test_an_alarm_that_is_cancelled_does_not_ring() -> None:
    clock, rung, after = SystemClock(), list[str](), asyncio.Event()
    alarm = clock.alarm(0.01, lambda: rung.append("cancelled"))
    clock.alarm(0.03, after.set)
    alarm.cancel()
    alarm.cancel()
    async with asyncio.timeout(10):
        await after.wait()
    assert rung == []


async def test_what_one_raises_keeps_no_other_from_ringing() -> None:
    loop, told, after = asyncio.get_running_loop(), list[str](), asyncio.Event()
    loop.set_exception_handler(lambda _, context: told.append(type(context["exception"]).__name__))

    def fail() -> None:
        raise KeyError

    clock = SystemClock()
    clock.alarm(0, fail)
    clock.alarm(0, after.set)
    async with asyncio.timeout(10):
        await after.wait()
    assert told == ["KeyError"]


async def test_alarms_that_are_cancelled_again_and_again_take_no_room() -> None:
    alarms = Alarms()
    kept = [alarms.add(3600, lambda: None) for _ in range(10)]
    for _ in range(10_000):
        alarms.add(3600, lambda: None).cancel()
    assert len(alarms) < 500
    for alarm in kept:
        alarm.cancel()

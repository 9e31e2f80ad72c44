"""Market time: it waits for work, wakes sleepers in order, and may be paced."""

from __future__ import annotations

import asyncio
import contextvars
import time

import pytest

from breakout_bot.clock import Clock

WHERE: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


async def test_sleepers_wake_in_the_order_of_their_time_and_see_it() -> None:
    clock = Clock(start=100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    clock.spawn(sleeper("late", 3.0))
    clock.spawn(sleeper("soon", 1.0))
    clock.spawn(sleeper("after", 30.0))
    await clock.run_until(110.0)
    assert woken == [("soon", 101.0), ("late", 103.0)]
    assert clock.now() == 110.0
    await clock.run_dry()
    assert woken[-1] == ("after", 130.0)


async def test_a_sleeper_that_sleeps_again_is_woken_within_the_same_span_of_time() -> None:
    clock = Clock()
    moments: list[float] = []

    async def sleeper() -> None:
        for _ in range(3):
            await clock.sleep(2.0)
            await asyncio.sleep(0)  # work that yields still counts as work
            moments.append(clock.now())

    clock.spawn(sleeper())
    await clock.run_until(10.0)
    assert moments == [2.0, 4.0, 6.0]


async def test_time_waits_while_somebody_is_at_work() -> None:
    clock = Clock()
    clock.hold()
    passing = asyncio.create_task(clock.run_until(5.0))
    await asyncio.sleep(0)
    assert clock.now() == 0.0
    clock.release()
    await passing
    assert clock.now() == 5.0


async def test_a_cancelled_sleeper_neither_wakes_nor_stops_time() -> None:
    clock = Clock()
    clock.spawn(clock.sleep(1.0))
    await asyncio.sleep(0)
    await clock.stop()
    await asyncio.wait_for(clock.run_until(5.0), 1.0)
    assert clock.now() == 5.0


async def test_spawned_work_knows_nothing_of_its_callers_context() -> None:
    clock = Clock()
    seen: list[str] = []

    async def look() -> None:
        seen.append(WHERE.get())

    WHERE.set("the bot")
    await clock.spawn(look())
    assert seen == ["nowhere"]


async def test_a_paced_clock_does_not_run_ahead_of_real_time() -> None:
    clock = Clock(speed=1000.0)
    began = time.monotonic()
    await clock.run_until(0.0)
    await clock.run_until(50.0)
    assert time.monotonic() - began >= 0.05
    assert clock.now() == 50.0


@pytest.mark.parametrize("speed", [None, 1e6])
async def test_time_never_runs_backwards(speed: float | None) -> None:
    clock = Clock(start=10.0, speed=speed)
    await clock.run_until(5.0)
    assert clock.now() == 10.0

"""Market time: one clock that either jumps from event to event or runs at a multiple of real time."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import time
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Clock"]


class Clock:
    """The bot's only source of "now", in unix seconds of market time.

    Everything that takes time in this world (a candle closing, an order travelling to the exchange) waits on this clock.
    Time moves only while nobody is at work, so the same candles and seed lead to the same decisions at every speed.
    `speed` is market seconds per real second; None means as fast as the machine can.
    """

    def __init__(self, start: float = 0.0, speed: float | None = None) -> None:
        self._now = start
        self._speed = speed
        self._started: tuple[float, float] | None = None
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._at_work = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        return self._now

    def start_at(self, moment: float) -> None:
        """Set market time, in unix seconds, before anything waits on the clock."""
        self._now = moment

    def hold(self) -> None:
        """Say that work is under way, so time must wait; every hold needs one release."""
        self._at_work += 1
        self._idle.clear()

    def release(self) -> None:
        self._at_work -= 1
        if not self._at_work:
            self._idle.set()

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `work` as a task that holds the clock until it sleeps or ends.

        It starts with an empty context: what happens at the exchange knows nothing of the trace in the bot.
        """
        self.hold()
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def sleep(self, seconds: float) -> None:
        """Wait for market time to pass; only somebody who holds the clock may sleep."""
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), wake))
        self.release()
        try:
            await wake
        except asyncio.CancelledError:
            if wake.cancelled():  # never woken, so never held again; the caller still releases once
                self.hold()
            raise

    async def run_until(self, moment: float) -> None:
        """Let market time pass up to `moment`, waking sleepers one by one, each when the one before has come to rest."""
        await self._idle.wait()
        while self._timers and self._timers[0][0] <= moment:
            due, _, wake = heapq.heappop(self._timers)
            if wake.done():
                continue
            await self._pace(due)
            self._now = max(self._now, due)
            self.hold()
            wake.set_result(None)
            await self._idle.wait()
        await self._pace(moment)
        self._now = max(self._now, moment)

    async def run_dry(self) -> None:
        """Let market time pass until nothing is left that waits for it."""
        await self._idle.wait()
        while self._timers:
            await self.run_until(self._timers[0][0])

    async def stop(self) -> None:
        """Cancel what was spawned and still waits."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def rebase(self) -> None:
        """Forget how far real time has run ahead, as after a pause."""
        self._started = None

    async def _pace(self, moment: float) -> None:
        if self._speed is None:
            return
        real = time.monotonic()
        if self._started is None:
            self._started = (real, self._now)
        began, began_market = self._started
        await asyncio.sleep(max(0.0, began + (moment - began_market) / self._speed - real))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.release()

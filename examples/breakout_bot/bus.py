"""The event bus between feed, engine and execution. It knows nothing of telemetry: `observe_bus` sees to that from outside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from breakout_bot.clock import Clock
    from breakout_bot.ledger import Ledger

    Handler = Callable[[object], Awaitable[None]]

__all__ = ["Bus", "Topic"]

Topic = Literal["engine", "execution"]


class Bus:
    """One queue per topic. A topic holds the clock from its first event until its queue is empty and all is handled."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._queues: dict[Topic, asyncio.Queue[object]] = {
            "engine": asyncio.Queue(),
            "execution": asyncio.Queue(),
        }
        self._handlers: dict[Topic, Handler] = {}
        self._busy: set[Topic] = set()

    def depth(self) -> int:
        """How many events wait."""
        return sum(queue.qsize() for queue in self._queues.values())

    def publish(self, topic: Topic, event: object) -> None:
        """Put an event into the topic's queue."""
        self._ledger.count("events_published", type(event).__name__)
        if topic not in self._busy:
            self._busy.add(topic)
            self._clock.hold()
        self._queues[topic].put_nowait(event)

    def subscribe(self, topic: Topic, handler: Handler) -> None:
        """Let `handler` have the topic's events, one by one."""
        self._handlers[topic] = handler

    async def serve(self, topic: Topic) -> None:
        """Call the topic's handler with each event, for ever."""
        queue, handle = self._queues[topic], self._handlers[topic]
        while True:
            event = await queue.get()
            await handle(event)
            self._ledger.count("events_handled", type(event).__name__)
            if queue.empty():
                self._busy.discard(topic)
                self._clock.release()

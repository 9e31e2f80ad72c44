"""The event bus between feed, engine and execution; the trace travels with every event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ticktrace.propagation import TracedQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opentelemetry.metrics import Meter

    from breakout_bot.clock import Clock

__all__ = ["Bus", "Topic"]

Topic = Literal["engine", "execution"]


class Bus:
    """One queue per consumer. A topic holds the clock from its first event until its queue is empty and all is handled.

    A `TracedQueue` keeps the span that was current when an event was put and makes it current again where the event is
    handled, in another task. It also measures the wait; `meter` is OpenTelemetry's own, as any library would use it.
    """

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self._clock = clock
        self._wait = meter.create_histogram("trading.event_bus.queue.wait", unit="s")
        self._queues = {"engine": self._queue("engine"), "execution": self._queue("execution")}
        self._busy: set[Topic] = set()

    def publish(self, topic: Topic, event: object) -> None:
        if topic not in self._busy:
            self._busy.add(topic)
            self._clock.hold()
        self._queues[topic].put_nowait(event)

    async def consume(self, topic: Topic, handle: Callable[[object], Awaitable[None]]) -> None:
        """Handle events one by one, for ever."""
        queue = self._queues[topic]
        while True:
            async with queue.receive() as event:
                await handle(event)
            if queue.empty():
                self._busy.discard(topic)
                self._clock.release()

    def _queue(self, topic: Topic) -> TracedQueue[object]:
        labels = {"trading.queue.name": topic}
        return TracedQueue(on_wait=lambda seconds: self._wait.record(seconds, labels))

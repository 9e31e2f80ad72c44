"""What a bus records: its instruments, bound once for each kind of event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import contained, report, warn_once
from ticktrace.trading._tell import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import BoundHistogram
    from ticktrace.propagation import Relation
    from ticktrace.trading._recorder import Recorder

__all__ = ["BusMeter", "Handler"]


class Handler:
    """A handler as telemetry knows it.

    Attributes:
        name: what it is called in logs and on spans.
        label: what stands for it on metrics.
        queue: the label of the queue that its events come from.
        slow_after: seconds after which one call counts as slow; None for never.
    """

    __slots__ = ("label", "name", "queue", "slow_after")

    def __init__(self, name: str, label: str, queue: str, slow_after: float | None) -> None:
        self.name: str = name
        self.label: str = label
        self.queue: str = queue
        self.slow_after: float | None = slow_after


class BusMeter:
    """Records ``trading.event_bus.*`` of one bus. The labels it is given are limited already.

    Attributes:
        recorder: what it records with.
        relation: what handlers make of the span under which an event was published: their parent, or a link.
        spans: whether every call of a handler is a span.
        now: the monotonic clock, ns.
    """

    def __init__(self, recorder: Recorder, *, relation: Relation, spans: bool) -> None:
        self.recorder: Recorder = recorder
        self.relation: Relation = relation
        self.spans: bool = spans
        self.now: Callable[[], int] = recorder.now
        self._publishing: dict[str, BoundHistogram] = {}
        self._waiting: dict[tuple[str, str], BoundHistogram] = {}
        self._handling: dict[tuple[str, str], BoundHistogram] = {}

    def event(self, word: str) -> str:
        """What stands for a kind of event on metrics."""
        return self.recorder.words.events.label(word)

    def published(self, event: str, seconds: float) -> None:
        """An event was published; it took so long, waiting for room included."""
        if not self.recorder.enabled:
            return
        try:
            histogram = self._publishing.get(event)
            if histogram is None:
                labels = {semconv.EVENT_TYPE: event}
                histogram = self.recorder.histogram("event_bus.publish.duration", labels)
                self._publishing[event] = histogram
            histogram.record(seconds)
        except Exception as error:  # noqa: BLE001  the barrier
            report("event_bus.publish", error)

    def waited(self, event: str, queue: str, seconds: float) -> None:
        """An event was taken out of a queue; it had waited so long since the call of publish."""
        if not self.recorder.enabled:
            return
        try:
            histogram = self._waiting.get((event, queue))
            if histogram is None:
                labels = {semconv.EVENT_TYPE: event, semconv.QUEUE_NAME: queue}
                histogram = self.recorder.histogram("event_bus.queue.wait", labels)
                self._waiting[event, queue] = histogram
            histogram.record(seconds)
        except Exception as error:  # noqa: BLE001  the barrier
            report("event_bus.wait", error)

    def handled(self, event: str, handler: str, failed: str | None) -> BoundHistogram:
        """The histogram for the duration of a handler's call, which may have failed with an exception of that class."""
        if failed is not None:
            labels: dict[str, Any] = {
                semconv.EVENT_TYPE: event,
                semconv.EVENT_HANDLER_NAME: handler,
                semconv.ERROR_TYPE: self.recorder.words.errors.label(failed),
            }
            return self.recorder.histogram("event_bus.handle.duration", labels)
        histogram = self._handling.get((event, handler))
        if histogram is None:
            labels = {semconv.EVENT_TYPE: event, semconv.EVENT_HANDLER_NAME: handler}
            histogram = self.recorder.histogram("event_bus.handle.duration", labels)
            self._handling[event, handler] = histogram
        return histogram

    def slow(self, event: str, handler: Handler, seconds: float) -> None:
        """A handler took longer than it should."""
        labels = {semconv.EVENT_TYPE: event, semconv.EVENT_HANDLER_NAME: handler.label}
        self.recorder.counter("event_bus.handlers.slow", labels).add(1)
        warn_once(
            f"event_bus.slow.{handler.label:.60}",
            "ticktrace: handler %s took %.3f s for one %s; its threshold is %s s",
            handler.name,
            seconds,
            event,
            handler.slow_after,
        )

    @contained(None)
    def depth(self, queue: str, events: int) -> None:
        """So many events wait in a queue."""
        self.recorder.gauge("event_bus.queue.depth", {semconv.QUEUE_NAME: queue}).set(events)

    @contained(None)
    def dropped(
        self, event: str, reason: semconv.DropReason, queue: str | None = None, called: str | None = None
    ) -> None:
        """An event will not be handled; in the log it may be `called` by more than its label."""
        if not self.recorder.enabled:
            return
        labels: dict[str, Any] = {semconv.EVENT_TYPE: event, semconv.DROP_REASON: reason.value}
        if queue is not None:
            labels[semconv.QUEUE_NAME] = queue
        self.recorder.counter("event_bus.dropped", labels).add(1)
        tell(semconv.EVENT_DROPPED, labels)
        warn_once(
            f"event_bus.dropped.{queue}.{reason}.{event:.60}",
            "ticktrace: event %s was not handled: %s%s",
            called or event,
            reason.value,
            "" if queue is None else f" (queue {queue})",
        )

"""One handler's work on one event: under its publisher's context, timed, and a span where that is wanted or worth it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from ticktrace import semconv
from ticktrace.engine import attempt, report, text_of
from ticktrace.propagation import attached, current_links
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ticktrace.engine import BoundHistogram
    from ticktrace.propagation import Handoff
    from ticktrace.trading.bus._meter import BusMeter, Handler

__all__ = ["Handling"]


class _HandlingSpan(Stage):
    """The span of a handler's call."""

    def __init__(self, meter: BusMeter, event: str, handler: Handler) -> None:
        super().__init__(meter.recorder)
        self._meter = meter
        self._event = event
        self._handler = handler
        # Read here, where the publisher's context is attached; the drain asks for the span on another thread.
        self._links = current_links() if meter.relation == "link" else ()

    def span_start(self) -> SpanStart:
        handler = self._handler
        attributes = {
            **self.recorder.labels,
            semconv.EVENT_TYPE: self._event,
            semconv.EVENT_HANDLER_NAME: handler.name,
            semconv.QUEUE_NAME: handler.queue,
        }
        return SpanStart(
            f"{semconv.SPAN_HANDLE} {self._event}", attributes, SpanKind.CONSUMER, self._links or None
        )

    def span_end(self) -> SpanEnd:
        limit = self._handler.slow_after
        seconds = (self.ended - self.started) * 1e-9
        if limit is None or seconds <= limit:
            return SpanEnd()
        return SpanEnd(events=(_slow_event(self._handler, seconds, limit, self.ended),))

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        meter, handler = self._meter, self._handler
        seconds = (self.ended - self.started) * 1e-9
        observe(meter.handled(self._event, handler.label, self.failed), seconds)
        if handler.slow_after is not None and seconds > handler.slow_after:
            meter.slow(self._event, handler, seconds)


class Handling:
    """The block in which a handler works on an event. It swallows nothing.

    An unusual call, one that failed or was slow, has a span also where spans were not asked for: made afterwards,
    because by then the publisher's span, under which the handler worked, is often over and takes no more events.
    """

    __slots__ = ("_attached", "_event", "_handler", "_meter", "_stage", "_started")

    def __init__(self, meter: BusMeter, event: str, handler: Handler, handoff: Handoff | None) -> None:
        self._meter = meter
        self._event = event
        self._handler = handler
        self._attached: attached = attached(None) if handoff is None else handoff.attached(meter.relation)
        self._stage: _HandlingSpan | None = None
        self._started = 0

    def __enter__(self) -> Self:
        self._attached.__enter__()
        meter = self._meter
        if meter.spans and meter.recorder.enabled:
            self._stage = _HandlingSpan(meter, self._event, self._handler)
            self._stage.__enter__()
        self._started = meter.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stage is not None:
            self._stage.__exit__(kind, error, traceback)
        elif self._meter.recorder.enabled:
            try:
                self._record(error)
            except Exception as fault:  # noqa: BLE001  the barrier
                report("event_bus.handle", fault)
        self._attached.__exit__(kind, error, traceback)

    def _record(self, error: BaseException | None) -> None:
        meter, handler = self._meter, self._handler
        ended = meter.now()
        seconds = (ended - self._started) * 1e-9
        limit = handler.slow_after
        if error is None and (limit is None or seconds <= limit):
            meter.handled(self._event, handler.label, None).record(seconds)
        else:
            self._record_unusual(error, ended)

    def _record_unusual(self, error: BaseException | None, ended: int) -> None:
        meter, handler = self._meter, self._handler
        stage = _HandlingSpan(meter, self._event, handler)
        stage.started, stage.ended = self._started, ended
        stage.failed = None if error is None else type(error).__qualname__
        start = stage.span_start()
        offset = meter.recorder.clock.offset()
        span = meter.recorder.tracer.start_span(
            start.name,
            kind=start.kind,
            attributes=start.attributes,
            links=start.links,
            start_time=offset + self._started,
        )
        try:
            if isinstance(error, Exception):
                attempt("event_bus.exception", partial(span.record_exception, error))
                span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}"))
            for event in stage.span_end().events:
                span.add_event(event.name, event.attributes, offset + event.at)
        finally:
            with attached(set_span_in_context(span)):  # so that exemplars find it
                stage.measure(_observe)
            span.end(offset + ended)


def _observe(histogram: BoundHistogram, value: float) -> None:
    histogram.record(value)


def _slow_event(handler: Handler, seconds: float, limit: float, at: int) -> StageEvent:
    attributes: dict[str, Any] = {
        semconv.EVENT_HANDLER_NAME: handler.name,
        semconv.ELAPSED: seconds,
        semconv.ELAPSED_LIMIT: limit,
    }
    return StageEvent(semconv.EVENT_HANDLER_SLOW, attributes, at)

"""Spans and measurements out of stamps: the trading thread notes that a block has ended, all else is derived here.

A `StampedSpan` is current while its block runs, and a span like any other to whoever looks at it, but it begins as two
references: each of its fields is filled in when first asked for. Most are never asked: a trace that is not kept costs
no names, no attributes and no ids.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from ticktrace.engine.barrier import report, text_of
from ticktrace.engine.deferred.span_attributes import owned, write_all
from ticktrace.engine.deferred.span_exceptions import note_exception
from ticktrace.engine.deferred.spans import LightSpan
from ticktrace.engine.deferred.trace_buffer import Trace
from ticktrace.engine.stamp import Happened, events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from opentelemetry.sdk.util import BoundedList
    from opentelemetry.trace import Link

    from ticktrace.engine.binding import BoundHistogram
    from ticktrace.engine.deferred.provider import DeferredTracerProvider
    from ticktrace.engine.deferred.span_attributes import Owned
    from ticktrace.engine.deferred.tracer import DeferredTracer
    from ticktrace.engine.stamp import Note, Stamp

__all__ = ["StampQueue", "StampedSpan"]

_AT_ONCE: Final = 8  # so many stamps are derived between two looks at the clock, some 30 µs
_MANY: Final = 256
_RELIEF: Final = 2  # each one that comes in beyond the limit has two derived: the backlog shrinks

_BEGUN: Final = 1
_COMPLETE: Final = 2

_making = threading.RLock()  # held while a span is made, described or derived: microseconds


class StampedSpan(LightSpan):
    """The span of a stamp.

    Attributes:
        stamp: what knows its facts; None once they were told, or once it was decided that nobody wants to know.
        left: whether the block has ended and all is said.
        observed: the histograms that were recorded, with their values; exemplars, should the trace be kept.
        happened: the stamp's word on what has happened, as bits of `Happened`.
        told: how much of it has been described.
    """

    stamps: ClassVar[StampQueue]

    raw_attributes: Owned
    raw_links: list[Link | tuple[Span, Owned]] | BoundedList[Any] | None
    raw_name: str
    raw_status: Status

    stamped: ClassVar[bool] = True
    happened: int = Happened.NOTHING
    left: bool = False
    observed: Sequence[tuple[BoundHistogram, float]] = ()
    told: int = 0
    _end_time: int | None = None
    _kind: SpanKind = SpanKind.INTERNAL

    def __init__(self, stamp: Stamp, parent: Any) -> None:
        self.stamp: Stamp | None = stamp
        self.raw_parent = parent  # whatever is current, see StampQueue.trace_of

    def __getattr__(self, name: str) -> Any:
        # Only called for fields that are not there yet.
        make = _FIELDS.get(name)
        if make is None:
            raise AttributeError(name)
        return make(self)

    def settle(self) -> None:
        """Describe it as far as is known now."""
        if self.told == _COMPLETE or self.stamp is None:
            return
        with _making:
            stamp = self.stamp
            if stamp is not None:
                try:
                    self._describe(stamp)
                except Exception as error:  # noqa: BLE001  the barrier
                    report(f"{type(stamp).__name__}.span", error)

    def _describe(self, stamp: Stamp) -> None:
        if self.told < _BEGUN:
            self.told = _BEGUN
            self._describe_start(stamp)
        if self.left and self.told < _COMPLETE:
            self.told = _COMPLETE
            self._describe_end(stamp)

    def _describe_start(self, stamp: Stamp) -> None:
        start = stamp.span_start()
        self.raw_name = start.name
        self.kind = start.kind
        self.tell(start.attributes)
        if start.links:
            self.raw_links = list(start.links)

    def _describe_end(self, stamp: Stamp) -> None:
        end = stamp.whole_end()
        tracer = self.tracer
        if end.attributes:
            self.raw_attributes = write_all(
                self.raw_attributes, end.attributes, tracer.most_attributes, tracer.attribute_length
            )
        offset = self.trace.offset
        for event in events_of(stamp, end):
            kept = owned(event.attributes, tracer.most_event_attributes, tracer.value_length)
            self.tell_event(event.name, kept, offset + event.at)
        if end.status is not None and self.raw_status.status_code is not StatusCode.OK:
            self.raw_status = end.status

    def fail(self, error: Exception) -> None:
        """Note what the block has raised, and its stack, while that is what it is."""
        tracer, stamp = self.tracer, self.stamp
        at = self.trace.offset + (0 if stamp is None else stamp.ended)
        noted = note_exception(error, None, tracer.most_event_attributes, tracer.value_length, escaped=False)
        self.tell_event("exception", noted, at)
        if self.raw_status.status_code is not StatusCode.OK:
            self.raw_status = Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}")

    def end(self, end_time: int | None = None) -> None:
        """End it before its block does: what is told from now on is ignored; its trace waits for the block."""
        trace = self.trace
        if self.end_time is None:
            self.end_time = trace.buffer.now() + trace.offset if end_time is None else end_time

    @property
    def end_time(self) -> int | None:
        """Wall clock, ns; None while the block runs."""
        if self._end_time is None:
            stamp = self.stamp
            if stamp is None or not stamp.ended:
                return None
            self._end_time = self.trace.offset + stamp.ended
        return self._end_time

    @end_time.setter
    def end_time(self, at: int | None) -> None:
        self._end_time = at

    @property
    def kind(self) -> SpanKind:
        """The span's kind."""
        self.settle()
        return self._kind

    @kind.setter
    def kind(self, kind: SpanKind) -> None:
        self._kind = kind

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Note the status: OK is final, UNSET is ignored."""
        super().set_status(status, description)
        if self.raw_status.status_code is StatusCode.ERROR:
            self.happened |= Happened.ERROR

    @property
    def nanoseconds(self) -> int:
        """How long the block took; 0 while it runs."""
        stamp = self.stamp
        return 0 if stamp is None or not stamp.ended else stamp.ended - stamp.started

    def forget(self) -> None:
        """Nobody will read it: let go of the stamp, which holds it, without waiting for the garbage collector."""
        stamp = self.stamp
        if stamp is not None:
            if self.told < _BEGUN:
                self.raw_name = stamp.span_name
            self.stamp = None
            self.observed = ()

    def exemplify(self) -> None:
        """Let what was recorded stand as an example of its bucket, with the ids of this span, which is kept."""
        observed = self.observed
        if observed:
            context = self.get_span_context()
            at = self.end_time or 0
            for histogram, value in observed:
                if histogram.offer is not None:
                    histogram.offer(value, context.trace_id, context.span_id, at)
        self.observed = ()


def _attributes(span: StampedSpan) -> dict[str, Any]:
    made: dict[str, Any] = {}
    span.raw_attributes = made
    return made


def _name(span: StampedSpan) -> str:
    stamp = span.stamp
    return "" if stamp is None else stamp.span_name


def _start_time(span: StampedSpan) -> int:
    stamp = span.stamp
    span.start_time = at = span.trace.offset + (0 if stamp is None else stamp.started)
    return at


_FIELDS: Final[dict[str, Callable[[StampedSpan], Any]]] = {
    "raw_attributes": _attributes,
    "raw_name": _name,
    "start_time": _start_time,
}


class StampQueue:
    """Stamps on their way from the trading thread to the drain, of which it is a source.

    Args:
        provider: gives the traces.
        tracer: of the scope that the spans belong to.
        limit: how many may wait; beyond, whoever brings one has older ones derived at once. Nothing is lost.
        wake: called when a good many wait: the sooner they are derived, the fewer of them the garbage collector sees.

    Attributes: see `ticktrace.engine.stamp.Stamps`.
    """

    def __init__(
        self,
        provider: DeferredTracerProvider,
        tracer: DeferredTracer,
        limit: int,
        wake: Callable[[], None],
    ) -> None:
        self._provider = provider
        self._tracer = tracer
        self._observed: list[tuple[BoundHistogram, float]] = []
        self.ready: bool = not provider.starters
        provider.on_starter = self._stand_back
        self.waiting: deque[Stamp | Note] = deque()
        self.limit: int = limit
        self.mark: int = min(_MANY, limit)
        self._wake = wake
        # What all spans of an engine share stands on a class of its own: one reference fewer in each.
        shared = {"stamps": self, "tracer": tracer}
        self._make: type[StampedSpan] = type("StampedSpan", (StampedSpan,), shared)

    def _stand_back(self) -> None:
        """Somebody has to see spans begin, so they are to be made as they begin."""
        self.ready = False

    def span(self, stamp: Stamp) -> Span:
        """The span of a block that has begun; the same one each time."""
        with _making:
            made: StampedSpan | None = stamp.made_span
            return self._made(stamp) if made is None else made

    def _made(self, stamp: Stamp) -> StampedSpan:
        above: Any = stamp.parent
        provider = self._provider
        buffer = provider.buffer
        if above is not None and not isinstance(above, Span):
            above = above.span  # another stamp's
        made = self._make(stamp, above)
        trace = getattr(above, "trace", None)
        if trace.__class__ is Trace and trace.buffer is buffer:
            made.trace = trace
        elif above is None and provider.sampled_roots:
            made.trace = trace = Trace(
                buffer, stamp.started, buffer.wall() - buffer.now(), provider.sampled_flags
            )
            trace.root = made
        else:
            self._ask(made, above if isinstance(above, Span) else None)
        stamp.made_span = made
        return made

    def _ask(self, span: StampedSpan, parent: Span | None) -> None:
        """Let the tracer decide as for any span; ours takes the place of the one it makes."""
        stamp = span.stamp
        start = None if stamp is None else stamp.span_start()
        context = Context() if parent is None else set_span_in_context(parent, Context())
        model = self._tracer.start_span(
            "" if start is None else start.name,
            context,
            SpanKind.INTERNAL if start is None else start.kind,
            None if start is None else dict(start.attributes),
            None if start is None else start.links,
        )
        if not isinstance(model, LightSpan):  # the tracer was disabled meanwhile
            buffer = self._provider.buffer
            trace = buffer.begin(self._provider.sampled_flags)
            trace.head_sampled = False
            trace.root = span
        else:
            trace = model.trace
            span.raw_parent = model.raw_parent
            span.raw_attributes = model.raw_attributes
            if trace.root is model:
                trace.root = span
        span.trace = trace

    # From the trading thread.

    def crowded(self) -> None:
        """More wait than `mark` says: have them drained, or, if they are too many, derive a few. Never raises."""
        waiting = len(self.waiting)
        if waiting <= self.limit:
            self.mark = min(waiting + _MANY, self.limit)
            self._wake()
            return
        for _ in range(_RELIEF):
            try:
                stamp = self.waiting.popleft()
            except IndexError:
                return
            self._derive(stamp)

    def fail(self, span: Span, error: Exception) -> None:
        """Note what the block of a span has raised. Never raises."""
        if isinstance(span, StampedSpan):
            try:
                span.fail(error)
            except Exception as fault:  # noqa: BLE001  an exception may be anything
                report("stamp.fail", fault)

    def derive(self, stamp: Stamp) -> None:
        """Derive now what follows from a stamp: its facts are about to change. Never raises."""
        self._derive(stamp, early=True)
        span = stamp.made_span
        if isinstance(span, StampedSpan):
            span.settle()

    # From the drain.

    def steps(self) -> Iterator[None]:
        """Derive what waits, a few at a time."""
        waiting = self.waiting
        for number in range(1, len(waiting) + 1):
            try:
                stamp = waiting.popleft()
            except IndexError:  # another thread takes, too
                return
            self._derive(stamp)
            if not number % _AT_ONCE:
                yield
        self.mark = min(_MANY, self.limit)

    def _derive(self, stamp: Stamp | Note, *, early: bool = False) -> None:
        """Derive what follows from a stamp; `early` is out of turn, and leaves `derived` to its turn."""
        if isinstance(stamp, tuple):
            _follow((stamp,))
            return
        if stamp.notes is not None:
            _follow(stamp.__dict__.pop("notes", ()))  # once, whoever else derives it
        before = False
        with _making:
            try:
                span: StampedSpan = stamp.made_span or self._made(stamp)
                before = span.left
                if not before:
                    span.left = True
                    stamp.measure(self._observe)
                    span.happened |= stamp.happened()
            except Exception as error:  # noqa: BLE001  one bad stamp must not keep the others waiting
                report(f"{type(stamp).__name__}.measure", error)
            if self._observed:
                stamp.made_span.observed, self._observed = self._observed, []
        # Not under the lock: where room has to be made for a trace, others are waited for, who may need it.
        try:
            if not early:
                stamp.derived()
            if not before:
                self._gather(stamp.made_span)
        except Exception as error:  # noqa: BLE001  see above
            report("stamp.gather", error)

    def _observe(self, histogram: BoundHistogram, value: float) -> None:
        histogram.record(value)
        self._observed.append((histogram, value))

    def _gather(self, span: StampedSpan) -> None:
        trace = span.trace
        spans = trace.spans
        spans.append(span)
        buffer = trace.buffer
        if trace.root is span and not trace.closed:
            buffer.close(trace, None)
        elif not trace.quiet or len(spans) >= buffer.max_spans:
            buffer.span_ended(trace, span)


def _follow(notes: Iterable[Note]) -> None:
    """Do what follows from notes."""
    for note in notes:
        try:
            note[0](note)
        except Exception as error:  # noqa: BLE001  one bad note must not keep the others waiting
            report("note", error)


def _new_lock() -> None:
    global _making  # noqa: PLW0603  a child must not wait for a thread of its parent
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)

"""The span of the deferred engine: it notes what it is told and leaves everything else for later.

A `LightSpan` behaves as the SDK's span does, to the caller: the same rules for status, exceptions, limits and calls
after the end. But ids are drawn when somebody asks for them, values are judged and objects of the SDK are built by
`materialise`, off the trading thread and only for traces that are kept.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, get_current_span

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.span_attributes import PLAIN, cleaned, counting, owned, write_all
from ticktrace.engine.deferred.span_exceptions import note_exception, set_error
from ticktrace.engine.deferred.span_links import LinkedLight
from ticktrace.engine.deferred.span_reading import UNSET
from ticktrace.engine.stamp import Happened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.span_attributes import Owned
    from ticktrace.engine.deferred.trace_buffer import Trace
    from ticktrace.engine.deferred.tracer import DeferredTracer

__all__ = ["LightSpan"]

_logger = logging.getLogger("opentelemetry.sdk.trace")  # where users of the SDK look for these warnings

_identifying = threading.RLock()
_describing = threading.RLock()


class LightSpan(LinkedLight):
    """A recording span of a `Trace`.

    Fields whose names begin with ``raw_`` are what was noted; `ReadableLight` and `materialise` tell what it means.

    Attributes:
        tracer: gives scope, resource, limits and ids.
        trace: where it gathers with the other spans of its local root.
        raw_name: its name, unless `describe` gives it one.
        raw_parent: a span of the same trace, the `SpanContext` of any other parent, or None.
        kind: the span's kind.
        raw_attributes: what was set so far.
        start_time: wall clock, ns.
        end_time: wall clock, ns; None while it runs.
        made_context: None until somebody asks for its ids.
        raw_events: name, attributes, wall-clock ns.
        raw_links: links, or other light spans with attributes.
        raw_status: as the SDK's rules left it.
        on_error: what to do with an exception that leaves ``with span:``: (record it, set the status).
    """

    undescribed: ClassVar[bool] = False
    stamped: ClassVar[bool] = (
        False  # whether `happened` tells what isinstance() would cost microseconds to find out
    )
    happened: int = Happened.NOTHING

    # What most spans never change is an attribute of the class: it costs nothing to make.
    end_time: int | None = None
    kind: SpanKind = SpanKind.INTERNAL
    made_context: SpanContext | None = None
    raw_events: list[tuple[str, Owned, int]] | BoundedList[Any] | None = None
    raw_links: list[Link | tuple[Span, Owned]] | BoundedList[Any] | None = None
    raw_status: Status = UNSET
    on_error: tuple[bool, bool] | None = None

    def __init__(  # noqa: PLR0917  called once for every span, by position: keywords cost
        self,
        tracer: DeferredTracer,
        trace: Trace,
        name: str,
        parent: LightSpan | SpanContext | None,
        kind: SpanKind,
        attributes: Owned,
        start_time: int,
    ) -> None:
        self.tracer: DeferredTracer = tracer
        self.trace: Trace = trace
        self.raw_name: str = name
        self.raw_parent: LightSpan | SpanContext | None = parent
        if kind is not SpanKind.INTERNAL:
            self.kind = kind
        self.raw_attributes: Owned = attributes
        self.start_time: int = start_time

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.undescribed = cls.describe is not LightSpan.describe

    # What a subclass adds.

    def describe(self) -> None:
        """Fill in what the span was not told while it ran; called once, when somebody first reads it.

        For a subclass that knows its facts elsewhere: it assigns `raw_name` and `raw_status` and calls `tell` and
        `tell_event`, which work after the end too.
        """

    def settle(self) -> None:
        """Have `describe` called, once; what it raises is reported."""
        if self.undescribed:
            with _describing:
                own = self.__dict__
                if self.undescribed and "describing" not in own:
                    own["describing"] = True  # describe may read the span
                    try:
                        self.describe()
                    except Exception as error:  # noqa: BLE001  the barrier
                        report(f"{type(self).__name__}.describe", error)
                    own["undescribed"] = False

    def exemplify(self) -> None:
        """The span was exported: let measurements that were made in it become exemplars. Never raises."""

    def forget(self) -> None:
        """The verdict was carried out: let go of what only it needed."""

    @property
    def nanoseconds(self) -> int:
        """How long it took; 0 while it runs."""
        return 0 if self.end_time is None else self.end_time - self.start_time

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes beneath those that were set on the span: what the application set itself stays."""
        said = self.raw_attributes
        tracer = self.tracer
        told = owned(attributes, tracer.most_attributes, tracer.attribute_length)
        if said or isinstance(said, BoundedAttributes):
            dropped = said.dropped if isinstance(said, BoundedAttributes) else 0
            self.raw_attributes = told = write_all(
                told, said, tracer.most_attributes, tracer.attribute_length
            )
            if dropped:
                self._bound().dropped += dropped
        else:
            self.raw_attributes = told

    def tell_event(self, name: str, attributes: Owned, at: int) -> None:
        """Add an event; `attributes` become the span's own, `at` is wall-clock ns."""
        events = self.raw_events
        if events is None:
            self.raw_events = events = []
        events.append((name, attributes, at))
        most = self.tracer.most_events
        if len(events) > most:
            self.raw_events = BoundedList.from_seq(most, events)  # counts what it drops

    # The API.

    def get_span_context(self) -> SpanContext:
        """Its ids, drawn now if nobody asked before; the same for everybody who asks."""
        context = self.made_context
        if context is None:
            with _identifying:
                context = self.made_context
                if context is None:
                    context = self.made_context = self._identify()
        return context

    def _identify(self) -> SpanContext:
        trace, ids = self.trace, self.tracer.ids
        if trace.trace_id is None:
            trace.trace_id = ids.generate_trace_id()
        return SpanContext(
            trace.trace_id,
            ids.generate_span_id(),
            is_remote=False,
            trace_flags=trace.flags,
            trace_state=trace.trace_state,
        )

    def is_recording(self) -> bool:
        """True until it ends."""
        return self.end_time is None

    def set_attribute(self, key: str, value: Any) -> None:
        """Note an attribute."""
        if self.end_time is not None:
            _logger.warning("Setting attribute on ended span.")
            return
        attributes: Any = self.raw_attributes
        if value.__class__ not in PLAIN or key.__class__ is not str or not key:
            self._set_unusual(key, value)
            return
        if key in attributes:
            del attributes[key]  # what is set again becomes the youngest: the limit drops the oldest
        attributes[key] = value
        if len(attributes) > self.tracer.attribute_room:
            self._bound()

    def _set_unusual(self, key: str, value: Any) -> None:
        """An attribute whose value could still change, or whose key is none."""
        tracer = self.tracer
        try:
            if not key or not isinstance(key, str) or tracer.attribute_length is not None:
                self._bound()[key] = value  # the SDK's container warns, cuts and counts
                return
            value = cleaned(value)
            attributes = self.raw_attributes
            if key in attributes:
                del attributes[key]
            attributes[key] = value
            if len(attributes) > tracer.attribute_room:
                self._bound()
        except Exception as error:  # noqa: BLE001  a value's own __str__ may raise
            report("span.set_attribute", error)

    def _bound(self) -> BoundedAttributes:
        """From now on the SDK's container keeps the attributes, because something is dropped."""
        tracer = self.tracer
        kept = counting(self.raw_attributes, tracer.most_attributes, tracer.attribute_length)
        self.raw_attributes = kept
        return kept

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Note several attributes."""
        if self.end_time is not None:
            _logger.warning("Setting attribute on ended span.")
            return
        tracer = self.tracer
        try:
            self.raw_attributes = write_all(
                self.raw_attributes, attributes, tracer.most_attributes, tracer.attribute_length
            )
        except Exception as error:  # noqa: BLE001  whatever was given as a mapping
            report("span.set_attributes", error)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Note an event; `timestamp` in ns since the epoch, by default now."""
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "_add_event")
            return
        trace = self.trace
        at = trace.buffer.now() + trace.offset if timestamp is None else timestamp
        try:
            if attributes:
                tracer = self.tracer
                kept = owned(attributes, tracer.most_event_attributes, tracer.value_length)
            else:
                kept = {}
            self.tell_event(name, kept, at)
        except Exception as error:  # noqa: BLE001  whatever was given as a mapping
            report("span.add_event", error)

    def update_name(self, name: str) -> None:
        """Rename it."""
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "update_name")
            return
        self.raw_name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Note the status: OK is final, UNSET is ignored."""
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "set_status")
            return
        code = status.status_code if isinstance(status, Status) else status
        if self.raw_status.status_code is StatusCode.OK or code is StatusCode.UNSET:
            return
        if isinstance(status, Status):
            if description is not None:
                _logger.warning(
                    "Description %s ignored. Use either `Status` or `(StatusCode, Description)`", description
                )
            self.raw_status = status
        elif isinstance(status, StatusCode):
            self.raw_status = Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Note an exception as an event; `timestamp` in ns since the epoch, by default now."""
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "_add_event")
            return
        tracer, trace = self.tracer, self.trace
        at = trace.buffer.now() + trace.offset if timestamp is None else timestamp
        try:
            noted = note_exception(
                exception, attributes, tracer.most_event_attributes, tracer.value_length, escaped=escaped
            )
            self.tell_event("exception", noted, at)
        except Exception as error:  # noqa: BLE001  an exception's own __str__ may raise
            report("span.record_exception", error)

    def end(self, end_time: int | None = None) -> None:
        """End it, once; `end_time` in ns since the epoch, by default now."""
        trace = self.trace
        buffer = trace.buffer
        at = buffer.now() + trace.offset if end_time is None else end_time
        if self.end_time is not None:
            _logger.warning("Calling end() on an ended span.")
            return
        self.end_time = at  # no call since the test: two threads cannot both end it
        spans = trace.spans
        spans.append(self)
        if trace.root is self and not trace.closed:
            ended = buffer.ended
            if len(ended) < buffer.calm and not trace.quiet:
                trace.closed = True  # all that `close` does where nobody else has to be told
                ended.append(trace)
            else:
                buffer.close(trace, None)
        elif not trace.quiet or len(spans) >= buffer.max_spans:
            buffer.span_ended(trace, self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        if error is not None and self.end_time is None:
            record, set_status = self.on_error or (True, True)
            if record:
                self.record_exception(error, escaped=True)
            if set_status:
                set_error(self, error)
        self.end()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, context={self.get_span_context()})"


def _identify_before_fork() -> None:
    """Draw the current span's ids while parent and child still agree on them: the child's spans refer to it."""
    try:
        get_current_span().get_span_context()
    except Exception as error:  # noqa: BLE001  a foreign span; fork must not fail
        report("span.fork", error)


def _new_locks() -> None:
    global _identifying, _describing  # noqa: PLW0603  a child must not wait for a thread of its parent
    _identifying = threading.RLock()
    _describing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_identify_before_fork, after_in_child=_new_locks)

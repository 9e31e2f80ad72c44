"""Stages on an engine without a buffer of its own: spans start and end, and instruments are recorded, as the block does.

Each step stands in a barrier of its own: a span processor that raises must not cost the metrics, an exception that
cannot be printed must not cost the order's state, and nothing at all may cost the restoring of the context.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

from opentelemetry import context as otel_context
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from ticktrace.engine import events_of, report, text_of
from ticktrace.trading._keys import STAGE_KEY

if TYPE_CHECKING:
    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._stage import Stage

__all__ = ["enter", "leave", "overlaps", "restore"]

overlaps: int = 0
"""How many stages have ended while another one was current, so that their context waits for that one to end."""


def enter(stage: Stage) -> None:
    """Start the stage's span and make it current."""
    parent = None
    try:
        if stage.hooked:
            stage.entering()
        if stage.queue is not None:
            stage.queue.append(stage)
        if not stage.offset:
            stage.offset = getattr(stage.above, "offset", 0) or stage.recorder.clock.offset()
        parent = stage.parent_context()
        start = stage.span_start()
        stage.span = stage.recorder.tracer.start_span(
            start.name,
            context=parent,
            kind=start.kind,
            attributes=start.attributes,
            links=start.links,
            start_time=stage.offset + stage.started,
        )
    except Exception as fault:  # noqa: BLE001  without a span there are still metrics
        report(f"{type(stage).__name__}.start", fault)
    inside = set_span_in_context(stage.span, parent)
    if stage.found_by_decorators:
        inside = otel_context.set_value(STAGE_KEY, stage, inside)
    stage.context = inside
    stage.token = otel_context.attach(inside)


def leave(stage: Stage, error: BaseException | None) -> None:
    """Record the stage's instruments while its span is current, so that exemplars find it; then end the span."""
    name = type(stage).__name__
    try:
        if isinstance(error, Exception):
            stage.failing(error)
        stage.leaving(error)
    except Exception as fault:  # noqa: BLE001  see above
        report(f"{name}.leaving", fault)
    try:
        _complete_span(stage, error)
    except Exception as fault:  # noqa: BLE001  see above
        report(f"{name}.span", fault)
    try:
        stage.measure(_record)
    except Exception as fault:  # noqa: BLE001  see above
        report(f"{name}.measure", fault)
    try:
        stage.derived()
    except Exception as fault:  # noqa: BLE001  see above
        report(f"{name}.derived", fault)
    restore(stage)
    stage.span.end(stage.offset + stage.ended)


def _complete_span(stage: Stage, error: BaseException | None) -> None:
    span = stage.span
    if not span.is_recording():
        return
    if isinstance(error, Exception):
        try:
            span.record_exception(error)
        except Exception as fault:  # noqa: BLE001  an exception that cannot be printed
            report("exception", fault)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}"))
    end = stage.whole_end()
    if end.attributes:
        span.set_attributes(end.attributes)
    for event in events_of(stage, end):
        span.add_event(event.name, event.attributes, stage.offset + event.at)
    if end.status is not None:
        span.set_status(end.status)


def _record(histogram: BoundHistogram, value: float) -> None:
    histogram.record(value)


def restore(stage: Stage) -> None:
    """Make the context before the stage current again, and those before stages that ended meanwhile.

    A stage that is not the current one, because blocks overlap, keeps its token until the one above it has ended. One
    that is left in another context than it was entered in (an async generator closed by the event loop) has nothing to
    restore there; the API's `detach` would log an error for it (opentelemetry-python #2606).
    """
    global overlaps  # noqa: PLW0603  a hint: while it is 0, nobody need look below
    ended: Stage | None = stage
    while ended is not None and ended.ended and ended.token is not None:
        token = ended.token
        if token.var.get(None) is not ended.context:
            overlaps += 1
            return
        ended.token = ended.context = None
        if ended is not stage:
            overlaps -= 1
        with contextlib.suppress(ValueError, RuntimeError):
            token.var.reset(token)
        ended = cast("Stage | None", otel_context.get_value(STAGE_KEY))

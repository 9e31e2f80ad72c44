"""Stages on an engine without a buffer of its own: spans start and end, and instruments are recorded, as the block does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from ticktrace.engine import report
from ticktrace.trading._stage import STAGE_KEY

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._stage import Stage

__all__ = ["enter", "leave"]


def enter(stage: Stage) -> None:
    """Start the stage's span and make it current."""
    stage.entering()
    if not stage.offset:
        stage.offset = stage.recorder.clock.offset()
    parent = stage.parent_context()
    start = stage.span_start()
    stage.span = span = stage.recorder.tracer.start_span(
        start.name,
        context=parent,
        kind=start.kind,
        attributes=start.attributes,
        links=start.links,
        start_time=stage.offset + stage.started,
    )
    inside = set_span_in_context(span, parent)
    if stage.found_by_decorators:
        inside = otel_context.set_value(STAGE_KEY, stage, inside)
    stage.token = otel_context.attach(inside)


def leave(stage: Stage, error: BaseException | None) -> None:
    """Record the stage's instruments while its span is current, so that exemplars find it; then end the span."""
    token, stage.token = stage.token, None
    span = stage.span
    try:
        stage.leaving(error)
        if span.is_recording():
            if isinstance(error, Exception):
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            end = stage.span_end()
            if end.attributes:
                span.set_attributes(end.attributes)
            for event in end.events:
                span.add_event(event.name, event.attributes, stage.offset + event.at)
            if end.status is not None:
                span.set_status(end.status)
        stage.measure(_record)
    except Exception as fault:  # noqa: BLE001  the barrier; the context and the span still have to end
        report(f"{type(stage).__name__}.leave", fault)
    if token is not None:
        _restore(token)
    span.end(stage.offset + stage.ended)


def _record(histogram: BoundHistogram, value: float) -> None:
    histogram.record(value)


def _restore(token: Token[Context]) -> None:
    """Make the previous context current again, silently where that is another task's business.

    A block that is left in another context than it was entered in (an async generator closed by the event loop) has
    nothing to restore there; the API's `detach` would log an error for it (opentelemetry-python #2606).
    """
    with contextlib.suppress(ValueError, RuntimeError):
        token.var.reset(token)

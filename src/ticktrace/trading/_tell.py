"""Events on whatever span is current, where one is that still listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from ticktrace.engine import StampEvent, get_current
from ticktrace.trading._context import StageContext
from ticktrace.trading._keys import STAGE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

    from ticktrace.trading._stage import Stage

__all__ = ["stage_in", "tell"]


def stage_in(context: Context) -> Stage | None:
    """The stage whose span is the current one in a context; None where it is another's."""
    if context.__class__ is StageContext:
        return context.stage
    stage: Any = context.get(STAGE_KEY)
    return stage if stage is not None and stage.context is context else None


def tell(event: str, attributes: Mapping[str, Any]) -> None:
    """Add an event to the current span; to none when there is none, or when it has ended.

    Behind a queue the current span is the producer's, which may be over: the SDK logs a warning for an event on it.
    """
    stage = stage_in(get_current())
    if stage is not None:
        if not stage.ended:
            stage.tell(StampEvent(event, attributes, stage.recorder.now()))
        return
    span = get_current_span()
    if span.is_recording():
        span.add_event(event, attributes)

"""Events on whatever span is current, where one is that still listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["tell"]


def tell(event: str, attributes: Mapping[str, Any]) -> None:
    """Add an event to the current span; to none when there is none, or when it has ended.

    Behind a queue the current span is the producer's, which may be over: the SDK logs a warning for an event on it.
    """
    span = get_current_span()
    if span.is_recording():
        span.add_event(event, attributes)

"""Spans as plain data, so that two providers can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.span_programs import REMOTE_ID, REMOTE_SPAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, SpanContext

__all__ = ["described"]


def _time(value: int | None) -> Any:
    """Explicit times are small; what the clock said is only known to be a time."""
    return value if value is None or value < 10**15 else "now"


def _attributes_of(attributes: Any) -> list[Any]:
    shown = []
    for key, value in attributes.items():
        told = value
        if key == "exception.stacktrace" and "Traceback" in repr(value):
            told = str(value).splitlines()[-1]  # the SDK's own frames are in its stacks
        shown.append((key, type(told).__name__, repr(told)))
    return shown


def described(spans: list[Span], exported: Sequence[ReadableSpan]) -> list[Any]:
    """Everything that can be seen of a program's spans, with ids replaced by numbers in order of appearance."""
    traces: dict[int, int] = {REMOTE_ID: -1, 0: -2, 5: -3}
    numbers: dict[int, int] = {REMOTE_SPAN: -1, 0: -2, 6: -3}
    for number, span in enumerate(spans):
        context = span.get_span_context()
        traces.setdefault(context.trace_id, len(traces))
        numbers.setdefault(context.span_id, number)

    def ids(context: SpanContext | None) -> Any:
        if context is None:
            return None
        state = list(context.trace_state.items())
        return (
            traces.get(context.trace_id, "unknown"),
            numbers.get(context.span_id, "unknown"),
            context.is_remote,
            int(context.trace_flags),
            state,
        )

    told: list[Any] = [(ids(span.get_span_context()), span.is_recording()) for span in spans]
    by_number = sorted(exported, key=lambda span: numbers[span.context.span_id])
    for seen in by_number:
        scope = seen.instrumentation_scope
        assert scope is not None
        told.append(
            {
                "name": seen.name,
                "context": ids(seen.context),
                "parent": ids(seen.parent),
                "kind": seen.kind,
                "status": (seen.status.status_code, seen.status.description),
                "attributes": _attributes_of(seen.attributes),
                "times": (_time(seen.start_time), _time(seen.end_time)),
                "events": [
                    (
                        event.name,
                        _attributes_of(event.attributes),
                        event.dropped_attributes,
                        _time(event.timestamp),
                    )
                    for event in seen.events
                ],
                "links": [
                    (ids(link.context), _attributes_of(link.attributes), link.dropped_attributes)
                    for link in seen.links
                ],
                "dropped": (seen.dropped_attributes, seen.dropped_events, seen.dropped_links),
                "scope": (scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})),
                "resource": dict(seen.resource.attributes),
            }
        )
    return told

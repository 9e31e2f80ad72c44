"""What lines of the journal are made of; each stage makes its own, where nobody waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.diagnostics import Line
from ticktrace.trading.checks import attribute_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._stage import Stage
    from ticktrace.trading.checks import Check, Number

__all__ = ["check_line", "ids", "milliseconds", "number", "order_line", "risk_line", "wall"]

_MILLISECOND = 1e-6  # of a nanosecond
_DIGITS = 4


def ids(stage: Stage) -> dict[str, Any]:
    """The trace and span id of a stage, as fields of a line; none where it has none."""
    context = stage.span.get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def wall(recorder: Recorder, at: int, offset: int = 0) -> int:
    """A monotonic reading as wall-clock time, Unix ns."""
    return at + (offset or recorder.clock.offset())


def milliseconds(stage: Stage) -> float:
    """How long a stage took."""
    return round((stage.ended - stage.started) * _MILLISECOND, _DIGITS)


def number(value: Number | None) -> float | int | str | None:
    """A number as a line has it: a Decimal keeps its digits."""
    return None if value is None else attribute_number(value)


def check_line(
    check: Check, margin: float, ts: int, about: Mapping[str, Any], *, stage: str, component: str
) -> Line:
    """The line of one check.

    Args:
        check: what was checked.
        margin: within which a failed value is a near miss, by default.
        ts: when, Unix ns.
        about: further fields.
        stage: filter or condition, or a word of the application's.
        component: scanner or strategy.
    """
    reason = None
    if not check.passed:
        reason = f"signal:{about['strategy']}:{check.name}" if "strategy" in about else f"filter:{check.name}"
    return Line(
        ts=ts,
        component=component,
        stage=stage,
        name=check.name,
        passed=check.passed,
        reason=reason,
        value=number(check.value),
        threshold=number(check.threshold),
        comparison=check.comparison,
        near_miss=check.verdict(margin) is semconv.FilterResult.NEAR_MISS,
        **about,
    )


def risk_line(ts: int, about: Mapping[str, Any], *, passed: bool, reason: str, **fields: Any) -> Line:
    """The line of a rule, or of a signal that was turned down."""
    return Line(
        ts=ts,
        component="risk",
        stage="risk",
        passed=passed,
        reason=None if passed else reason,
        **{**about, **{key: value for key, value in fields.items() if value is not None}},
    )


def order_line(ts: int, about: Mapping[str, Any], told: Mapping[str, Any], end: Mapping[str, Any]) -> Line:
    """The line of an order.

    Args:
        ts: when, Unix ns.
        about: further fields.
        told: the payload; what is None is left out.
        end: the span attributes that say how the order ended; none while it goes on.
    """
    status = end.get(semconv.ORDER_STATUS)
    rejected = status == semconv.OrderStatus.REJECTED
    payload = {**told, "status": status, "message": end.get(semconv.REJECT_MESSAGE)}
    return Line(
        ts=ts,
        component="execution",
        stage="order",
        passed=not rejected,
        reason=f"order:{end[semconv.ORDER_REJECT_REASON]}" if rejected else None,
        payload={key: value for key, value in payload.items() if value is not None},
        **about,
    )

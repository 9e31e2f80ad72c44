"""The bounds in ``traces.keep``: which are refused, and that the smallest that are not still work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context

from support.captured import Captured
from ticktrace import SettingsError, setup_telemetry

if TYPE_CHECKING:
    from ticktrace import Telemetry

MEMORY = {"traces": ["memory"], "metrics": ["memory"]}


def start(**settings: Any) -> Telemetry:
    return setup_telemetry("bot", engine="deferred", exporters=MEMORY, **settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_traces", 0),
        ("max_traces", -1),
        ("max_traces", 1.5),
        ("max_traces", "many"),
        ("max_traces", None),
        ("max_spans_per_trace", 0),
        ("max_spans_per_trace", float("inf")),
        ("max_age", 0),
        ("max_age", -1),
        ("max_age", float("inf")),
        ("share_per_minute", 0),
        ("share_per_minute", float("nan")),
        ("max_per_second", 0),
        ("max_per_second", -5),
        ("slower_than", {"candle": 0}),
        ("slower_than", {"candle": "soon"}),
        ("outcomes", ["fills"]),
        ("share_key", ""),
        ("attributes", {"user.vip": ""}),
    ],
)
def test_a_bound_that_cannot_be_is_refused_with_its_place(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"traces\.keep\.{name}"):
        start(**{f"traces.keep.{name}": value})


def record(traces: int) -> None:
    tracer = trace.get_tracer("bot")
    for _ in range(traces):
        with tracer.start_as_current_span("root"), tracer.start_as_current_span("part"):
            pass


@pytest.mark.parametrize("mode", ["live", "backtest"])
@pytest.mark.parametrize("keep", [{"max_traces": 1}, {"max_spans_per_trace": 1}, {"max_age": "1ns"}])
def test_with_the_smallest_bounds_every_span_arrives_or_is_counted(keep: dict[str, Any], mode: str) -> None:
    telemetry = start(mode=mode, traces={"keep": keep})
    record(200)
    captured = Captured(telemetry)
    arrived = len(telemetry.memory.spans)
    dropped = captured.value("ticktrace.dropped")
    assert arrived + dropped == 400
    assert captured.value("ticktrace.spans.kept") == arrived
    if mode == "backtest":
        assert dropped == 0


def test_a_budget_below_one_a_second_is_kept_to() -> None:
    telemetry = start(traces={"keep": {"max_per_second": 0.001}})
    record(50)
    captured = Captured(telemetry)
    assert len(telemetry.memory.spans) == 2
    assert captured.value("ticktrace.spans.discarded", ticktrace__discard__reason="budget") == 98


def test_traces_that_never_end_are_bounded_in_number() -> None:
    telemetry = start(traces={"keep": {"max_traces": 8}})
    tracer = trace.get_tracer("bot")
    open_roots = []
    for _ in range(100):
        root = tracer.start_span("root", Context())
        tracer.start_span("part", trace.set_span_in_context(root, Context())).end()
        open_roots.append(root)
    engine: Any = telemetry._pipeline.engine  # type: ignore[union-attr]
    assert len(engine._buffer.live) <= 8
    captured = Captured(telemetry)
    arrived = len(telemetry.memory.spans)
    assert arrived + captured.value("ticktrace.dropped") + len(engine._buffer.live) == 100

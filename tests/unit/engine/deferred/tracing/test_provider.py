from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from ticktrace.engine import internal_errors
from ticktrace.engine.deferred.tracer import children_follow, roots_are_sampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.deferred import Deferred


class Counting(Sampler):
    """Counts how often it is asked."""

    def __init__(self, decision: Decision = Decision.RECORD_AND_SAMPLE) -> None:
        self.asked = 0
        self.decision = decision

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked += 1
        return SamplingResult(self.decision)

    def get_description(self) -> str:
        return "Counting"


def test_a_sampler_is_asked_for_every_span(make: Callable[..., Deferred]) -> None:
    sampler = Counting()
    deferred = make(sampler=sampler)
    with deferred.tracer.start_as_current_span("a"), deferred.tracer.start_as_current_span("b"):
        pass
    assert sampler.asked == 2


def test_the_root_of_a_parent_based_sampler_is_asked_for_roots_only(make: Callable[..., Deferred]) -> None:
    sampler = Counting()
    deferred = make(sampler=ParentBased(sampler))
    with deferred.tracer.start_as_current_span("a"), deferred.tracer.start_as_current_span("b"):
        pass
    assert sampler.asked == 1
    assert deferred.names() == ["b", "a"]


@pytest.mark.parametrize(
    ("sampler", "follow", "roots"),
    [
        (ALWAYS_ON, True, True),
        (DEFAULT_ON, True, True),
        (ALWAYS_OFF, False, False),
        (ParentBasedTraceIdRatio(0.5), True, False),
        (ParentBased(ALWAYS_ON, local_parent_sampled=Counting()), False, True),
        (ParentBased(ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON), False, True),
        (Counting(), False, False),
    ],
)
def test_only_samplers_whose_answer_is_known_are_not_asked(
    sampler: Sampler, follow: bool, roots: bool
) -> None:
    assert (children_follow(sampler), roots_are_sampled(sampler)) == (follow, roots)


def test_what_the_sampler_drops_is_recorded_on_demand_but_not_flagged(make: Callable[..., Deferred]) -> None:
    deferred = make(sampler=ParentBased(ALWAYS_OFF), record_unsampled=True)
    start = deferred.tracer.start_as_current_span
    carrier: dict[str, str] = {}
    with start("a", attributes={"x": 1}) as a, start("b") as b:
        assert b.is_recording()
        inject(carrier)
    assert carrier["traceparent"].endswith("-02")
    assert not a.get_span_context().trace_flags.sampled
    (waiting,) = deferred.buffer.take()
    assert not waiting.head_sampled
    assert [dict(span.attributes) for span in waiting.take()] == [{}, {"x": 1}]


def test_children_of_a_root_that_is_recorded_but_not_sampled_are_dropped_as_by_the_sdk(
    make: Callable[..., Deferred],
) -> None:
    deferred = make(sampler=ParentBased(Counting(Decision.RECORD_ONLY)))
    start = deferred.tracer.start_as_current_span
    with start("root") as root, start("child") as child:
        assert (root.is_recording(), child.is_recording()) == (True, False)
        assert child.get_span_context().trace_id == root.get_span_context().trace_id
    assert deferred.names() == []


@pytest.mark.parametrize("sampled", [True, False])
def test_a_remote_parents_decision_is_the_head_decision(make: Callable[..., Deferred], sampled: bool) -> None:
    deferred = make(record_unsampled=True)
    remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(sampled))
    context = trace.set_span_in_context(NonRecordingSpan(remote), Context())
    deferred.tracer.start_span("a", context).end()
    (waiting,) = deferred.buffer.take()
    (span,) = waiting.take()
    assert (waiting.head_sampled, waiting.trace_id, span.parent) == (sampled, 7, remote)


def test_a_sampler_that_raises_costs_the_span_not_the_application(make: Callable[..., Deferred]) -> None:
    class Failing(Counting):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            raise RuntimeError("sampler")

    deferred = make(sampler=Failing())
    before = internal_errors()
    with deferred.tracer.start_as_current_span("a") as span:
        assert not span.is_recording()
    assert internal_errors() == before + 1


def test_a_span_of_another_provider_is_a_parent_like_a_remote_one(deferred: Deferred) -> None:
    other = TracerProvider(shutdown_on_exit=False).get_tracer("other")
    with other.start_as_current_span("above") as above, deferred.tracer.start_as_current_span("below"):
        pass
    (span,) = deferred.exported()
    assert span.parent == above.get_span_context()


def test_a_processor_that_looks_at_starts_gets_the_live_span(deferred: Deferred) -> None:
    class Baggage(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            seen.append((span.name, dict(span.attributes), parent_context is context))
            span.set_attribute("from", "processor")

    class Failing(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            raise RuntimeError("processor")

        def on_end(self, span: Any) -> None:
            raise RuntimeError("processor")

    seen: list[Any] = []
    context = Context()
    deferred.provider.add_span_processor(Failing())
    deferred.provider.add_span_processor(Baggage())
    deferred.tracer.start_span("a", context, attributes={"x": 1}).end()
    assert seen == [("a", {"x": 1}, True)]
    assert deferred.exported()[0].attributes == {"x": 1, "from": "processor"}


def test_processors_that_do_nothing_at_a_start_are_not_called(deferred: Deferred) -> None:
    assert deferred.provider.starters == ()  # the fixture has added a SimpleSpanProcessor


def test_tracers_are_told_apart_by_scope_and_kept(deferred: Deferred) -> None:
    get = deferred.provider.get_tracer
    assert get("a", "1") is get("a", "1")
    assert get("a", "1") is not get("a", "2")


def test_the_sdks_switch_disables_it(make: Callable[..., Deferred], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    deferred = make()
    with deferred.tracer.start_as_current_span("a") as span:
        assert not span.is_recording()


def test_ids_come_from_the_given_generator(make: Callable[..., Deferred]) -> None:
    class Fixed(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return 42

        def generate_span_id(self) -> int:
            return 43

        def is_trace_id_random(self) -> bool:
            return False

    deferred = make(id_generator=Fixed())
    ids = deferred.tracer.start_span("a").get_span_context()
    assert (ids.trace_id, ids.span_id, ids.trace_flags) == (42, 43, TraceFlags(1))


def test_shutdown_exports_what_waits(deferred: Deferred) -> None:
    deferred.tracer.start_span("a").end()
    deferred.provider.shutdown()
    assert [span.name for span in deferred.exporter.get_finished_spans()] == ["a"]

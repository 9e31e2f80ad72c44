"""Any program of spans leaves the same telemetry on the deferred engine as on the SDK."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.span_descriptions import described
from support.span_programs import Node, Program, nodes, samplers
from ticktrace.engine.deferred.provider import DeferredTracerProvider
from ticktrace.engine.deferred.trace_buffer import TraceBuffer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

RESOURCE = Resource({"service.name": "bot"})
COUNTS = st.sampled_from([SpanLimits.UNSET, 0, 1, 2, 3, 5, 128])
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_span_attributes": COUNTS,
        "max_events": COUNTS,
        "max_links": COUNTS,
        "max_event_attributes": COUNTS,
        "max_link_attributes": COUNTS,
        "max_attribute_length": st.sampled_from([SpanLimits.UNSET, 0, 1, 3]),
        "max_span_attribute_length": st.sampled_from([SpanLimits.UNSET, 0, 1, 3]),
    },
)


def outcome(provider: TracerProvider, program: list[Node]) -> list[Any]:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    run = Program(provider)
    token = attach(Context())
    try:
        for node in program:
            run.run(node)
    finally:
        detach(token)
    provider.force_flush()
    return described(run.spans, exporter.get_finished_spans())


def both(program: list[Node], sampler: Sampler, limits: dict[str, int]) -> tuple[list[Any], list[Any]]:
    sdk = TracerProvider(
        sampler=sampler, resource=RESOURCE, span_limits=SpanLimits(**limits), shutdown_on_exit=False
    )
    light = DeferredTracerProvider(
        sampler=sampler, resource=RESOURCE, span_limits=SpanLimits(**limits), buffer=TraceBuffer()
    )
    return outcome(sdk, program), outcome(light, program)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=st.lists(nodes, min_size=1, max_size=2), sampler=samplers, limits=LIMITS)
def test_a_program_of_spans_is_exported_as_by_the_sdk(
    program: list[Node], sampler: Sampler, limits: dict[str, int]
) -> None:
    logging.disable(logging.ERROR)  # both say much about what they drop
    try:
        expected, found = both(program, sampler, limits)
    finally:
        logging.disable(logging.NOTSET)
    assert found == expected

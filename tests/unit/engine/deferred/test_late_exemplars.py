"""Exemplars are offered when it is known which traces are kept."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from support.measured import Measured, delta_reader
from ticktrace.engine import internal_errors

A = {"venue": "a"}
TRACE, SPAN, AT = 0xABC, 0xDEF, 1_700_000_000_000_000_000
EXPONENTIAL = [View(instrument_name="m", aggregation=ExponentialBucketHistogramAggregation())]

KINDS = pytest.mark.parametrize(
    ("kind", "method", "views"),
    [
        ("histogram", "record", []),
        ("histogram", "record", EXPONENTIAL),
        ("counter", "add", []),
        ("up_down_counter", "add", []),
        ("gauge", "set", []),
    ],
    ids=["explicit", "exponential", "sum", "up-down", "last"],
)


def sampled(trace_id: int = TRACE, span_id: int = SPAN) -> Any:
    flags = TraceFlags(TraceFlags.SAMPLED)
    span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags))
    return set_span_in_context(span)


def told(exemplars: Any) -> list[Any]:
    return [(e.value, e.trace_id, e.span_id, dict(e.filtered_attributes)) for e in exemplars]


@KINDS
def test_an_exemplar_is_what_the_sdk_makes_of_a_value_in_a_sampled_span(
    kind: str, method: str, views: list[View]
) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader], views=views, shutdown_on_exit=False).get_meter("tests")
    getattr(getattr(meter, f"create_{kind}")("m"), method)(7, A, sampled())
    data: Any = reader.get_metrics_data()
    theirs = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].exemplars

    measured = Measured(views=views)
    handle = getattr(measured.meter, f"create_{kind}")("m").bind(A)
    getattr(handle, method)(7)
    handle.offer_exemplar(7, TRACE, SPAN, AT)
    ours = measured.point("m").exemplars
    assert told(ours) == told(theirs)
    assert told(ours) == [(7, TRACE, SPAN, {})]
    assert ours[0].time_unix_nano == AT
    assert measured.points("m")[0].exemplars == []  # each is exported once


@KINDS
def test_the_filter_decides(kind: str, method: str, views: list[View]) -> None:
    for chosen, wanted in (
        (AlwaysOffExemplarFilter(), 0),
        (TraceBasedExemplarFilter(), 1),
        (AlwaysOnExemplarFilter(), 1),
    ):
        measured = Measured(views=views, exemplar_filter=chosen)
        handle = getattr(measured.meter, f"create_{kind}")("m").bind(A)
        getattr(handle, method)(7)
        handle.offer_exemplar(7, TRACE, SPAN, AT)
        assert len(measured.point("m").exemplars) == wanted


def test_no_exemplar_is_taken_from_the_context_of_a_measurement() -> None:
    """Whether its trace is kept is not known yet."""
    measured = Measured(exemplar_filter=AlwaysOnExemplarFilter())
    measured.meter.create_histogram("m").record(7, A, sampled())
    assert measured.point("m").exemplars == []


def test_the_newest_of_each_bucket_is_kept() -> None:
    measured = Measured()
    handle = measured.meter.create_histogram("m", explicit_bucket_boundaries_advisory=[1, 10]).bind(A)
    for number, value in enumerate((0.5, 5, 0.75, 50, 6), 1):
        handle.record(value)
        handle.offer_exemplar(value, number, number, AT)
    assert [(e.value, e.trace_id) for e in measured.point("m").exemplars] == [(0.75, 3), (6, 5), (50, 4)]


def test_no_more_than_a_few_are_kept_elsewhere() -> None:
    measured = Measured(views=EXPONENTIAL)
    handle = measured.meter.create_histogram("m").bind(A)
    for number in range(1, 100):
        handle.record(number)
        handle.offer_exemplar(number, number, number, AT)
    assert len(measured.point("m").exemplars) == 20


def test_attributes_that_a_view_filters_stand_on_the_exemplar() -> None:
    measured = Measured(views=[View(instrument_name="m", attribute_keys={"venue"})])
    handle = measured.meter.create_histogram("m").bind({"venue": "a", "order": "17"})
    handle.record(1)
    handle.offer_exemplar(1, TRACE, SPAN, AT)
    point = measured.point("m")
    assert dict(point.attributes) == {"venue": "a"}
    assert told(point.exemplars) == [(1, TRACE, SPAN, {"order": "17"})]


def test_every_reader_gets_it() -> None:
    measured = Measured([InMemoryMetricReader(), delta_reader()])
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record(1)
    handle.offer_exemplar(1, TRACE, SPAN, AT)
    for reader in (0, 1):
        assert told(measured.point("m", reader).exemplars) == [(1, TRACE, SPAN, {})]


def test_one_that_comes_after_a_delta_was_collected_waits_for_the_next_point() -> None:
    measured = Measured([delta_reader()])
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record(1)
    assert measured.point("m").exemplars == []
    handle.offer_exemplar(1, TRACE, SPAN, AT)
    assert measured.points("m") == []
    handle.record(2)
    assert told(measured.point("m").exemplars) == [(1, TRACE, SPAN, {})]


def test_a_handle_beyond_the_limit_offers_to_the_overflow_series() -> None:
    measured = Measured(series_limit=1)
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record(1)
    handle.offer_exemplar(1, TRACE, SPAN, AT)
    point = measured.point("m")
    assert dict(point.attributes) == {"otel.metric.overflow": True}
    assert told(point.exemplars) == [(1, TRACE, SPAN, A)]


@pytest.mark.parametrize(
    "views", [[], [View(instrument_name="m", aggregation=DropAggregation())]], ids=["exported", "dropped"]
)
@pytest.mark.parametrize("offered", [("x", None, "y", object()), (None, 0, 0, 0), (1, -1, 2**300, -1)])
def test_nothing_that_is_offered_raises(views: list[View], offered: tuple[Any, ...]) -> None:
    measured = Measured(views=views)
    handle = measured.meter.create_histogram("m").bind(A)
    handle.offer_exemplar(*offered)
    handle.record(1)
    handle.offer_exemplar(*offered)
    measured.metrics()


def test_a_filter_that_raises_is_survived() -> None:
    class Broken(AlwaysOnExemplarFilter):
        def should_sample(self, *args: Any, **kwargs: Any) -> bool:
            raise RuntimeError("somebody's filter")

    measured = Measured(exemplar_filter=Broken())
    handle = measured.meter.create_histogram("m").bind(A)
    errors = internal_errors()
    handle.record(1)
    handle.offer_exemplar(1, TRACE, SPAN, AT)
    assert internal_errors() == errors + 1
    assert measured.point("m").count == 1

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from ticktrace.propagation import attached, extract, inject

_SPAN = SpanContext(
    0x0AF7651916CD43DD8448EB211C80319C,
    0xB7AD6B7169203331,
    is_remote=False,
    trace_flags=TraceFlags(1),
    trace_state=TraceState([("ot", "th:8"), ("vendor", "x")]),
)
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_CONTEXT = baggage.set_baggage("venue", "binance", set_span_in_context(NonRecordingSpan(_SPAN), Context()))


def test_a_mapping_gets_the_w3c_headers() -> None:
    headers: dict[str, Any] = {"Traceparent": "stale", "accept": "*/*"}
    inject(headers, _CONTEXT)
    assert headers == {
        "accept": "*/*",
        "traceparent": _TRACEPARENT,
        "tracestate": "ot=th:8,vendor=x",
        "baggage": "venue=binance",
    }


@pytest.mark.parametrize(
    ("headers", "style", "first"),
    [
        ([], "asgi", (b"traceparent", _TRACEPARENT.encode())),
        ([], "text", ("traceparent", _TRACEPARENT)),
        ([], None, ("traceparent", _TRACEPARENT.encode())),
        ([(b"TraceParent", b"stale")], None, (b"traceparent", _TRACEPARENT.encode())),
        ([("traceparent", b"stale")], None, ("traceparent", _TRACEPARENT.encode())),
        ([("traceparent", "stale")], None, ("traceparent", _TRACEPARENT)),
    ],
)
def test_a_list_gets_pairs_in_its_own_style(
    headers: list[tuple[Any, Any]], style: Any, first: tuple[Any, Any]
) -> None:
    inject(headers, _CONTEXT, style=style)
    assert headers[0] == first
    assert len(headers) == 3
    assert get_current_span(extract(headers)).get_span_context().span_id == _SPAN.span_id


@pytest.mark.parametrize(
    "headers",
    [
        {"TRACEPARENT": _TRACEPARENT, "Tracestate": "ot=th:8,vendor=x", "baggage": "venue=binance"},
        {
            b"traceparent": _TRACEPARENT.encode(),
            b"tracestate": [b"ot=th:8", b"vendor=x"],
            "baggage": "venue=binance",
        },
        [
            (b"host", b"\xff"),
            (b"traceparent", _TRACEPARENT.encode()),
            (b"tracestate", b"ot=th:8"),
            (b"tracestate", b"vendor=x"),
            (b"baggage", b"venue=binance"),
        ],
        (
            ("traceparent", memoryview(_TRACEPARENT.encode())),
            ("tracestate", "ot=th:8,vendor=x"),
            ("baggage", "venue=binance"),
        ),
    ],
    ids=["text mapping", "bytes mapping", "asgi", "kafka"],
)
def test_headers_are_understood_in_every_spelling(headers: Any) -> None:
    context = extract(headers)
    found = get_current_span(context).get_span_context()
    assert (found.trace_id, found.span_id, found.is_remote) == (_SPAN.trace_id, _SPAN.span_id, True)
    assert dict(found.trace_state) == {"ot": "th:8", "vendor": "x"}
    assert baggage.get_baggage("venue", context) == "binance"


@pytest.mark.parametrize(
    "headers",
    [None, {}, [], {"traceparent": None}, {"traceparent": "nonsense"}, [(1, 2)], [("a", "b", "c")], 5],
)
def test_absent_and_malformed_headers_bring_nothing(headers: Any) -> None:
    assert not get_current_span(extract(headers)).get_span_context().is_valid
    assert extract(headers, _CONTEXT) == _CONTEXT


def test_what_the_caller_has_does_not_leak_into_what_is_extracted(tracer: Tracer) -> None:
    with tracer.start_as_current_span("mine"):
        assert not get_current_span(extract({})).get_span_context().is_valid


def test_a_remote_span_becomes_the_parent(tracer: Tracer) -> None:
    with attached(extract({"traceparent": _TRACEPARENT})):
        span = tracer.start_span("child")
    assert span.get_span_context().trace_id == _SPAN.trace_id
    span.end()


def test_a_propagator_that_raises_reaches_nobody() -> None:
    class Broken(TextMapPropagator):
        def inject(self, *_args: Any, **_kwargs: Any) -> None:
            raise ValueError

        def extract(self, *_args: Any, **_kwargs: Any) -> Context:
            raise ValueError

        @property
        def fields(self) -> set[str]:
            return set()

    headers: dict[str, str] = {}
    inject(headers, propagator=Broken())
    assert headers == {}
    assert extract(headers, _CONTEXT, propagator=Broken()) == _CONTEXT


def test_an_unwritable_carrier_reaches_nobody() -> None:
    inject((), _CONTEXT)  # type: ignore[arg-type]  # the point of the test

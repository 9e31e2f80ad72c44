"""A forked worker exports its own telemetry, all of it and nothing else, under an identity of its own."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from support.otlp_server import attributes, otlp_server
from support.programs import run_program

if TYPE_CHECKING:
    from support.otlp_server import Kind

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def note_counts(message: Any, by_instance: dict[str, dict[str, int]]) -> None:
    """Note the counters by symbol; a later export of the same instance outranks an earlier one."""
    for resource in message.resource_metrics:
        instance = attributes(resource.resource.attributes)["service.instance.id"]
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name in ("trading.candles.processed", "trading.stream.messages"):
                    for point in metric.sum.data_points:
                        symbol = attributes(point.attributes)["trading.symbol"]
                        by_instance.setdefault(instance, {})[symbol] = point.as_int


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_each_process_exports_its_own(kind: Kind) -> None:
    with otlp_server(kind) as server:
        run_program(
            "forking.py",
            2,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL={"grpc": "grpc", "http": "http/protobuf"}[kind],
            PYTHONWARNINGS="default",  # CPython 3.12 warns of forking with threads, which is what is tested here
        )
        spans = Counter(attributes(span.attributes)["trading.symbol"] for span in server.spans())
        assert spans == {"PARENT": 7, "CHILD0": 3, "CHILD1": 4}
        by_instance: dict[str, dict[str, int]] = {}
        for request in server.requests:
            if request.signal == "metrics":
                note_counts(request.message, by_instance)
        counted = sorted(by_instance.values(), key=lambda found: found["SHARED"])
        assert counted == [
            {"CHILD0": 3, "SHARED": 3},
            {"CHILD1": 4, "SHARED": 4},
            {"PARENT": 7, "SHARED": 7},
        ]


def test_workers_of_multiprocessing_lose_nothing() -> None:
    with otlp_server("http") as server:
        run_program(
            "multiprocessing_fork.py",
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            PYTHONWARNINGS="default",
        )
        symbols = Counter(attributes(span.attributes)["trading.symbol"] for span in server.spans())
    assert symbols == {"CHILD0": 1, "CHILD1": 1}

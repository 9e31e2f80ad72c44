"""A forked worker exports its own telemetry, all of it and nothing else, under an identity of its own."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from support.otlp_server import attributes, hung_server, otlp_server
from support.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path

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
def test_each_process_exports_its_own(kind: Kind, engine: str) -> None:
    with otlp_server(kind) as server:
        run_program(
            "forking.py",
            2,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL={"grpc": "grpc", "http": "http/protobuf"}[kind],
            TICKTRACE_ENGINE=engine,
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


def test_the_parents_threads_do_not_add_up_from_generation_to_generation(tmp_path: Path) -> None:
    done = run_program(
        "fork_threads.py",
        2,  # one for spans and one for log records
        OTEL_TRACES_EXPORTER="otlp_json_file",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="otlp_json_file",
        TICKTRACE_JSON_FILE_DIRECTORY=str(tmp_path),
        PYTHONWARNINGS="default",
    )
    assert done.stdout.splitlines() == ["1 2", "2 2", "3 2"]


def test_telemetry_that_was_ending_at_the_fork_has_ended_for_the_child() -> None:
    with hung_server("http") as endpoint:
        run_program(
            "fork_while_ending.py",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            PYTHONWARNINGS="default",
        )


def test_locks_held_and_wrong_instruments_made_in_the_parent_do_not_reach_the_child(tmp_path: Path) -> None:
    run_program(
        "fork_with_locks_held.py", TICKTRACE_JSON_FILE_DIRECTORY=str(tmp_path), PYTHONWARNINGS="default"
    )

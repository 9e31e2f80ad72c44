"""`opentelemetry-instrument uvicorn …` with applications that know nothing of ticktrace."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from integration.uvicorn_process import Uvicorn, running
from support.otlp_server import OtlpServer, attributes, otlp_server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INSTRUMENT = (os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument"),)  # noqa: PTH118, PTH120  a command line

PLAIN_APP = """
from fastapi import FastAPI
from opentelemetry import trace

app = FastAPI()

@app.get("/orders/{order_id}")
async def order(order_id: int):
    with trace.get_tracer("bot").start_as_current_span("work"):
        return order_id

@app.get("/instrumented")
async def instrumented():
    from opentelemetry.instrumentation.logging import LoggingInstrumentor
    from opentelemetry.instrumentation.threading import ThreadingInstrumentor
    return [LoggingInstrumentor().is_instrumented_by_opentelemetry,
            ThreadingInstrumentor().is_instrumented_by_opentelemetry]
"""

EXPLICIT_APP = (
    PLAIN_APP
    + """
from ticktrace import setup_telemetry
setup_telemetry().instrument_fastapi(app)
"""
)


def environment(endpoint: str, **more: str) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": "plain-bot",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "TICKTRACE_PROMETHEUS_SERVE": "never",
        **more,
    }


def observed(
    tmp_path: Path, source: str, before: Sequence[str], **more: str
) -> tuple[OtlpServer, str, Uvicorn]:
    """Serve one request and one scrape, then SIGTERM."""
    with (
        otlp_server("http") as collector,
        running(tmp_path, source, env=environment(collector.endpoint, **more), before=before) as server,
    ):
        assert server.get("/orders/1")[0] == 200
        _, page, _ = server.get("/metrics", accept="text/plain")
        server.terminate()
    return collector, page, server


def described(collector: OtlpServer) -> list[tuple[str, int, dict[str, Any]]]:
    """Name, kind and attributes of all spans, without what differs from run to run."""
    return sorted(
        (
            span.name,
            span.kind,
            {
                key: value
                for key, value in attributes(span.attributes).items()
                if key not in {"server.port", "thread.id"}
            },
        )
        for span in collector.spans()
    )


def http_families(page: str) -> set[str]:
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE http_")}


def test_the_pipeline_is_the_one_of_setup_telemetry(tmp_path: Path) -> None:
    """Spans, their resource and HTTP metrics equal those of an application that sets everything up itself."""
    by_command, page_by_command, _ = observed(tmp_path, PLAIN_APP, INSTRUMENT)
    by_call, page_by_call, _ = observed(tmp_path, EXPLICIT_APP, ())
    assert [name for name, _, _ in described(by_command)] == ["GET /orders/{order_id}", "work"]
    assert described(by_command) == described(by_call)
    assert http_families(page_by_command) == http_families(page_by_call)
    assert "http_server_request_duration_seconds" in http_families(page_by_command)
    changing = {
        "service.instance.id",
        "process.pid",
        "process.command_args",
        "process.command",
        "process.command_line",
    }
    resources = [
        {key: value for key, value in collector.resources()[0].items() if key not in changing}
        for collector in (by_command, by_call)
    ]
    assert resources[0] == resources[1]
    assert resources[0]["service.name"] == "plain-bot"


def test_an_application_that_sets_up_by_itself_gets_the_same_handle(tmp_path: Path) -> None:
    collector, page, server = observed(tmp_path, EXPLICIT_APP, INSTRUMENT)
    assert [name for name, _, _ in described(collector)] == ["GET /orders/{order_id}", "work"]
    counts = [
        line for line in page.splitlines() if line.startswith("http_server_request_duration_seconds_count")
    ]
    assert [line.rpartition(" ")[2] for line in counts] == ["1.0"]
    assert "Error" not in server.output


def test_other_instrumentations_load_as_they_are(tmp_path: Path) -> None:
    with (
        otlp_server("http") as collector,
        running(tmp_path, PLAIN_APP, env=environment(collector.endpoint), before=INSTRUMENT) as server,
    ):
        assert server.get("/instrumented")[1] == "[true,true]"


def test_fastapi_can_be_left_out_like_any_other(tmp_path: Path) -> None:
    """`/metrics` and our spans are gone; FastAPI's own telemetry (0.142 and newer) is then not our business."""
    with (
        otlp_server("http") as collector,
        running(
            tmp_path,
            PLAIN_APP,
            env=environment(collector.endpoint, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="fastapi"),
            before=INSTRUMENT,
        ) as server,
    ):
        assert server.get("/metrics")[0] == 404


def test_wrong_settings_are_said_loudly_and_the_program_runs(tmp_path: Path) -> None:
    wrong = {"OTEL_TRACES_EXPORTER": "otpl", "OTEL_EXPORTER_PROMETHEUS_PORT": "high"}
    with running(
        tmp_path, PLAIN_APP, env=environment("http://127.0.0.1:9", **wrong), before=INSTRUMENT
    ) as server:
        assert server.get("/orders/1")[0] == 200
        server.terminate()
    assert "ticktrace: 2 settings are wrong" in server.output
    assert "otpl" in server.output
    assert "WITHOUT telemetry" in server.output


def test_wrong_settings_are_fatal_where_that_was_asked_for(tmp_path: Path) -> None:
    wrong = {"OTEL_TRACES_EXPORTER": "otpl", "OTEL_PYTHON_TICKTRACE_STRICT": "true"}
    with running(
        tmp_path, PLAIN_APP, env=environment("http://127.0.0.1:9", **wrong), before=INSTRUMENT, serves=False
    ) as server:
        assert server.process.returncode == 1
    assert "1 setting is wrong" in server.output
    assert "does not start" in server.output
    assert "Uvicorn running" not in server.output


@pytest.mark.parametrize("disabled", ["OTEL_SDK_DISABLED=true", "TICKTRACE_ENABLED=false"])
def test_disabled_telemetry_leaves_the_application_as_it_is(tmp_path: Path, disabled: str) -> None:
    name, _, value = disabled.partition("=")
    with (
        otlp_server("http") as collector,
        running(
            tmp_path, PLAIN_APP, env=environment(collector.endpoint, **{name: value}), before=INSTRUMENT
        ) as server,
    ):
        assert server.get("/orders/1")[0] == 200
        assert server.get("/metrics")[0] == 404
        server.terminate()
    assert collector.requests == []

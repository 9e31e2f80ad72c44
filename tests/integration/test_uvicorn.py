"""A real uvicorn: what had ended when SIGTERM came has arrived when the process is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integration.uvicorn_process import running
from support.otlp_server import attributes, hung_server, otlp_server

if TYPE_CHECKING:
    from pathlib import Path

COMMON = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from ticktrace import setup_telemetry

telemetry = setup_telemetry("served")
tracer = telemetry.tracer_provider.get_tracer("bot")
"""

OWN_LIFESPAN = """
@asynccontextmanager
async def lifespan(app):
    with tracer.start_as_current_span("start"):
        pass
    yield
    with tracer.start_as_current_span("stop"):
        pass

app = FastAPI(lifespan=lifespan)
"""

EVENT_HANDLERS = """
import warnings
warnings.simplefilter("ignore")
app = FastAPI()

@app.on_event("startup")
def start():
    with tracer.start_as_current_span("start"):
        pass

@app.on_event("shutdown")
async def stop():
    with tracer.start_as_current_span("stop"):
        pass
"""

NO_LIFESPAN = "app = FastAPI()\n"

ROUTES = """
telemetry.instrument_fastapi(app)

@app.get("/orders/{order_id}")
async def order(order_id: int):
    with tracer.start_as_current_span("work"):
        return order_id

@app.get("/stream")
async def stream():
    async def chunks():
        for _ in range(20):
            yield b"x" * 10
            await asyncio.sleep(0)
    return StreamingResponse(chunks())

@app.get("/later")
async def later(tasks: BackgroundTasks):
    async def work():
        await asyncio.sleep(0.5)
        with tracer.start_as_current_span("background"):
            pass
    tasks.add_task(work)
    return "ok"
"""


def environment(endpoint: str, **more: str) -> dict[str, str]:
    """Export traces over HTTP; only the end of the process flushes (the delay is longer than any test)."""
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "TICKTRACE_PROMETHEUS_SERVE": "never",
        **more,
    }


@pytest.mark.parametrize(
    ("lifespan", "around"),
    [(OWN_LIFESPAN, {"start", "stop"}), (EVENT_HANDLERS, {"start", "stop"}), (NO_LIFESPAN, set())],
    ids=["own lifespan", "event handlers", "no lifespan"],
)
def test_sigterm_loses_no_span_that_had_ended(tmp_path: Path, lifespan: str, around: set[str]) -> None:
    with (
        otlp_server("http") as collector,
        running(tmp_path, COMMON + lifespan + ROUTES, env=environment(collector.endpoint)) as server,
    ):
        for number in range(25):
            assert server.get(f"/orders/{number}")[0] == 200
        assert collector.spans() == []
        server.terminate()
        spans = collector.spans()
    names = [span.name for span in spans]
    assert names.count("GET /orders/{order_id}") == 25
    assert names.count("work") == 25
    assert set(names) == {"GET /orders/{order_id}", "work"} | around
    requests = {span.span_id for span in spans if span.name.startswith("GET")}
    assert {span.parent_span_id for span in spans if span.name == "work"} == requests


def test_sigterm_waits_for_background_tasks_and_their_spans(tmp_path: Path) -> None:
    """The request is over long before: its latency is not the background task's."""
    with (
        otlp_server("http") as collector,
        running(tmp_path, COMMON + NO_LIFESPAN + ROUTES, env=environment(collector.endpoint)) as server,
    ):
        assert server.get("/later")[0] == 200
        _, page, _ = server.get("/metrics")
        server.terminate()
        names = [span.name for span in collector.spans()]
    assert sorted(names) == ["GET /later", "background"]
    sums = [line for line in page.splitlines() if line.startswith("http_server_request_duration_seconds_sum")]
    assert len(sums) == 1
    assert float(sums[0].rpartition(" ")[2]) < 0.4


def test_a_stream_is_one_span(tmp_path: Path) -> None:
    with (
        otlp_server("http") as collector,
        running(tmp_path, COMMON + NO_LIFESPAN + ROUTES, env=environment(collector.endpoint)) as server,
    ):
        assert server.get("/stream")[1] == "x" * 200
        server.terminate()
        (span,) = collector.spans()
    assert span.name == "GET /stream"
    assert attributes(span.attributes)["http.response.status_code"] == 200


def test_spans_arrive_although_the_start_fails(tmp_path: Path) -> None:
    failing = OWN_LIFESPAN.replace("    yield\n", "    raise RuntimeError('no exchange')\n    yield\n")
    with (
        otlp_server("http") as collector,
        running(
            tmp_path, COMMON + failing + ROUTES, env=environment(collector.endpoint), serves=False
        ) as server,
    ):
        assert server.process.returncode != 0
        assert "no exchange" in server.output
        assert [span.name for span in collector.spans()] == ["start"]


def test_a_hung_collector_holds_the_end_up_for_the_deadline_at_most(tmp_path: Path) -> None:
    with (
        hung_server("http") as endpoint,
        running(
            tmp_path,
            COMMON + OWN_LIFESPAN + ROUTES,
            env=environment(endpoint, TICKTRACE_SHUTDOWN_TIMEOUT="1.5"),
        ) as server,
    ):
        assert server.get("/orders/1")[0] == 200
        took = server.terminate()
    assert took < 8
    assert "telemetry was lost" in server.output


def test_metrics_are_served_in_both_formats_and_nothing_is_said_of_scrapes(tmp_path: Path) -> None:
    with (
        otlp_server("http") as collector,
        running(tmp_path, COMMON + NO_LIFESPAN + ROUTES, env=environment(collector.endpoint)) as server,
    ):
        server.get("/orders/1")
        server.get("/wp-login.php")
        _, plain, plain_type = server.get("/metrics", accept="text/plain")
        _, modern, modern_type = server.get("/metrics", accept="application/openmetrics-text;version=1.0.0")
        server.terminate()
        names = sorted(span.name for span in collector.spans())
    assert plain_type.startswith("text/plain")
    assert modern_type.startswith("application/openmetrics-text")
    assert modern.endswith("# EOF\n")
    assert names == ["GET /orders/{order_id}", "GET unmatched", "work"]
    counts = [
        line for line in plain.splitlines() if line.startswith("http_server_request_duration_seconds_count")
    ]
    assert len(counts) == 2
    assert 'http_route="/orders/{order_id}"' in counts[0] + counts[1]
    assert "wp-login" not in plain
    assert "/metrics" not in plain


def test_requests_do_not_join_the_trace_that_the_server_was_started_in(tmp_path: Path) -> None:
    """Uvicorn hands the context of its start to every request of every connection."""
    source = (
        COMMON
        + NO_LIFESPAN
        + ROUTES
        + """
import uvicorn

async def main():
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0))
    with tracer.start_as_current_span("boot"):
        task = asyncio.create_task(server.serve())
    await task

if __name__ == "__main__":
    asyncio.run(main())
"""
    )
    with (
        otlp_server("http") as collector,
        running(tmp_path, source, env=environment(collector.endpoint), program=True) as server,
    ):
        server.get("/orders/1")
        server.terminate()
        spans = {span.name: span for span in collector.spans()}
    assert spans["GET /orders/{order_id}"].parent_span_id == b""
    assert spans["GET /orders/{order_id}"].trace_id != spans["boot"].trace_id

"""One program, unchanged; five exporter set-ups, chosen by environment variables alone."""

from __future__ import annotations

import json
import socket
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from support.otlp_server import otlp_server
from support.programs import run_program, start_program

if TYPE_CHECKING:
    from pathlib import Path

    from support.otlp_server import Kind

NAMES = ["candle 1m", "fill", "order buy", "signal momentum"]


def metric_names(server_metrics: object) -> set[str]:
    return {metric.name for metric in server_metrics}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_otlp(kind: Kind, engine: str) -> None:
    protocol = {"grpc": "grpc", "http": "http/protobuf"}[kind]
    with otlp_server(kind) as server:
        run_program(
            "candles.py",
            7,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            TICKTRACE_ENGINE=engine,
        )
        assert sorted(span.name for span in server.spans()) == sorted(NAMES * 7)
        processed = [metric for metric in server.metrics() if metric.name == "trading.candles.processed"]
        assert processed[-1].sum.data_points[0].as_int == 7
        slippage = [metric for metric in server.metrics() if metric.name == "trading.slippage.bps"]
        assert slippage[-1].histogram.data_points[0].count == 7


def test_console() -> None:
    done = run_program("candles.py", 2, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console")
    assert done.stdout.count('"name": "candle 1m"') == 2
    assert '"trading.candles.processed"' in done.stdout


def test_otlp_json_file(tmp_path: Path) -> None:
    run_program(
        "candles.py", 3, OTEL_TRACES_EXPORTER="otlp_json_file", OTEL_METRICS_EXPORTER="otlp_json_file"
    )
    files = sorted((tmp_path / "telemetry").rglob("*.json*"))
    assert files
    text = "".join(path.read_text() for path in files)
    lines = [json.loads(line) for line in text.splitlines()]
    spans = [
        span["name"]
        for line in lines
        for resource in line.get("resourceSpans", ())
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert sorted(spans) == sorted(NAMES * 3)
    assert '"trading.candles.processed"' in text


def test_prometheus_on_a_port_of_its_own() -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with start_program(
        "serving.py",
        4,
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=str(port),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "candles 4\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                body = response.read().decode()
        finally:
            process.terminate()
            process.communicate(timeout=20)
    line = next(line for line in body.splitlines() if line.startswith("trading_candles_processed_total{"))
    assert line.endswith(" 4.0")


def test_several_at_once_and_none() -> None:
    with otlp_server("http") as server:
        done = run_program(
            "candles.py",
            2,
            OTEL_TRACES_EXPORTER="otlp,console",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
        assert sorted(span.name for span in server.spans()) == sorted(NAMES * 2)
        assert server.metrics() == []
    assert done.stdout.count('"name": "candle 1m"') == 2


def test_an_endpoint_on_port_4318_is_spoken_to_in_http_without_being_told() -> None:
    try:
        with otlp_server("http", port=4318) as server:
            run_program(
                "candles.py",
                1,
                OTEL_TRACES_EXPORTER="otlp",
                OTEL_METRICS_EXPORTER="none",
                OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            )
            assert len(server.spans()) == 4
    except OSError:
        pytest.skip("port 4318 is taken on this machine")

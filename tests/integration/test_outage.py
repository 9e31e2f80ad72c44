"""A collector that refuses, and one that takes the call and never answers.

How long candles take beside a healthy collector is measured by bench/outage.py; here nothing depends on speed.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from support.otlp_server import hung_server, refused_endpoint
from support.programs import run_program

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from support.otlp_server import Kind


def broken(kind: Kind, how: str) -> AbstractContextManager[str]:
    return hung_server(kind) if how == "hung" else refused_endpoint()


@pytest.mark.parametrize("kind", ["grpc", "http"])
@pytest.mark.parametrize("how", ["hung", "refused"])
def test_an_outage_is_survived_bounded_and_told_once(kind: Kind, how: str) -> None:
    with broken(kind, how) as endpoint:
        began = time.monotonic()
        done = run_program(
            "outage.py",
            3_000,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL={"grpc": "grpc", "http": "http/protobuf"}[kind],
            OTEL_METRIC_EXPORT_INTERVAL="500",
            OTEL_BSP_SCHEDULE_DELAY="500",
        )
        whole = time.monotonic() - began
    said = json.loads(done.stdout)
    assert said["good"] is False
    assert said["shutdown"] < 5.5  # the default deadline is 5 s
    assert whole < 25  # nothing holds the interpreter's exit up afterwards
    assert said["grown_kib"] < 30_000
    loss = [line for line in done.stderr.splitlines() if "telemetry was lost" in line]
    assert len(loss) == 1
    assert "10000 spans did not reach otlp" in loss[0]

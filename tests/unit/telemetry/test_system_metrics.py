"""OpenTelemetry's own instrumentation of process and host, through the handle's providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry


def test_process_and_host_are_measured_where_the_application_asks_for_it(telemetry: Telemetry) -> None:
    captured = Captured(telemetry)
    instrumentor = SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=telemetry.meter_provider)
    try:
        assert captured.value("process.memory.usage") > 1_000_000
        assert captured.value("process.thread.count") >= 1
        assert captured.points("process.open_file_descriptor.count")
        assert captured.value("system.memory.usage", state="used") > 1_000_000
        assert captured.points("system.cpu.utilization")
        assert captured.points("cpython.gc.collections")
    finally:
        instrumentor.uninstrument()

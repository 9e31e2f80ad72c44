"""OpenTelemetry's own instrumentation of process and host, through the handle's providers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

from support.captured import Captured
from ticktrace.errors import MissingExtraError
from ticktrace.runtime import HostLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry

ON = {"system_metrics": True}
# What an application has instrumented on the globals goes on with each later set-up.
ALONE: dict[str, Any] = {"set_global": False}


def test_process_and_host_are_measured_where_the_application_asks_for_it(telemetry: Telemetry) -> None:
    captured = Captured(telemetry)
    instrumentor = SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=telemetry.meter_provider)
    try:
        check(captured)
    finally:
        instrumentor.uninstrument()


def check(captured: Captured) -> None:
    assert captured.value("process.memory.usage") > 1_000_000
    assert captured.value("process.thread.count") >= 1
    assert captured.points("process.open_file_descriptor.count")
    assert captured.value("system.memory.usage", state="used") > 1_000_000
    assert captured.points("system.cpu.utilization")
    assert captured.points("system.network.connections")
    assert captured.points("cpython.gc.collections")


def names(telemetry: Telemetry) -> set[str]:
    data = telemetry.memory.metrics
    return {
        metric.name
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_process_and_host_are_measured_where_the_settings_ask_for_it(
    start: Callable[..., Telemetry],
) -> None:
    telemetry = start(**ALONE, process=ON)
    check(Captured(telemetry))
    assert not [name for name in names(telemetry) if name.startswith("process.runtime.")]


def test_they_are_not_where_nobody_asks(start: Callable[..., Telemetry]) -> None:
    assert not [
        name for name in names(start(**ALONE)) if name.startswith(("process.", "system.", "cpython."))
    ]


def test_they_end_with_the_telemetry_and_begin_with_the_next(start: Callable[..., Telemetry]) -> None:
    start(**ALONE, process=ON).shutdown()
    without = start(**ALONE)
    assert "process.memory.usage" not in names(without)
    without.shutdown()
    check(Captured(start(**ALONE, process=ON)))


def test_one_of_several_processes_tells_of_the_host(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    other = HostLock(path)  # stands for another process: locks belong to open files
    assert other.mine()
    telemetry = start(**ALONE, process={**ON, "host_lock": str(path)})
    telemetry.watch_process(garbage=False, disks=("/",))
    found = names(telemetry)
    assert "process.memory.usage" in found
    assert not [name for name in found if name.startswith("system.")]
    other.release()
    found = names(telemetry)
    assert {"system.memory.usage", "system.uptime", "system.filesystem.usage"} <= found
    assert not other.mine()
    telemetry.shutdown()
    assert other.mine()
    other.release()


def test_each_process_tells_of_the_host_where_the_settings_want_that(
    start: Callable[..., Telemetry], tmp_path: Path
) -> None:
    path = tmp_path / "host.lock"
    other = HostLock(path)
    assert other.mine()
    assert "system.memory.usage" in names(
        start(**ALONE, process={**ON, "host_lock": str(path), "host_once": False})
    )
    other.release()


def test_a_package_that_is_missing_is_named_at_the_start(
    start: Callable[..., Telemetry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.system_metrics", None)
    with pytest.raises(MissingExtraError, match=r"ticktrace\[system\]"):
        start(**ALONE, process=ON)
    monkeypatch.undo()
    start(**ALONE)  # nothing of it was left behind

"""The resource monitor: what it sees, what it says, and that it never outlives the telemetry."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support.programs import run_program
from support.waiting import until
from ticktrace import setup_telemetry
from ticktrace.errors import SettingsError
from ticktrace.runtime import Figures, MemorySnapshots, ResourceMonitor
from ticktrace.settings import ResourcesSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry

NO_LIMITS = dict.fromkeys(("cpu_percent", "memory_percent", "disk_percent", "threads", "open_files"), None)
FAST = {"interval": 0.1, "limits": NO_LIMITS}


def threads() -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name in ("ticktrace-resources", "ticktrace-actions", "ticktrace-memory")
    ]


@pytest.fixture
def fed() -> Callable[..., ResourceMonitor]:
    """A monitor that is not started and is told what it would have observed."""

    def make(**settings: Any) -> ResourceMonitor:
        loaded = load_settings({"resources": settings}, environ={}).settings
        return ResourceMonitor(loaded.resources, MemorySnapshots(loaded.resources.snapshots, "bot"))

    return make


def feed(monitor: ResourceMonitor, *values: float, figure: str = "memory_bytes", every: float = 5.0) -> None:
    """Observations that end now."""
    now, unix = time.monotonic(), time.time()
    for at, value in enumerate(values, start=1 - len(values)):
        monitor._observe(Figures(unix + at * every, now + at * every, **{figure: value}))  # type: ignore[arg-type]


def test_the_figures_are_those_of_this_process(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    monitor = start(resources={**FAST, "disk": str(tmp_path)}).watch_resources()
    assert until(lambda: len(monitor.history) >= 2)
    figures = monitor.current()
    assert figures is not None
    process = psutil.Process()
    assert figures.memory_bytes == pytest.approx(process.memory_info().rss, rel=0.3)
    assert figures.threads == pytest.approx(process.num_threads(), abs=2)
    assert figures.open_files == pytest.approx(process.num_fds(), abs=5)
    assert figures.disk_percent == pytest.approx(psutil.disk_usage(str(tmp_path)).percent, abs=2)
    assert figures.cpu_percent is not None
    assert figures.cpu_percent >= 0
    assert 0 <= (figures.host_cpu_percent or 0) <= 100
    assert 0 < (figures.memory_percent or 0) < 100


def test_called_twice_there_is_one_monitor_and_one_thread(start: Callable[..., Telemetry]) -> None:
    telemetry = start(resources=FAST)
    assert telemetry.watch_resources() is telemetry.watch_resources()
    assert threads() == ["ticktrace-resources"]


def test_the_shutdown_ends_every_thread(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    telemetry = start(
        resources={
            **FAST,
            "limits": {**NO_LIMITS, "memory_bytes": 10**15},
            "actions": {"clear_caches": {"on": "memory_bytes"}},
            "snapshots": {"directory": str(tmp_path)},
        }
    )
    monitor = telemetry.watch_resources()
    telemetry.memory_snapshot().result(30)
    assert sorted(threads()) == ["ticktrace-actions", "ticktrace-memory", "ticktrace-resources"]
    telemetry.shutdown()
    assert not monitor.running
    assert until(lambda: not threads())


def test_where_telemetry_is_off_nothing_is_observed() -> None:
    telemetry = setup_telemetry("bot", enabled=False)
    monitor = telemetry.watch_resources()
    assert (monitor.running, monitor.current(), monitor.health().status) == (False, None, "healthy")
    assert telemetry.memory_snapshot().result(1).error == "telemetry is off"
    assert threads() == []


def test_a_disk_that_is_not_there_costs_only_its_figure(
    start: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    monitor = start(resources={**FAST, "disk": "/no/such/disk"}).watch_resources()
    assert until(monitor.current)
    figures = monitor.current()
    assert figures is not None
    assert (figures.disk_percent, figures.memory_bytes is None) == (None, False)
    assert "resources.disk" in caplog.text


def test_sockets_count_as_connections(start: Callable[..., Telemetry]) -> None:
    with socket.socket(), socket.socket():
        monitor = start(resources=FAST).watch_resources()
        assert until(monitor.current)
        figures = monitor.current()
        assert figures is not None
        assert (figures.connections or 0) >= 2


def test_history_is_bounded_and_summed_up(fed: Callable[..., ResourceMonitor]) -> None:
    monitor = fed(history=3)
    feed(monitor, 1.0, 10.0, 30.0, 20.0)
    assert [figures.memory_bytes for figures in monitor.history] == [10.0, 30.0, 20.0]
    summary = monitor.summary(minutes=1)
    assert (summary.n, summary.figures["memory_bytes"]) == (3, (20.0, 10.0, 30.0, 20.0))
    assert "threads" not in summary.figures
    assert monitor.summary(minutes=7 / 60).n == 2  # the two of the last seven seconds


def test_the_trend_tells_when_the_limit_will_be_reached(fed: Callable[..., ResourceMonitor]) -> None:
    monitor = fed(limits={"memory_bytes": 1_000})
    feed(monitor, *range(100, 300, 10))  # 2 bytes a second
    trend = monitor.trend("memory_bytes")
    assert (trend.n, trend.limit) == (20, 1_000)
    assert trend.slope == pytest.approx(2.0, rel=1e-6)
    assert trend.r2 == pytest.approx(1.0)
    assert trend.time_to_limit == pytest.approx((1_000 - 290) / 2.0, rel=1e-6)
    with pytest.raises(ValueError, match="there is no figure memory; known: cpu_percent"):
        monitor.trend("memory")


@pytest.mark.parametrize(
    ("values", "status", "said"),
    [
        ((100, 100, 100), "healthy", None),
        ((100, 100, 950), "warning", "near its limit"),
        ((100, 100, 1_100), "warning", "near its limit"),  # one observation is not enough
        ((100, 1_100, 1_100), "critical", "beyond its limit"),
        ((100, 1_100, 1_100, 990), "critical", "just back from beyond"),
        ((100, 1_100, 1_100, 900), "warning", "near its limit"),
        ((100, 1_100, 1_100, 800), "healthy", None),
        (tuple(range(100, 300, 10)), "warning", "will reach its limit"),
        ((1_100, 1_100), "warning", "near its limit"),  # the first is for the shares of CPU time only
    ],
)
def test_health_goes_by_limits_and_trend(
    fed: Callable[..., ResourceMonitor], values: tuple[float, ...], status: str, said: str | None
) -> None:
    monitor = fed(limits={"memory_bytes": 1_000})
    feed(monitor, *values)
    health = monitor.health()
    assert health.status == status
    assert len(health.reasons) == (said is not None)
    assert (said or "") in " ".join(reason.text for reason in health.reasons)


def test_an_observation_that_does_not_come_is_a_warning(start: Callable[..., Telemetry]) -> None:
    monitor = start(resources=FAST).watch_resources()
    assert until(monitor.current)
    assert monitor.health().status == "healthy"
    monitor._stop.set()  # as if it hung, in the file system say
    assert monitor._thread is not None
    monitor._thread.join()
    with monitor._lock:
        monitor._history[-1] = monitor._history[-1]._replace(at=monitor._history[-1].at - 60)
    health = monitor.health()
    assert health.status == "warning"
    assert health.reasons[0].text.startswith("nothing was observed for 6")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"interval": "50ms"}, "interval must be 100 ms at least, not 50 ms"),
        (
            {"actions": {"prune_logs": {"on": ["memory_bytes"]}}},
            "actions.prune_logs.on names memory_bytes, which has no limit",
        ),
        ({"actions": {"prune_logs": {"on": ["disk"]}}}, 'unknown value "disk"; known: cpu_percent'),
        ({"limits": {"threads": 0}}, "must be a whole number > 0"),
        ({"prune": {"files": ["*/x.log"]}}, "wildcard in a directory"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem.replace("*", r"\*")):
        load_settings({"resources": settings}, environ={})


def test_by_default_nothing_is_done() -> None:
    actions = ResourcesSettings().actions
    assert [getattr(actions, name).on for name in type(actions).model_fields] == [()] * 5
    assert not ResourcesSettings().allow_pauses


def test_an_action_for_no_limit_is_refused(fed: Callable[..., ResourceMonitor]) -> None:
    monitor = fed(limits={"threads": None})
    with pytest.raises(
        SettingsError, match="the action shed: threads has no limit; those with one: cpu_percent"
    ):
        monitor.add_action("shed", lambda: None, on=["threads"])
    with pytest.raises(SettingsError, match="the action shed is for no limit"):
        monitor.add_action("shed", lambda: None, on=[])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("engine", ["sdk", "deferred"])
def test_a_forked_child_observes_itself(engine: str, tmp_path: Path) -> None:
    out = run_program("resources_fork.py", engine, tmp_path).stdout
    assert out.split() == ["child", "ok", "parent", "ok"]

"""The process that the bot runs in: garbage collections, the event loop, uptime and disks."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry

PAUSE = "python.gc.pause.duration"
LAG = "python.event_loop.lag"


def test_garbage_collections_are_timed_by_generation(telemetry: Telemetry) -> None:
    telemetry.watch_process(disks=())
    gc.collect(2)
    gc.collect(0)
    captured = Captured(telemetry)
    assert captured.count(PAUSE, cpython__gc__generation=2) >= 1
    assert captured.count(PAUSE, cpython__gc__generation=0) >= 1
    assert captured.sum(PAUSE) > 0


def test_nothing_is_left_behind_at_the_shutdown(telemetry: Telemetry) -> None:
    before = list(gc.callbacks)
    telemetry.watch_process()
    assert len(gc.callbacks) == len(before) + 1
    telemetry.shutdown()
    assert gc.callbacks == before


def test_uptime_and_the_space_of_disks_are_told(telemetry: Telemetry) -> None:
    telemetry.watch_process(garbage=False, disks=("/",))
    captured = Captured(telemetry)
    assert captured.value("system.uptime") == pytest.approx(time.time() - psutil.boot_time(), abs=5)
    found = psutil.disk_usage("/")
    assert captured.value("system.filesystem.usage") == found.total
    (point,) = captured.points("system.filesystem.utilization")
    assert point.value == pytest.approx(found.used / found.total, abs=0.02)


def test_a_disk_that_is_not_there_is_said_and_nothing_else(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.watch_process(garbage=False, disks=("/no/such/disk", "/"))
    assert Captured(telemetry).value("system.filesystem.usage") > 0
    assert "runtime.disk" in caplog.text


async def test_a_callback_that_blocks_the_loop_is_seen_as_lag(telemetry: Telemetry) -> None:
    telemetry.watch_event_loop(period=0.005)
    await asyncio.sleep(0.02)
    time.sleep(0.05)  # noqa: ASYNC251  this is what is to be seen
    await asyncio.sleep(0.02)
    captured = Captured(telemetry)
    assert captured.count(LAG) >= 2
    assert captured.sum(LAG) >= 0.03
    telemetry.shutdown()


def test_without_a_loop_the_caller_is_told(telemetry: Telemetry) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        telemetry.watch_event_loop()


def test_a_loop_that_is_closed_costs_the_shutdown_nothing(telemetry: Telemetry) -> None:
    async def run() -> None:
        telemetry.watch_event_loop()

    asyncio.run(run())
    assert telemetry.shutdown()

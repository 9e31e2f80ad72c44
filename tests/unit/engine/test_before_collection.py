"""Gauges that are set right before metrics are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from support.captured import Captured
from ticktrace.engine import Instruments, internal_errors

if TYPE_CHECKING:
    from ticktrace import Telemetry


def read(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    found: dict[str, Any] = {
        metric.name: metric.data.data_points[0]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    return {name: point.value for name, point in found.items()}


@pytest.mark.parametrize("early", [True, False], ids=["before attaching", "after attaching"])
def test_each_reading_sees_what_is_set_right_before_it(early: bool) -> None:
    instruments, reader, numbers = Instruments(), InMemoryMetricReader(), iter(range(10))
    gauge = instruments.gauge("trading.win_rate", {})
    if early:
        instruments.before_collection(lambda: gauge.set(next(numbers)))
    instruments.attach(MeterProvider([reader]), "test", "1")
    if not early:
        instruments.before_collection(lambda: gauge.set(next(numbers)))
    assert [read(reader) for _ in range(3)] == [{"trading.win_rate": number} for number in range(3)]


def test_it_goes_on_with_the_next_provider_and_keeps_quiet_about_itself() -> None:
    instruments, numbers = Instruments(), iter(range(10))
    gauge = instruments.gauge("trading.win_rate", {})
    instruments.before_collection(lambda: gauge.set(next(numbers)))
    for expected in range(2):
        reader = InMemoryMetricReader()
        instruments.attach(MeterProvider([reader]), "test", "1")
        assert read(reader) == {"trading.win_rate": expected}
        instruments.detach()


def test_one_that_raises_does_not_keep_the_others_from_it(telemetry: Telemetry) -> None:
    before = internal_errors()

    def broken() -> None:
        raise OSError

    def working() -> None:
        telemetry.trading.performance.update(win_rate=0.5)

    recorder = telemetry.trading.performance._recorder
    recorder.before_collection(broken)
    recorder.before_collection(working)
    assert Captured(telemetry).value("trading.win_rate") == 0.5
    assert internal_errors() > before

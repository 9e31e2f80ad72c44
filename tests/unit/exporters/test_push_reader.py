"""The periodic reader goes on, whatever exporters and callbacks do."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricReader, MetricsData

from ticktrace.exporters import PushReader

if TYPE_CHECKING:
    from collections.abc import Iterable


class Collector(MetricExporter):
    """Counts exports; raises in those that are listed."""

    def __init__(self, raising: Iterable[int] = ()) -> None:
        super().__init__()
        self.raising = set(raising)
        self.exports = 0
        self.ended = 0
        self.changed = threading.Condition()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        with self.changed:
            self.exports += 1
            self.changed.notify_all()
        if self.exports in self.raising:
            raise ConnectionError("gone")
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.ended += 1

    def wait_for(self, exports: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.exports >= exports, timeout=10)


def test_exports_go_on_after_the_exporter_raised(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(raising=[1, 2])
    provider = MeterProvider([PushReader(collector, interval=0.01, timeout=1)], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("hits").add(1)
    assert collector.wait_for(4)
    provider.shutdown()
    assert collector.ended == 1


def test_exports_go_on_after_collecting_raised_which_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's own thread would have died of the first failure."""
    collector = Collector()
    reader = PushReader(collector, interval=0.01, timeout=1)
    failures = [1, 2, 3]

    def collect(_: MetricReader, timeout_millis: float) -> MetricsData:
        if failures:
            raise RuntimeError(f"failure {failures.pop(0)}")
        return MetricsData(resource_metrics=[])

    reader._set_collect_callback(collect)  # as a provider does
    assert collector.wait_for(2)
    reader.shutdown()
    [said] = [record.getMessage() for record in caplog.records if record.name == "ticktrace"]
    assert said == f"ticktrace: collecting metrics in process {os.getpid()} failed: RuntimeError: failure 1"


def test_a_tick_before_the_provider_is_there_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    reader = PushReader(collector, interval=0.001, timeout=1)
    threading.Event().wait(0.02)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("hits").add(1)
    assert collector.wait_for(1)
    provider.shutdown()
    assert caplog.records == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_send_the_parents_totals() -> None:
    collector = Collector()
    provider = MeterProvider([PushReader(collector, interval=0.02, timeout=1)], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("hits").add(1)
    assert collector.wait_for(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            collector.changed = threading.Condition()
            before = collector.exports
            threading.Event().wait(0.2)
            os.write(write, str(collector.exports - before).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"0"
    os.close(read)
    os.close(write)
    provider.shutdown()

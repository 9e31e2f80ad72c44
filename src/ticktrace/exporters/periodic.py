"""The reader that pushes metrics at an interval and outlives whatever its exporter does."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

__all__ = ["PushReader"]

_log = logging.getLogger("ticktrace")


class PushReader(PeriodicExportingMetricReader):
    """The SDK's periodic reader, mended where it hurts.

    The SDK's thread dies of anything but a timeout during collection. After a fork the SDK starts the thread again
    in the child, which would send the parent's totals a second time, from under a lock that may have been held at the
    fork; here the child's copy stays silent, and whoever sets the child up builds a new reader.

    Args:
        exporter: where metrics go; its preferences of temporality and aggregation hold.
        interval: seconds between exports.
        timeout: seconds that a collection may take.
    """

    def __init__(self, exporter: MetricExporter, *, interval: float, timeout: float) -> None:
        self._failing = False
        super().__init__(exporter, export_interval_millis=interval * 1e3, export_timeout_millis=timeout * 1e3)

    def _at_fork_reinit(self) -> None:
        self._shutdown = True
        self._daemon_thread = None

    def _ticker(self) -> None:
        interval = self._export_interval_millis / 1e3
        while not self._shutdown_event.wait(interval):
            self._collect_or_report(self._export_timeout_millis)
        self._collect_or_report(self._export_timeout_millis)

    def _collect_or_report(self, timeout_millis: float) -> None:
        try:
            if self._collect is not None:  # else not registered yet: an early tick, nothing to say
                self.collect(timeout_millis=timeout_millis)
        except Exception as error:  # noqa: BLE001  the thread must live whatever a callback or exporter raises
            if not self._failing:
                _log.warning(
                    "ticktrace: collecting metrics in process %d failed: %s: %s",
                    os.getpid(),
                    type(error).__name__,
                    error,
                )
            self._failing = True
        else:
            self._failing = False

"""Exporters of somebody else's that behave as a test tells them to, found by their entry points as any would be."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

__all__ = ["NAME", "MisbehavingLogs", "MisbehavingMetrics", "MisbehavingSpans", "install"]

NAME = "misbehaving"
"""What to write into the settings' ``exporters``."""


class MisbehavingSpans(SpanExporter):
    """Does with spans what `behave` does."""

    behave: Callable[[Any], Any]
    released = threading.Event()

    def export(self, spans: Any) -> Any:
        """Behave."""
        return type(self).behave(spans)

    def shutdown(self) -> None:
        """Let go of what hangs."""
        self.released.set()


class MisbehavingMetrics(MetricExporter):
    """Does with metrics what `behave` does."""

    behave: Callable[[Any], Any]
    released = threading.Event()

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> Any:
        """Behave."""
        return type(self).behave(metrics_data)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Let go of what hangs."""
        self.released.set()


class MisbehavingLogs(LogRecordExporter):
    """Does with log records what `behave` does."""

    behave: Callable[[Any], Any]
    released = threading.Event()

    def export(self, batch: Any) -> Any:
        """Behave."""
        return type(self).behave(batch)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits."""
        return True

    def shutdown(self) -> None:
        """Let go of what hangs."""
        self.released.set()


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Install all, as a package of its own, for as long as the test runs."""
    package = folder / "misbehaving-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        f"[opentelemetry_traces_exporter]\n{NAME} = {__name__}:MisbehavingSpans\n"
        f"[opentelemetry_metrics_exporter]\n{NAME} = {__name__}:MisbehavingMetrics\n"
        f"[opentelemetry_logs_exporter]\n{NAME} = {__name__}:MisbehavingLogs\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    for kind in (MisbehavingSpans, MisbehavingMetrics, MisbehavingLogs):
        monkeypatch.setattr(kind, "released", threading.Event())

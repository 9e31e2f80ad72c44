"""Ways out: exporters and metric readers by name, chosen by the settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace.errors import MissingExtraError
from ticktrace.exporters._access import bearer_check, check_public, is_loopback
from ticktrace.exporters._build import build_log_exporters, build_metric_readers, build_span_exporters
from ticktrace.exporters._named import Named, Signal
from ticktrace.exporters._registry import known_exporters
from ticktrace.exporters.exposition import Exposition, ScrapeSource
from ticktrace.exporters.memory import MemoryStore
from ticktrace.exporters.periodic import PushReader
from ticktrace.exporters.prometheus_server import PrometheusServer

if TYPE_CHECKING:
    from ticktrace.exporters.prometheus import PrometheusReader

__all__ = [
    "Exposition",
    "MemoryStore",
    "Named",
    "PrometheusReader",
    "PrometheusServer",
    "PushReader",
    "ScrapeSource",
    "Signal",
    "bearer_check",
    "build_log_exporters",
    "build_metric_readers",
    "build_span_exporters",
    "check_public",
    "is_loopback",
    "known_exporters",
]


def __getattr__(name: str) -> Any:
    # The reader's packages are optional: they are imported when it is asked for.
    if name == "PrometheusReader":
        try:
            from ticktrace.exporters.prometheus import PrometheusReader  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("PrometheusReader", "prometheus") from error
        return PrometheusReader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""ticktrace: the OpenTelemetry distribution for trading systems."""

from ticktrace._version import __version__
from ticktrace.errors import (
    AlreadyConfiguredError,
    CatalogError,
    MissingExtraError,
    SettingsError,
    TicktraceError,
    UnknownExporterError,
)
from ticktrace.measuring import measure, measure_async, record_end, record_start
from ticktrace.telemetry import Telemetry, current_telemetry, setup_telemetry
from ticktrace.trading import current_candle, current_signal

__all__ = [
    "AlreadyConfiguredError",
    "CatalogError",
    "MissingExtraError",
    "SettingsError",
    "Telemetry",
    "TicktraceError",
    "UnknownExporterError",
    "__version__",
    "current_candle",
    "current_signal",
    "current_telemetry",
    "measure",
    "measure_async",
    "record_end",
    "record_start",
    "setup_telemetry",
]

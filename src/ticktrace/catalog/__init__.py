"""The catalog: every instrument, declared once.

Views, the reference page, the alias rules, alerts and dashboards are derived from these rows.
"""

from ticktrace.catalog import (
    _buckets,
    _engine,
    _execution,
    _market,
    _performance,
    _process,
    _providers,
    _strategy,
    _telemetry,
)
from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._recording import RecordingRule, recording_rules
from ticktrace.catalog._spec import InstrumentSpec, Kind, make_catalog

__all__ = [
    "BUCKETS",
    "CATALOG",
    "InstrumentSpec",
    "Kind",
    "RecordingRule",
    "label_name",
    "make_catalog",
    "recording_rules",
]

BUCKETS = _buckets.NAMED

CATALOG = make_catalog(
    (
        *_market.ROWS,
        *_execution.ROWS,
        *_strategy.ROWS,
        *_engine.ROWS,
        *_providers.ROWS,
        *_performance.ROWS,
        *_process.ROWS,
        *_telemetry.ROWS,
    )
)
"""Every instrument by its full OpenTelemetry name, in the order of the reference page."""

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
from ticktrace.catalog._lookup import InstrumentNames, attribute_key
from ticktrace.catalog._own import own_settings, problems_of_own, with_own
from ticktrace.catalog._panel import dashboard_of, panel_of
from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._recording import RecordingRule, recording_rules
from ticktrace.catalog._reference import codes, reference_table, table
from ticktrace.catalog._spec import InstrumentSpec, Kind, make_catalog

__all__ = [
    "BUCKETS",
    "CATALOG",
    "InstrumentNames",
    "InstrumentSpec",
    "Kind",
    "RecordingRule",
    "attribute_key",
    "codes",
    "dashboard_of",
    "label_name",
    "make_catalog",
    "own_settings",
    "panel_of",
    "problems_of_own",
    "recording_rules",
    "reference_table",
    "table",
    "with_own",
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

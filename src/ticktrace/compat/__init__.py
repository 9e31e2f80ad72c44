"""The programming styles of earlier metrics modules, as thin layers over `ticktrace.measure` and the catalog's instruments.

Three styles, which may be mixed: decorators and `get_metric` in the manner of prometheus_client, a metrics logger, and a
collector of declared events. Old metric names mean the instruments that carry them as aliases. Nothing here has buffers,
threads or exporters of its own: what is recorded is what `ticktrace.measure` and `ticktrace.trading` would record.
"""

from ticktrace.compat.collector import EventID, MetricsCollector, measure, measure_async
from ticktrace.compat.logger import MetricsLogger, get_metrics_logger
from ticktrace.compat.metric import BoundMetric, Metric, get_metric
from ticktrace.compat.track import (
    DurationTracker,
    track_call_count,
    track_duration,
    track_duration_context,
    track_metric,
)

__all__ = [
    "BoundMetric",
    "DurationTracker",
    "EventID",
    "Metric",
    "MetricsCollector",
    "MetricsLogger",
    "get_metric",
    "get_metrics_logger",
    "measure",
    "measure_async",
    "track_call_count",
    "track_duration",
    "track_duration_context",
    "track_metric",
]

"""Rows about ticktrace itself: what watching costs, and what it loses."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import HOT_PATH
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

ROWS = group(
    "ticktrace",
    histogram("ticktrace.drain.duration", "s", "Time of one pass of the drain.", HOT_PATH),
    counter(
        "ticktrace.dropped",
        "{item}",
        "Measurements, spans and log records that were lost.",
        (semconv.TELEMETRY_BUFFER_NAME, semconv.TELEMETRY_DROP_REASON),
    ),
    counter("ticktrace.spans.kept", "{span}", "Spans that were kept.", (semconv.TELEMETRY_KEEP_REASON,)),
    counter(
        "ticktrace.spans.discarded",
        "{span}",
        "Spans that were decided against.",
        (semconv.TELEMETRY_DISCARD_REASON,),
    ),
    gauge("ticktrace.sampler.probability", "{ratio}", "Part of the traces that the sampler keeps, 0 to 1."),
    gauge(
        "ticktrace.series",
        "{series}",
        "Attribute sets of an instrument.",
        (semconv.TELEMETRY_INSTRUMENT_NAME,),
    ),
    counter(
        "ticktrace.series.overflow",
        "{measurement}",
        "Measurements whose attribute set was one too many for the instrument.",
        (semconv.TELEMETRY_INSTRUMENT_NAME,),
    ),
    gauge("ticktrace.overhead.ratio", "1", "Part of the process's CPU time that telemetry took."),
    gauge(
        "ticktrace.build_info",
        "{info}",
        "Always 1; what runs stands in the attributes.",
        (semconv.TELEMETRY_VERSION, semconv.TELEMETRY_ENGINE, semconv.PYTHON_VERSION),
    ),
)

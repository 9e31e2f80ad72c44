"""Rows about ticktrace itself, what watching costs and what it loses; and what `ticktrace.measure` records."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import HOT_PATH
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

_ROWS = group(
    "ticktrace",
    histogram("ticktrace.drain.duration", "s", "Time of one pass of the drain, pauses included.", HOT_PATH),
    counter("ticktrace.drain.cpu.time", "s", "CPU time of the drain's passes, on whatever thread."),
    gauge("ticktrace.backlog", "{item}", "Items that wait in a buffer.", (semconv.TELEMETRY_BUFFER_NAME,)),
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
    gauge("ticktrace.overhead.ratio", "1", "Part of one core that telemetry's own threads took lately."),
    gauge(
        "ticktrace.build_info",
        "{info}",
        "Always 1; what runs stands in the attributes.",
        (semconv.TELEMETRY_VERSION, semconv.TELEMETRY_ENGINE, semconv.PYTHON_VERSION),
    ),
)

_OBJECTIVES = group(
    "objectives",
    gauge(
        "ticktrace.slo.compliance",
        "{ratio}",
        "Part of the events in the objective's window that were good, 0 to 1.",
        (semconv.SLO_NAME,),
    ),
    gauge(
        "ticktrace.slo.target",
        "{ratio}",
        "Part of the events that has to be good, 0 to 1.",
        (semconv.SLO_NAME,),
    ),
    gauge(
        "ticktrace.slo.error_budget.remaining",
        "{ratio}",
        "Part of the bad events that the window allows for which are left; below 0 when there were more.",
        (semconv.SLO_NAME,),
    ),
    gauge(
        "ticktrace.slo.burn_rate",
        "{ratio}",
        "How many times faster than allowed the error budget is used up.",
        (semconv.SLO_NAME, semconv.SLO_WINDOW),
    ),
    gauge(
        "ticktrace.slo.violated",
        "{boolean}",
        "Whether the objective is violated, 0 or 1.",
        (semconv.SLO_NAME,),
    ),
    counter(
        "ticktrace.slo.violations",
        "{violation}",
        "Violations of the objective that were told.",
        (semconv.SLO_NAME, semconv.SLO_CONDITION),
    ),
    counter(
        "ticktrace.notifications",
        "{message}",
        "Messages to people, by whom they were for and whether they got there.",
        (semconv.NOTIFICATION_CHANNEL, semconv.NOTIFICATION_RESULT),
    ),
)

# One row for every piece of code that an application times: the name is an attribute, limited as all words are.
ROWS = (
    *_ROWS,
    *_OBJECTIVES,
    *group(
        "measured code",
        histogram(
            "ticktrace.measure.duration",
            "s",
            "Time of a piece of the application's own code, by the name it was given.",
            HOT_PATH,
            (
                semconv.MEASURE_NAME,
                semconv.COMPONENT,
                semconv.VENUE,
                semconv.SYMBOL,
                semconv.TIMEFRAME,
                semconv.STRATEGY_NAME,
                semconv.PROVIDER_NAME,
                semconv.ENGINE_MODE,
                semconv.ERROR_TYPE,
            ),
        ),
    ),
)

"""The settings of the three signals: traces, metrics (with the user's views) and logs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .declare import Group, group, milliseconds, setting
from .instruments import InstrumentSettings  # noqa: TC001  pydantic reads the annotations at run time
from .values import (
    Argument,
    Bool,
    Buckets,
    Count,
    Duration,
    Durations,
    FilePath,
    HistogramScale,
    HistogramSize,
    Names,
    Percentiles,
    Rate,
    Text,
    Whole,
    choice,
    choices,
    wrong,
)

__all__ = [
    "KeepSettings",
    "LogsSettings",
    "MetricsSettings",
    "QueueSettings",
    "RecentSettings",
    "TracesSettings",
    "ViewSettings",
]

Kind = Literal["counter", "up_down_counter", "histogram", "gauge"]
ExemplarFilter = Literal["trace_based", "always_on", "always_off"]
Temporality = Literal["cumulative", "delta", "lowmemory"]
Outcome = Literal["error", "rejection", "fill", "order", "near_miss"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

_RATIO_SAMPLERS = {"traceidratio", "parentbased_traceidratio"}


class QueueSettings(Group):
    """The bounded queue between the application and an exporter."""

    max_queue_size: Whole = setting(
        2048,
        "Most items that wait for export; more are dropped and counted, or in a backtest wait, if they are spans.",
        env="_MAX_QUEUE_SIZE",
    )
    max_export_batch_size: Whole = setting(512, "Most items in one export.", env="_MAX_EXPORT_BATCH_SIZE")
    schedule_delay: Duration = setting(
        5.0, "Longest wait before waiting items are exported.", env=milliseconds("_SCHEDULE_DELAY")
    )
    export_timeout: Duration = setting(
        30.0,
        "Longest time one export may take; in a backtest a full queue of spans is waited for so long while nothing moves.",
        env=milliseconds("_EXPORT_TIMEOUT"),
    )

    @model_validator(mode="after")
    def _batch_fits_queue(self) -> Self:
        if self.max_export_batch_size > self.max_queue_size:
            raise wrong(
                f"max_export_batch_size ({self.max_export_batch_size}) must not exceed max_queue_size ({self.max_queue_size})"
            )
        return self


class KeepSettings(Group):
    """Which traces the deferred engine keeps, once it is known how they went. The first rule that holds is the reason."""

    head: Bool = setting(default=True, description="Keep what the sampler wanted.")
    head_per_second: Rate | None = setting(
        None, "At most so many traces a second are kept only because the sampler wanted them. All when null."
    )
    outcomes: Annotated[tuple[str, ...], choices(Outcome)] = setting(
        ("error", "rejection", "fill", "order", "near_miss"), "Keep traces in which one of these happened."
    )
    slower_than: dict[str, Duration] = setting(
        {},
        "Keep what took longer, by kind: the first word of the root's name, such as `candle`; `*` is all others.",
    )
    slower_than_p99: Bool = setting(
        default=True, description="Keep what took longer than 99 of the last 100 of its kind."
    )
    attributes: dict[str, Text] = setting({}, "Keep traces with a span that has one of these attributes.")
    share_key: Text | None = setting(
        None, "Attribute of the root, such as `trading.symbol`, each value of which gets a share of its own."
    )
    share_per_minute: Rate = setting(1.0, "Traces a minute that are kept for each value of `share_key`.")
    max_per_second: Rate | None = setting(None, "At most so many traces a second are kept overall.")
    max_traces: Whole = setting(
        2048,
        "Most traces that wait for their verdict; more are dropped and counted, or in a backtest judged by who ends them.",
    )
    max_spans_per_trace: Whole = setting(1000, "With so many spans a trace is judged before its root ends.")
    max_age: Duration = setting(600.0, "At this age a trace is judged before its root ends.")


class TracesSettings(Group):
    """Which spans are recorded, and how large they may grow."""

    sampler: Text = setting(
        "parentbased_always_on",
        "Name of the sampler: one of OpenTelemetry's, `ticktrace_adaptive`, or any registered under `opentelemetry_traces_sampler`.",
        env="OTEL_TRACES_SAMPLER",
    )
    sampler_arg: Argument | None = setting(
        None,
        "The sampler's argument, for example the ratio of `traceidratio`.",
        env="OTEL_TRACES_SAMPLER_ARG",
    )
    queue: QueueSettings = group(QueueSettings(), "The queue of ended spans.", prefix="OTEL_BSP")
    keep: KeepSettings = group(KeepSettings(), "Which traces the deferred engine keeps.")
    attribute_count_limit: Count = setting(
        128,
        "Most attributes on a span.",
        env=("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
    )
    attribute_value_length_limit: Count | None = setting(
        None,
        "Longest attribute value in characters; longer ones are cut. No limit when null.",
        env=("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    )
    event_count_limit: Count = setting(128, "Most events on a span.", env="OTEL_SPAN_EVENT_COUNT_LIMIT")
    link_count_limit: Count = setting(128, "Most links on a span.", env="OTEL_SPAN_LINK_COUNT_LIMIT")
    event_attribute_count_limit: Count = setting(
        128,
        "Most attributes on a span event.",
        env=("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
    )
    link_attribute_count_limit: Count = setting(
        128,
        "Most attributes on a span link.",
        env=("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
    )

    @model_validator(mode="after")
    def _ratio_is_a_ratio(self) -> Self:
        if self.sampler.lower() in _RATIO_SAMPLERS and self.sampler_arg is not None:
            try:
                good = 0 <= float(self.sampler_arg) <= 1
            except ValueError:
                good = False
            if not good:
                raise wrong(
                    f'sampler_arg of {self.sampler} must be a number from 0 to 1, not "{self.sampler_arg}"'
                )
        return self


class ViewSettings(Group):
    """One change to how instruments are exported: rename, drop, other buckets, fewer attributes."""

    instrument: Text = Field(description="Name of the instruments it is for; `*` and `?` are wildcards.")
    kind: Annotated[Kind, choice(Kind)] | None = setting(None, "Only instruments of this kind.")
    meter: Text | None = setting(None, "Only instruments of the meter with this name.")
    unit: Text | None = setting(None, "Only instruments with this unit.")
    rename: Text | None = setting(None, "The name to export under; not with a wildcard.")
    description: Text | None = setting(None, "The description to export.")
    drop: Bool = setting(default=False, description="Do not export these instruments.")
    buckets: Buckets | None = setting(
        None, "Upper bounds of the histogram's buckets, in the instrument's unit."
    )
    exponential: Bool = setting(default=False, description="Export as an exponential (native) histogram.")
    max_size: HistogramSize = setting(160, "Most buckets of an exponential histogram, per sign.")
    max_scale: HistogramScale = setting(20, "Finest scale of an exponential histogram.")
    keep_attributes: Names | None = setting(None, "Attributes to keep; all others are merged away.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        changes = {
            "rename": self.rename is not None,
            "description": self.description is not None,
            "buckets": self.buckets is not None,
            "exponential": self.exponential,
            "keep_attributes": self.keep_attributes is not None,
        }
        named = [name for name, given in changes.items() if given]
        if self.drop and named:
            raise wrong(f"drop contradicts {', '.join(named)}: a dropped instrument has nothing to change")
        if not self.drop and not named:
            raise wrong(f"the view changes nothing; give drop or one of {', '.join(changes)}")
        if self.buckets is not None and self.exponential:
            raise wrong("buckets contradicts exponential: a histogram has either")
        if self.kind not in {None, "histogram"} and (self.buckets is not None or self.exponential):
            raise wrong(
                f"{'buckets' if self.buckets else 'exponential'} contradicts kind {self.kind}: only a histogram has buckets"
            )
        sizes = sorted({"max_size", "max_scale"} & self.model_fields_set)
        if sizes and not self.exponential and (self.max_size, self.max_scale) != (160, 20):
            raise wrong(f"{' and '.join(sizes)} needs exponential: true")
        if self.rename is not None and any(sign in self.instrument for sign in "*?"):
            raise wrong(
                f'rename contradicts the wildcard in instrument "{self.instrument}": several instruments would share one name'
            )
        return self


class RecentSettings(Group):
    """The last values of each histogram's series, kept as they were recorded: exact percentiles in process."""

    enabled: Bool = setting(default=True, description="Whether they are kept.")
    values: Whole = setting(10_000, "Most values kept of a series, the newest; 16 bytes each.")
    series: Whole = setting(
        200, "Most series of which values are kept; idle ones make room, further ones are left out."
    )
    windows: Durations = setting((1.0, 5.0, 60.0), "The windows that statistics are given for by default.")
    percentiles: Percentiles = setting((50.0, 95.0, 99.0, 99.9), "The percentiles that statistics hold.")


class MetricsSettings(Group):
    """How metrics are aggregated and how often they leave."""

    export_interval: Duration = setting(
        60.0,
        "Time between two exports of the push exporters.",
        env=milliseconds("OTEL_METRIC_EXPORT_INTERVAL"),
    )
    export_timeout: Duration = setting(
        30.0, "Longest time one export may take.", env=milliseconds("OTEL_METRIC_EXPORT_TIMEOUT")
    )
    exemplar_filter: Annotated[ExemplarFilter, choice(ExemplarFilter)] = setting(
        "trace_based", "Which measurements may become exemplars.", env="OTEL_METRICS_EXEMPLAR_FILTER"
    )
    temporality: Annotated[Temporality, choice(Temporality)] = setting(
        "cumulative",
        "Whether OTLP sends running totals or differences.",
        env="OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    )
    views: tuple[ViewSettings, ...] = setting(
        (), "Changes to how instruments are exported, applied on top of the catalog's."
    )
    instruments: dict[str, InstrumentSettings] = setting(
        {}, "Instruments of the application's own, by their full names; see below."
    )
    recent: RecentSettings = group(RecentSettings(), "The last values, kept for statistics in process.")
    series_limit: Whole = setting(
        2000,
        "Most attribute sets of an instrument on the deferred engine; more are counted together as `otel.metric.overflow`.",
    )
    idle_series: Duration | None = setting(
        None,
        "On the deferred engine, forget attribute sets that were not written for so long. Never when null.",
    )
    buffer_size: Whole = setting(
        4096,
        "Values of one attribute set that may wait on the deferred engine; then the recording thread aggregates some itself.",
    )
    unbounded: Bool = setting(
        default=False,
        description="Let them wait in any number: the cheapest recording, but memory depends on the drain keeping up.",
    )


class LogsSettings(Group):
    """The application's log records: whether they are exported, written to files, and joined to traces."""

    capture: Bool | None = setting(
        None,
        "Export the records of Python's `logging`, with their trace ids (needs the extra `logging`). When null: if log records have an exporter.",
    )
    level: Annotated[Level, choice(Level, upper=True)] = setting(
        "INFO", "Lowest level that is captured, and written to `logs.app_file`."
    )
    trace_ids: Bool = setting(
        default=True,
        description="Give each record the ids of the span in which it was written, for formatters: `otelTraceID`, `otelSpanID`, `otelTraceSampled`, `otelServiceName`.",
    )
    app_file: FilePath | None = setting(
        None,
        "File that the records of the root logger are written to, such as `logs/app.log`. None when null.",
    )
    metrics_file: FilePath | None = setting(
        None,
        "File for what the metrics logger of `ticktrace.compat` is told, such as `logs/metrics.log`. None when null.",
    )
    rotate_bytes: Whole = setting(
        10_485_760, "A log file that has grown to this size is followed by another."
    )
    keep_files: Count = setting(
        5, "Most earlier log files that are kept: `app.log.1`, the newest, and so on."
    )
    queue: QueueSettings = group(QueueSettings(), "The queue of log records.", prefix="OTEL_BLRP")

    @model_validator(mode="after")
    def _files_differ(self) -> Self:
        if self.app_file is not None and self.app_file == self.metrics_file:
            raise wrong(f"app_file and metrics_file must be two files, not both {self.app_file}")
        return self

"""Accept the configuration that came before ticktrace: the seeds' YAML blocks and `METRICS_ENABLED`, `PROMETHEUS_ENABLED`.

What maps onto a setting is mapped; the rest is checked and noted as without effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from .declare import Group, setting
from .leaves import BY_NAME
from .origin import Document, Entry, Location, Origin, Problem, Reading
from .rendering import describe_error
from .values import (
    Bool,
    Duration,
    Durations,
    FilePath,
    Names,
    Nanoseconds,
    Percentiles,
    Ratio,
    Secret,
    Whole,
    choice,
    did_you_mean,
)

__all__ = ["SEED_BLOCKS", "SEED_EVENTS", "read_seed_blocks", "read_seed_variables"]

Overflow = Literal["overwrite", "drop"]

SEED_EVENTS: Mapping[str, str] = {
    "BUFFER_UPDATE": "trading.buffer.update.duration",
    "CANDLE_PROCESSING": "trading.candle.processing.duration",
    "EVENT_BUS_HANDLE": "trading.event_bus.handle.duration",
    "EVENT_BUS_PUBLISH": "trading.event_bus.publish.duration",
    "ORDER_EXECUTION": "trading.trade.execution.duration",
    "ORDER_FILL": "trading.order.fill.duration",
    "ORDER_PREP": "trading.order.prepare.duration",
    "ORDER_SUBMIT": "trading.order.submit.duration",
    "SIGNAL_GENERATION": "trading.signal.generation.duration",
}


class Sampling(Group):
    """The seeds' `sampling` block."""

    default_rate: Ratio = setting(1.0, "Share of traces that is kept at normal load.")
    adaptive: Bool = setting(default=True, description="Keep fewer under high load.")
    high_load_threshold: Whole = setting(1000, "Traces a second from which on load is high.")
    high_load_rate: Ratio = setting(0.1, "Share that is kept at high load.")


class Buffer(Group):
    """The seeds' `buffer` block."""

    size: Whole = setting(131072, "Entries in the ring buffer.")
    overflow_strategy: Annotated[Overflow, choice(Overflow)] = setting(
        "overwrite", "What happens when it is full."
    )


class Aggregation(Group):
    """The seeds' `aggregation` block."""

    interval_ms: Whole = setting(100, "Milliseconds between two aggregations.")
    percentiles: Percentiles = setting((50.0, 95.0, 99.0, 99.9), "Percentiles to compute.")
    sliding_windows: Durations = setting((1.0, 5.0, 60.0), "Windows to aggregate over.")


class Export(Group):
    """The seeds' `export` block."""

    enabled: Bool = setting(default=True, description="Whether metrics are exported at all.")
    interval_s: Duration = setting(60.0, "Seconds between two exports.")
    formats: Names = setting((), "json, prometheus, or both.")
    output_dir: FilePath | None = setting(None, "Directory of the JSON files.")


class Alerting(Group):
    """The seeds' `alerting` block."""

    enabled: Bool = setting(default=True, description="Whether alerts are sent.")
    slack_webhook: Secret | None = setting(None, "Where to send them.")
    alert_on: Names = setting((), "Conditions to alert on.")


SEED_BLOCKS: Mapping[str, Any] = {
    "sampling": Sampling,
    "buffer": Buffer,
    "aggregation": Aggregation,
    "export": Export,
    "sla_thresholds": dict[str, Any],
    "alerting": Alerting,
}
_NANOSECONDS: TypeAdapter[int] = TypeAdapter(Nanoseconds)
_CONDITIONS = {
    "sla_violation": "slo_violated",
    "queue_backlog_high": "queue_backlog",
    "gc_pause_long": "gc_pause",
}
_FORMATS = {"json": "otlp_json_file", "prometheus": "prometheus"}


def read_seed_blocks(document: Document) -> tuple[Document, Reading]:
    """Take the seeds' blocks out of `document`, from below `metrics` and from the top.

    Returns:
        The document without them, and what they say: entries for what maps, notes for what has no effect.
    """
    reading = Reading()
    rest = dict(document.data)
    metrics = rest.get("metrics")
    if isinstance(metrics, Mapping):
        inner = dict(metrics)
        if "enabled" in inner:
            _enabled(reading, document, inner.pop("enabled"))
        _blocks(reading, document, inner, ("metrics",))
        rest["metrics"] = inner
    _blocks(reading, document, rest, ())
    return Document(rest, document.lines, document.raw, document.unresolved, document.file), reading


def read_seed_variables(environ: Mapping[str, str], exporters: tuple[str, ...]) -> Reading:
    """Read `METRICS_ENABLED` and `PROMETHEUS_ENABLED`, which change the metrics exporters of the weaker sources."""
    reading = Reading()
    result = exporters
    for name in ("PROMETHEUS_ENABLED", "METRICS_ENABLED"):
        text = environ.get(name, "").strip()
        if not text:
            continue
        origin = Origin("environment", name)
        leaf = BY_NAME["exporters.metrics"]
        try:
            enabled = TypeAdapter(Bool).validate_python(text)
        except ValidationError:
            problem = Entry(leaf, None, text, origin, text=text).problem((), "must be true or false")
            reading.problems.extend([problem] if problem else [])
            continue
        others = tuple(exporter for exporter in result if exporter not in {"prometheus", "none"})
        if name == "METRICS_ENABLED":
            changed = result if enabled else ("none",)
        else:
            changed = (*others, "prometheus") if enabled else (others or ("none",))
            changed = result if set(changed) == set(result) else changed
        if changed != result:
            result = changed
            reading.notes.append(f"environment {name}={text}: exporters.metrics is {', '.join(result)}")
            reading.entries.append(Entry(leaf, None, result, origin, text=text))
    return reading


def _enabled(reading: Reading, document: Document, value: Any) -> None:
    _add(reading, document, "enabled", value, ("metrics", "enabled"))
    if value is False:
        origin = document.origin(("metrics", "enabled"))
        reading.notes.append(
            f"{origin}: metrics.enabled: false switches everything off, traces and logs too; "
            "for metrics alone say exporters.metrics: none"
        )


def _blocks(reading: Reading, document: Document, data: dict[str, Any], above: Location) -> None:
    for name, shape in SEED_BLOCKS.items():
        if name not in data:
            continue
        location = (*above, name)
        value = data.pop(name)
        if value is None:
            continue
        try:
            block = TypeAdapter(shape).validate_python(value)
        except ValidationError as error:
            reading.problems.extend(_problems(document, location, shape, error))
            continue
        if name == "sampling":
            _sampling(reading, document, block, location)
        elif name == "aggregation":
            _aggregation(reading, document, block, location)
        elif name == "export":
            _export(reading, document, block, location)
        elif name == "sla_thresholds":
            _thresholds(reading, document, block, location)
        elif name == "alerting":
            _alerting(reading, document, block, location)
        else:
            reading.notes.append(
                f"{document.origin(location)}: {'.'.join(map(str, location))}: accepted, has no effect yet"
            )


def _problems(document: Document, location: Location, shape: Any, error: ValidationError) -> list[Problem]:
    problems = []
    for detail in error.errors(include_url=False):
        here = (*location, *detail["loc"])
        message, value = describe_error(detail, shape)
        if "slack_webhook" in here:
            value = None
        if not document.is_unresolved(here):
            problems.append(document.problem(here, message, value=value))
    return problems


def _sampling(reading: Reading, document: Document, block: Sampling, location: Location) -> None:
    if block.adaptive:
        # The adaptive sampler's own words: this probability above this many traces a second, and never more than the ceiling.
        argument = (
            f"policy={block.high_load_threshold}:{block.high_load_rate:g},ceiling={block.default_rate:g}"
        )
        sampler = "ticktrace_adaptive"
    else:
        argument, sampler = f"{block.default_rate:g}", "parentbased_traceidratio"
    _add(reading, document, "traces.sampler", sampler, location)
    _add(reading, document, "traces.sampler_arg", argument, location)


def _aggregation(reading: Reading, document: Document, block: Aggregation, location: Location) -> None:
    given = block.model_fields_set
    for name, setting_name in (("percentiles", "percentiles"), ("sliding_windows", "windows")):
        if name in given:
            value = getattr(block, name)
            _add(reading, document, f"metrics.recent.{setting_name}", value, (*location, name))
    if "interval_ms" in given:
        here = (*location, "interval_ms")
        reading.notes.append(f"{document.origin(here)}: {'.'.join(map(str, here))}: accepted, has no effect")


def _export(reading: Reading, document: Document, block: Export, location: Location) -> None:
    given = block.model_fields_set
    if "interval_s" in given:
        _add(reading, document, "metrics.export_interval", block.interval_s, (*location, "interval_s"))
    if block.output_dir is not None:
        _add(reading, document, "json_file.directory", block.output_dir, (*location, "output_dir"))
    if not block.enabled:
        _add(reading, document, "exporters.metrics", ("none",), (*location, "enabled"))
    elif block.formats:
        names = tuple(_FORMATS.get(name, name) for name in block.formats)
        _add(reading, document, "exporters.metrics", names, (*location, "formats"))


def _thresholds(reading: Reading, document: Document, block: dict[str, Any], location: Location) -> None:
    for event, value in block.items():
        here = (*location, event)
        instrument = SEED_EVENTS.get(event)
        if instrument is None and "." not in event:
            hint = did_you_mean(event, list(SEED_EVENTS))
            message = f'unknown event "{event}"; known: {", ".join(SEED_EVENTS)}{hint}'
            reading.problems.append(document.problem(here, message))
        try:
            nanoseconds = _NANOSECONDS.validate_python(value)
        except ValidationError as error:
            reading.problems.extend(_problems(document, here, int, error))
            continue
        if instrument is not None or "." in event:
            seconds = nanoseconds / 1e9
            name = instrument or event
            _add(reading, document, "slo.thresholds", seconds, here, key=name)
            objective = {"instrument": name, "threshold": seconds}
            _add(reading, document, "slo.objectives", objective, here, key=event.lower())


def _alerting(reading: Reading, document: Document, block: Alerting, location: Location) -> None:
    if not block.enabled:
        _add(reading, document, "notifications.enabled", value=False, location=(*location, "enabled"))
    if block.slack_webhook is not None:
        _add(reading, document, "notifications.urls", [block.slack_webhook], (*location, "slack_webhook"))
    if block.alert_on:
        names = tuple(_CONDITIONS.get(name, name) for name in block.alert_on)
        _add(reading, document, "notifications.on", names, (*location, "alert_on"))


def _add(
    reading: Reading, document: Document, name: str, value: Any, location: Location, *, key: str | None = None
) -> None:
    reading.entries.append(Entry(BY_NAME[name], key, value, document.origin(location), location, document))

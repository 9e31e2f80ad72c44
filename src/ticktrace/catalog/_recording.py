"""The seeds' bare metric names, as Prometheus recording rules over the catalog's series.

An alias offers the whole of what it stands for: of a histogram ``_bucket``, ``_count`` and ``_sum``. A few names meant
something else in the systems they come from (a quantile, a percentage, a mean); `_FORMS` says what. The labels of
those systems (``strategy``, ``symbol``, ``side``, …) are put beside ours, so that their queries find them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ticktrace import semconv
from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._spec import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ticktrace.catalog._spec import InstrumentSpec

__all__ = ["SEED_LABELS", "RecordingRule", "recording_rules"]

_WINDOW: Final = "5m"


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One rule: the series `record` is what the PromQL `expr` gives, with `labels` added."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


SEED_LABELS: Final[Mapping[str, str]] = {
    semconv.VENUE: "venue",
    semconv.SYMBOL: "symbol",
    semconv.TIMEFRAME: "timeframe",
    semconv.STRATEGY_NAME: "strategy",
    semconv.ENGINE_STATE: "state",
    semconv.SIGNAL_TYPE: "signal_type",
    semconv.ORDER_SIDE: "side",
    semconv.ORDER_REJECT_REASON: "reason",
    semconv.PROVIDER_NAME: "provider",
    semconv.PROVIDER_OPERATION: "endpoint",
    semconv.COMPONENT: "component",
    semconv.RISK_RULE: "rule",
    semconv.HTTP_ROUTE: "endpoint",
    semconv.HTTP_REQUEST_METHOD: "method",
    semconv.HTTP_RESPONSE_STATUS_CODE: "status_code",
    semconv.DB_OPERATION_NAME: "query_type",
}
# The same attribute under another label: the seeds count errors by `type` here and by `error_type` there.
_TYPED_ERRORS: Final = frozenset({"errors_total", "exceptions_total", "critical_errors_total"})


def recording_rules(catalog: Mapping[str, InstrumentSpec]) -> list[RecordingRule]:
    """The rules that make every alias of a catalog's rows answer in Prometheus.

    An alias that is the series' name already needs none.
    """
    return [rule for row in catalog.values() for alias in row.aliases for rule in _rules(alias, row)]


def _rules(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    if alias == row.prometheus_name:
        return
    form = _FORMS.get(alias, _same)
    for rule in form(alias, row):
        yield RecordingRule(rule.record, _relabelled(rule.expr, alias, row), rule.labels)


def _relabelled(expr: str, alias: str, row: InstrumentSpec) -> str:
    for key in row.attributes:
        label = SEED_LABELS.get(key)
        if key == semconv.ERROR_TYPE:
            label = "type" if alias in _TYPED_ERRORS else "error_type"
        # Aggregated away: nothing to copy. What OpenTelemetry calls as the seeds do needs no copy either.
        if label is not None and label != label_name(key):
            expr = f'label_replace({expr}, "{label}", "$1", "{label_name(key)}", "(.+)")'
    return expr


# --- what an alias may mean ----------------------------------------------------------------------------------------


def _same(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    for series in row.series:
        yield RecordingRule(alias + series.removeprefix(row.prometheus_name), series)


def _count(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    yield RecordingRule(alias, f"{row.prometheus_name}_count")


def _failed(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    yield RecordingRule(alias, f'{row.prometheus_name}_count{{{label_name(semconv.ERROR_TYPE)}!=""}}')


def _with_mean(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    """The histogram, and under the bare name the mean of the last minutes, which is what these systems stored."""
    yield from _same(alias, row)
    # A sum that may fall is no counter: rate() would take each loss for a restart.
    change = "delta" if row.buckets is not None and row.buckets[0] < 0 else "rate"
    total, count = (f"{change}({row.prometheus_name}_{part}[{_WINDOW}])" for part in ("sum", "count"))
    yield RecordingRule(alias, f"{total} / ({count} > 0)")


def _quantiles_in_nanoseconds(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    for percent in ("50", "95", "99", "99.9"):
        quantile = (
            f"histogram_quantile({float(percent) / 100:.5g}, rate({row.prometheus_name}_bucket[{_WINDOW}]))"
        )
        yield RecordingRule(alias, f"{quantile} * 1e9", {"quantile": percent})


def _gauge(row: InstrumentSpec, selector: str = "") -> str:
    """A selector for a gauge that finds it behind every road to Prometheus.

    Prometheus' own translator, in the Collector and behind OTLP, appends _ratio where the Python exporter does not.
    """
    name = row.prometheus_name
    if row.kind is Kind.GAUGE and row.unit == "1" and not name.endswith("_ratio"):
        return f'{{__name__=~"{name}(_ratio)?"{"," if selector else ""}{selector}}}'
    return f"{name}{{{selector}}}" if selector else name


def _cpu_percent(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    idle = _gauge(row, 'state="idle"')
    yield RecordingRule(alias, f"100 * (1 - avg without (cpu, state) ({idle}))")


def _used_percent(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    yield RecordingRule(alias, "100 * " + _gauge(row, 'state="used"'))


def _percent(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    used = _gauge(row, f'{label_name(semconv.SYSTEM_FILESYSTEM_STATE)}=~"used|"')
    yield RecordingRule(alias, f"100 * {used}")


def _used_mebibytes(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    yield RecordingRule(alias, f'{row.prometheus_name}{{state="used"}} / 1048576')


def _used_connections(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    yield RecordingRule(alias, f'{row.prometheus_name}{{{label_name(semconv.DB_CONNECTION_STATE)}="used"}}')


def _all_connections(alias: str, row: InstrumentSpec) -> Iterator[RecordingRule]:
    labels = ", ".join(label_name(key) for key in row.attributes)
    yield RecordingRule(alias, f"sum without ({labels}) ({row.prometheus_name})")


_FORMS: Final[Mapping[str, Callable[[str, InstrumentSpec], Iterable[RecordingRule]]]] = MappingProxyType(
    {
        "candle_processing_latency_ns": _quantiles_in_nanoseconds,
        "candle_processing_count": _count,
        "engine_cycle_time": _with_mean,
        "trade_pnl": _with_mean,
        "http_requests_total": _count,
        "http_errors_total": _failed,
        "database_connection_pool_usage": _used_connections,
        "system_cpu_usage_percent": _cpu_percent,
        "cpu_percent": _cpu_percent,
        "memory_percent": _used_percent,
        "memory_used_mb": _used_mebibytes,
        "disk_usage_percent": _percent,
        "network_connections": _all_connections,
    }
)

"""A metrics logger: `log_metric` and its relatives for engine cycles, scans and trades, and summaries of what was logged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from ticktrace import semconv
from ticktrace.catalog import Kind
from ticktrace.compat._names import written
from ticktrace.engine import contained, report, warn_once
from ticktrace.errors import CatalogError
from ticktrace.measuring import NAMES, current_target, keys_of, site_of

if TYPE_CHECKING:
    from ticktrace.compat._names import Written
    from ticktrace.measuring import Site, Stats

__all__ = ["MetricsLogger", "get_metrics_logger"]

# Its records reach whatever `logging` is set up for, with their trace where `logs.capture` is on.
_log = logging.getLogger("ticktrace.metrics")

_MOST_NAMES: Final = 1_000  # wrong names that are remembered as such, and right ones
_MEBIBYTE: Final = 1024 * 1024

# What became of the words for trade events; an event that is none of these is said in the log alone.
_TRADE_EVENTS: Final[Mapping[str, str]] = {
    "trade_opened": "trading.trades.executed",
    "trade_closed": "trading.trades.executed",
    "trade_executed": "trading.trades.executed",
    "trade_rejected": "trading.trades.rejected",
    "stop_loss": "trading.stop_loss.triggers",
    "take_profit": "trading.take_profit.triggers",
}
_OPENS: Final = frozenset({"trade_opened"})


class MetricsLogger:
    """Records metrics by name; made by `get_metrics_logger`. Thread-safe; nothing in it raises or blocks.

    What cannot be a label (`metadata`, quantities, prices) is said in a debug record of the logger ``ticktrace.metrics``.
    """

    @contained(None)
    def log_metric(
        self,
        name: str,
        value: float,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a value: add it to a counter, set a gauge to it, observe it on a histogram.

        Args:
            name: an instrument, by its old name, its name in Prometheus or its own. One that is none is not recorded; that is
                logged with the names that look like it, and counted in ``ticktrace.dropped``, reason ``unknown_metric``.
            value: in the unit that the name says.
            tags: labels; those that the instrument does not allow are left out with a warning.
            metadata: anything else that is worth a line in the log.
        """
        named = _written(name)
        if isinstance(named, str):
            warn_once(f"log_metric.{name!s:.40}", "ticktrace: log_metric: %s; it is not recorded", named)
            target = current_target()
            if target is not None:
                target.dropped("unknown_metric")
            return
        given = keys_of(named.spec, tags or {}, f"log_metric({name!r:.40})")
        _record(site_of(named.spec, given), value * named.factor)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s=%s %s", name, value, _spoken(tags, metadata))

    @contained(None)
    def log_engine_cycle(
        self,
        cycle_time: float,
        state: str,
        positions_count: int = 0,
        signals_count: int = 0,
        orders_count: int = 0,
    ) -> None:
        """A cycle of the engine is over: its time by state, what it had to work on, and a heartbeat.

        Args:
            cycle_time: seconds.
            state: the engine's state, one of few.
            positions_count: positions that are open.
            signals_count: signals that the cycle had to work on.
            orders_count: orders that are open.
        """
        _write("trading.engine.cycle.duration", cycle_time, {semconv.ENGINE_STATE: state})
        _write("trading.engine.positions.open", positions_count)
        _write("trading.engine.signals.active", signals_count)
        _write("trading.engine.orders.open", orders_count)
        _write("trading.engine.heartbeat.timestamp", time.time())
        if _log.isEnabledFor(logging.DEBUG):
            said = {"positions": positions_count, "signals": signals_count, "orders": orders_count}
            _log.debug("engine cycle of %s s in state %s %s", cycle_time, state, _spoken(said))

    @contained(None)
    def log_scanner_metrics(
        self,
        symbols_scanned: int,
        candidates_found: int,
        scan_time: float,
        filters_applied: Mapping[str, int] | Iterable[str] | None = None,
        *,
        scanner: str = "scanner",
    ) -> None:
        """A scan is over.

        Args:
            symbols_scanned: how many symbols it looked at.
            candidates_found: how many passed every filter.
            scan_time: seconds.
            filters_applied: how many symbols each filter took out. Of names without numbers there is nothing to count; they
                are said in the log.
            scanner: its name, one of few.
        """
        labels = {semconv.SCANNER_NAME: scanner}
        _write("trading.scanner.scan.duration", scan_time, labels)
        _write("trading.scanner.symbols.scanned", symbols_scanned, labels)
        _write("trading.scanner.candidates.found", candidates_found, labels)
        if isinstance(filters_applied, Mapping):
            for name, symbols in filters_applied.items():
                _write("trading.scanner.filtered", symbols, {**labels, semconv.FILTER_NAME: name})
        if _log.isEnabledFor(logging.DEBUG):
            said = {"symbols": symbols_scanned, "candidates": candidates_found}
            filtered = ", ".join(map(str, filters_applied or ()))
            _log.debug("scan of %s s by %s %s filters=%s", scan_time, scanner, _spoken(said), filtered)

    @contained(None)
    def log_trade_event(  # noqa: PLR0917  the signature that callers have
        self,
        event_type: str,
        symbol: str,
        side: str,
        quantity: float,
        price: float,
        pnl: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        strategy: str | None = None,
    ) -> None:
        """Something happened to a trade.

        Args:
            event_type: ``trade_opened``, ``trade_closed`` and ``trade_executed`` count an executed trade, ``trade_rejected`` a
                rejected one, ``stop_loss`` and ``take_profit`` a trigger.
            symbol: what was traded.
            side: buy or sell.
            quantity: how much.
            price: at which price; times `quantity` it is the size of a position that was opened.
            pnl: what a closed trade brought.
            metadata: anything else that is worth a line in the log.
            strategy: whose trade it was.
        """
        labels = {semconv.SYMBOL: symbol, semconv.ORDER_SIDE: side}
        if strategy is not None:
            labels[semconv.STRATEGY_NAME] = strategy
        counter = _TRADE_EVENTS.get(event_type)
        if counter is not None:
            _write(counter, 1, labels)
        if event_type in _OPENS:
            _write("trading.position.size", float(quantity) * float(price), labels)
        if pnl is not None:
            _write("trading.trade.profit_loss", float(pnl), labels)
        if _log.isEnabledFor(logging.DEBUG):
            said = {"symbol": symbol, "side": side, "quantity": quantity, "price": price, "pnl": pnl}
            _log.debug("%s %s", event_type, _spoken(said, metadata))

    def get_metrics_summary(self, metric_name: str, last_n: int | None = None) -> dict[str, float]:
        """What a metric was like lately.

        Histograms are known whoever records them, counters and gauges only as far as this logger did; a counter's values
        are its increments.

        Args:
            metric_name: see `log_metric`.
            last_n: only the newest so many values; all that are kept by default.

        Returns:
            ``count``, ``mean``, ``min``, ``max``, ``latest``, ``timestamp`` of the latest, ``p50``, ``p95``, ``p99``, ``p99.9``;
            empty where there is no value.
        """
        target = current_target()
        if target is None:
            return {}
        try:
            return _figures(target.statistics.of(metric_name, last=last_n))
        except Exception as error:  # noqa: BLE001  the barrier
            report("get_metrics_summary", error)
            return {}

    def get_all_metrics(self, last_n: int | None = None) -> dict[str, dict[str, float]]:
        """`get_metrics_summary` of every instrument of which values are kept, by its OpenTelemetry name."""
        target = current_target()
        names = () if target is None else target.statistics.instruments()
        summaries = {name: self.get_metrics_summary(name, last_n) for name in names}
        return {name: summary for name, summary in summaries.items() if summary}

    @contained(None)
    def clear_metrics(self) -> None:
        """Forget the values that summaries are made of; what is exported does not change."""
        target = current_target()
        if target is not None:
            target.statistics.clear()

    def get_performance_summary(self) -> dict[str, float]:
        """How the process and its host are doing at this moment, read when asked.

        Returns:
            ``cpu_percent`` and ``memory_percent`` of the host, ``memory_used_mb`` of the process, ``disk_usage_percent`` of the
            working directory's disk, ``active_threads``, ``open_files``, ``network_connections`` and ``timestamp``. What the
            system does not tell is left out.
        """
        process = psutil.Process()
        figures: dict[str, float] = {}
        for name, read in (
            ("cpu_percent", psutil.cpu_percent),
            ("memory_percent", lambda: psutil.virtual_memory().percent),
            ("memory_used_mb", lambda: process.memory_info().rss / _MEBIBYTE),
            ("disk_usage_percent", lambda: psutil.disk_usage(str(Path.cwd())).percent),
            ("active_threads", threading.active_count),
            ("open_files", process.num_fds),
            ("network_connections", lambda: len(process.net_connections())),
            ("timestamp", time.time),
        ):
            try:
                figures[name] = float(read())
            except Exception as error:  # noqa: BLE001  some systems and containers do not tell
                _log.debug("%s cannot be read: %r", name, error)
        return figures


_LOGGER: Final = MetricsLogger()


def get_metrics_logger() -> MetricsLogger:
    """The metrics logger; one serves the whole process."""
    return _LOGGER


@lru_cache(maxsize=_MOST_NAMES)
def _written(name: str) -> Written | str:
    """What a name is recorded on, or why it cannot be."""
    try:
        return written(name)
    except CatalogError as error:
        return str(error)


def _write(name: str, value: float, given: Mapping[str, Any] | None = None) -> None:
    spec = NAMES.find(name)
    allowed = {key: word for key, word in (given or {}).items() if key in spec.attributes}
    _record(site_of(spec, allowed), value)


def _record(site: Site, value: float) -> None:
    site.write(value)
    if site.spec.kind is not Kind.HISTOGRAM:  # histograms' values are kept by the engine
        target = current_target()
        if target is not None:
            labels = target.labels(site.given)
            allowed = {key: word for key, word in labels.items() if key in site.spec.attributes}
            target.statistics.keep(site.spec.name.lower(), allowed, value)


def _figures(stats: Stats) -> dict[str, float]:
    if not stats.count:
        return {}
    return {
        "count": stats.count,
        "mean": stats.mean,
        "min": stats.min,
        "max": stats.max,
        "latest": stats.latest,
        "timestamp": stats.latest_time,
        **{f"p{percent:g}": value for percent, value in stats.percentiles.items()},
    }


def _spoken(*mappings: Mapping[str, Any] | None) -> str:
    return " ".join(f"{key}={value}" for mapping in mappings if mapping for key, value in mapping.items())

"""The bot at a glance: engine, trading, scanner; the process, and how trading goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from ticktrace import semconv
from ticktrace.engine import text_of
from ticktrace.web.api._models import (
    EngineSummary,
    Performance,
    ScannerSummary,
    Span,
    Summary,
    System,
    TradingPerformance,
    TradingSummary,
)
from ticktrace.web.api._numbers import attributes_of, finite, latest, statistic, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.engine import SeriesTotal
    from ticktrace.runtime import Figures, ResourceMonitor
    from ticktrace.web.api._handle import ApiHandle
    from ticktrace.web.api._models import Statistic

__all__ = ["Overview", "engine_states", "first_figures", "heartbeat_age"]

_MEBIBYTE: Final = 1024 * 1024
_FIRST_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.02
_MOST_ROWS: Final = 1_000

_GAUGES: Final[Mapping[str, str]] = {
    "pnl_realized": "trading.pnl.realized",
    "pnl_unrealized": "trading.pnl.unrealized",
    "pnl_daily": "trading.pnl.daily",
    "win_rate": "trading.win_rate",
    "average_win": "trading.average_win",
    "average_loss": "trading.average_loss",
    "profit_factor": "trading.profit_factor",
    "sharpe_ratio": "trading.sharpe_ratio",
    "drawdown_ratio": "trading.drawdown.ratio",
    "drawdown_max_ratio": "trading.drawdown.max_ratio",
    "trades_per_hour": "trading.trades.per_hour",
    "trades_per_day": "trading.trades.per_day",
}


def engine_states(totals: Mapping[str, list[SeriesTotal]]) -> list[str]:
    """The states that engines of this process are in."""
    found = (
        text_of(one.attributes.get(semconv.ENGINE_STATE, ""))
        for one in totals.get("trading.engine.state", ())
        if one.value == 1
    )
    return sorted({state for state in found if state})


def heartbeat_age(totals: Mapping[str, list[SeriesTotal]]) -> float | None:
    """Seconds since the last heartbeat of an engine; None where there was none."""
    beats = [one.value for one in totals.get("trading.engine.heartbeat.timestamp", ())]
    return max(0.0, time.time() - max(beats)) if beats else None


def first_figures(monitor: ResourceMonitor) -> Figures | None:
    """The last observation; waits for the first one, which takes milliseconds, a second at most."""
    until = time.monotonic() + _FIRST_SECONDS
    figures = monitor.current()
    while figures is None and monitor.running and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        figures = monitor.current()
    return figures


class Overview:
    """Makes the answers that show many instruments together. Every method blocks.

    Args:
        telemetry: what is asked.
    """

    def __init__(self, telemetry: ApiHandle) -> None:
        self._telemetry = telemetry

    def summary(self) -> Summary:
        """Engine, trading and scanner."""
        settings = self._telemetry.settings
        totals = self._telemetry.totals()

        def of(*names: str) -> float:
            return sum(total(totals.get(name, ())) for name in names)

        def gauge(name: str) -> float | None:
            return latest(totals.get(name, ()))

        return Summary(
            timestamp=time.time(),
            service=settings.service.name,
            mode=settings.mode,
            engine=EngineSummary(
                state=", ".join(engine_states(totals)) or None,
                uptime=_most(totals.get("trading.engine.uptime", ())),
                heartbeat_age=heartbeat_age(totals),
                positions_open=gauge("trading.engine.positions.open"),
                orders_open=gauge("trading.engine.orders.open"),
                signals_active=gauge("trading.engine.signals.active"),
                errors=of("trading.errors"),
                cycle_duration=self._statistic("trading.engine.cycle.duration"),
                candle_processing_duration=self._statistic("trading.candle.processing.duration"),
            ),
            trading=TradingSummary(
                signals_generated=of("trading.signals.generated"),
                signals_rejected=of("trading.signals.rejected"),
                orders_submitted=of("trading.orders.submitted"),
                orders_rejected=of("trading.orders.rejected"),
                order_fills=of("trading.order.fills"),
                trades_executed=of("trading.trades.executed"),
                trades_rejected=of("trading.trades.rejected"),
                trade_profit_loss=self._statistic("trading.trade.profit_loss"),
                trade_execution_duration=self._statistic("trading.trade.execution.duration"),
                tick_to_trade_duration=self._statistic("trading.tick_to_trade.duration"),
            ),
            scanner=ScannerSummary(
                symbols_scanned=of("trading.scanner.symbols.scanned"),
                candidates_found=of("trading.scanner.candidates.found"),
                filtered=of("trading.scanner.filtered"),
                scan_duration=self._statistic("trading.scanner.scan.duration"),
            ),
        )

    def performance(self) -> Performance:
        """The process at this moment, and how trading goes."""
        figures = first_figures(self._telemetry.watch_resources())
        rows: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        totals = self._telemetry.totals()
        for field, name in _GAUGES.items():
            for one in totals.get(name, ()):
                key = tuple(sorted(attributes_of(one.attributes).items()))
                if key in rows or len(rows) < _MOST_ROWS:
                    rows.setdefault(key, {})[field] = finite(one.value)
        memory = None if figures is None else figures.memory_bytes
        return Performance(
            timestamp=_of(figures, "unix"),
            cpu_percent=_of(figures, "cpu_percent"),
            memory_percent=_of(figures, "memory_percent"),
            memory_used_mb=None if memory is None else memory / _MEBIBYTE,
            disk_usage_percent=_of(figures, "disk_percent"),
            active_threads=_of(figures, "threads"),
            open_files=_of(figures, "open_files"),
            network_connections=_of(figures, "connections"),
            position_holding_duration=self._statistic("trading.position.holding.duration"),
            trading=[TradingPerformance(attributes=dict(key), **row) for key, row in sorted(rows.items())],
        )

    def system(self, minutes: float) -> System:
        """What the process took over the last so many minutes."""
        monitor = self._telemetry.watch_resources()
        figures = first_figures(monitor)
        summary = monitor.summary(minutes)
        return System(
            timestamp=_of(figures, "unix"),
            minutes=minutes,
            observations=summary.n,
            figures={name: Span(**span._asdict()) for name, span in summary.figures.items()},
            limits=dict(monitor.limits),
        )

    def _statistic(self, name: str) -> Statistic:
        return statistic(self._telemetry.statistics.of(name))


def _of(figures: Figures | None, name: str) -> Any:
    return None if figures is None else getattr(figures, name)


def _most(series: Iterable[SeriesTotal]) -> float | None:
    values = [one.value for one in series]
    return finite(max(values)) if values else None

"""Rows about strategies and the scanners that feed them."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import HOT_PATH, TASK
from ticktrace.catalog._labels import MODE, STRATEGY
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

_SCANNER = (semconv.SCANNER_NAME, semconv.VENUE, *MODE)

ROWS = (
    *group(
        "strategy",
        histogram(
            "trading.strategy.evaluation.duration",
            "s",
            "Time of one evaluation of a strategy.",
            HOT_PATH,
            (semconv.SYMBOL, semconv.TIMEFRAME, *STRATEGY, semconv.ERROR_TYPE),
            "strategy_evaluation_duration_seconds",
        ),
        counter(
            "trading.strategy.evaluations",
            "{evaluation}",
            "Evaluations of a strategy.",
            (semconv.SYMBOL, semconv.TIMEFRAME, *STRATEGY, semconv.ERROR_TYPE),
            "strategy_evaluations_total",
        ),
        gauge(
            "trading.strategy.signals.per_hour",
            # Not {signal}/h: Prometheus' own translator would append a second _per_hour.
            "{signal}",
            "Signals that a strategy emitted within the last hour.",
            STRATEGY,
            "strategy_signals_per_hour",
        ),
        gauge("trading.strategy.active", "{boolean}", "1 while the strategy trades, else 0.", STRATEGY),
        gauge(
            "trading.strategy.win_rate",
            "{ratio}",
            "Part of the strategy's closed trades that won, 0 to 1.",
            STRATEGY,
            "strategy_win_rate",
        ),
        gauge(
            "trading.strategy.profit_loss",
            "{currency}",
            "What the strategy has won or lost since the start, in the account currency.",
            STRATEGY,
            "strategy_profit_loss",
        ),
    ),
    *group(
        "scanner",
        histogram(
            "trading.scanner.scan.duration", "s", "Time of one scan.", TASK, (*_SCANNER, semconv.ERROR_TYPE)
        ),
        counter(
            "trading.scanner.symbols.scanned",
            "{symbol}",
            "Symbols that scans looked at.",
            _SCANNER,
            "scanner_symbols_scanned",
        ),
        counter(
            "trading.scanner.candidates.found",
            "{symbol}",
            "Symbols that passed every filter of a scan.",
            _SCANNER,
        ),
        counter(
            "trading.scanner.filtered",
            "{symbol}",
            "Symbols that a scan's filter took out.",
            (*_SCANNER, semconv.FILTER_NAME),
        ),
    ),
)

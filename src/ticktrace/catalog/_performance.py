"""Rows about money: what trading earned, and the risk it took."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import HOLDING, NOTIONAL, PROFIT_LOSS, R_MULTIPLE
from ticktrace.catalog._labels import MODE, RESULT
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

_RULE = (semconv.RISK_RULE, semconv.SYMBOL, semconv.STRATEGY_NAME, *MODE)

# Ratios whose names do not end in "ratio" carry an annotation instead of "1": Prometheus' own translator, behind the
# Collector and OTLP, appends _ratio to gauges of unit "1", the Python exporter does not, and names must agree.
ROWS = (
    *group(
        "performance",
        histogram(
            "trading.trade.profit_loss",
            "{currency}",
            "Result of a closed trade after fees, in the account currency.",
            PROFIT_LOSS,
            RESULT,
            "trade_pnl",
        ),
        gauge("trading.pnl.realized", "{currency}", "Realised profit or loss since the start.", RESULT),
        gauge(
            "trading.pnl.unrealized", "{currency}", "Profit or loss of the positions that are open.", RESULT
        ),
        gauge(
            "trading.pnl.daily",
            "{currency}",
            "Profit or loss since midnight of the trading day.",
            RESULT,
            "daily_profit_loss",
        ),
        gauge(
            "trading.pnl.monthly",
            "{currency}",
            "Profit or loss since the first of the month.",
            RESULT,
            "monthly_profit_loss",
        ),
        gauge(
            "trading.portfolio.value",
            "{currency}",
            "Cash and positions at market.",
            RESULT,
            "portfolio_value",
        ),
        gauge("trading.win_rate", "{ratio}", "Part of the closed trades that won, 0 to 1.", RESULT),
        gauge("trading.average_win", "{currency}", "Mean result of the trades that won.", RESULT),
        gauge("trading.average_loss", "{currency}", "Mean result of the trades that lost, negative.", RESULT),
        gauge("trading.profit_factor", "{ratio}", "Sum of wins divided by sum of losses.", RESULT),
        gauge("trading.sharpe_ratio", "1", "Mean return over its deviation, annualised.", RESULT),
        gauge(
            "trading.drawdown.ratio", "1", "How far equity is below its peak, as a part of the peak.", RESULT
        ),
        gauge("trading.drawdown.max_ratio", "1", "The deepest drawdown since the start.", RESULT),
        gauge(
            "trading.recovery.duration",
            "s",
            "Time from the latest peak until equity passed it, or until now while it has not.",
            RESULT,
        ),
        histogram(
            "trading.r_multiple",
            "1",
            "Result of a closed trade as a multiple of the risk taken.",
            R_MULTIPLE,
            RESULT,
        ),
        gauge(
            "trading.win_streak", "{trade}", "Trades won in a row, up to the latest.", RESULT, "win_streak"
        ),
        gauge(
            "trading.loss_streak", "{trade}", "Trades lost in a row, up to the latest.", RESULT, "loss_streak"
        ),
        gauge("trading.best_trade", "{currency}", "Result of the best trade since the start.", RESULT),
        gauge("trading.worst_trade", "{currency}", "Result of the worst trade since the start.", RESULT),
        histogram(
            "trading.position.holding.duration", "s", "Time that a closed position was held.", HOLDING, RESULT
        ),
        # Not {trade}/h and {trade}/d: Prometheus' own translator would append a second _per_hour.
        gauge("trading.trades.per_hour", "{trade}", "Trades closed within the last hour.", RESULT),
        gauge("trading.trades.per_day", "{trade}", "Trades closed within the last 24 hours.", RESULT),
    ),
    *group(
        "risk",
        counter("trading.risk.checks", "{check}", "Risk checks.", _RULE),
        counter(
            "trading.risk.checks.failed", "{check}", "Risk checks that said no.", _RULE, "risk_checks_failed"
        ),
        counter("trading.risk.limit.hits", "{hit}", "Times that a risk limit was reached.", _RULE),
        counter("trading.stop_loss.triggers", "{trigger}", "Stop losses that were triggered.", RESULT),
        counter("trading.take_profit.triggers", "{trigger}", "Profit targets that were triggered.", RESULT),
        histogram(
            "trading.position.size",
            "{currency}",
            "What was put into a position when it was opened, in the account currency.",
            NOTIONAL,
            (*RESULT, semconv.ORDER_SIDE, semconv.CONFIDENCE_BAND),
        ),
        gauge("trading.exposure.ratio", "1", "Value of all positions as a part of equity.", RESULT),
        gauge(
            "trading.position.mismatch",
            "{unit}",
            "Local position minus the venue's, in units of what is traded.",
            (semconv.VENUE, semconv.SYMBOL, *MODE),
        ),
        counter(
            "trading.pdt.avoided",
            "{trade}",
            "Trades left out to stay below the pattern day trader rule.",
            RESULT,
        ),
        gauge(
            "trading.pdt.day_trades",
            "{trade}",
            "Day trades within the window that the pattern day trader rule counts, five business days.",
            (semconv.VENUE, *MODE),
        ),
        counter(
            "trading.cash_account.violations",
            "{violation}",
            "Breaches of the rules for cash accounts.",
            (*RESULT, semconv.VIOLATION_TYPE),
        ),
    ),
)

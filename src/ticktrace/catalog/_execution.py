"""Rows about orders on their way to the venue and back."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import EXECUTION, FILL, HOT_PATH, SLIPPAGE_AMOUNT, SLIPPAGE_BPS
from ticktrace.catalog._labels import MODE, ORDER
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

ROWS = group(
    "execution",
    counter(
        "trading.trades.executed",
        "{trade}",
        "Orders that were filled completely.",
        ORDER,
        "trades_executed_total",
    ),
    counter(
        "trading.trades.rejected",
        "{trade}",
        "Trades that were wanted and refused, by the venue or before the order left.",
        (*ORDER, semconv.ORDER_REJECT_REASON),
        "trades_rejected_total",
    ),
    histogram(
        "trading.trade.execution.duration",
        "s",
        "Time from the signal to the venue's acknowledgement of the order.",
        EXECUTION,
        (*ORDER, semconv.ERROR_TYPE),
        "trade_execution_duration_seconds",
    ),
    histogram(
        "trading.tick_to_trade.duration",
        "s",
        "Time from receiving the data to the order's request leaving.",
        HOT_PATH,
        ORDER,
    ),
    histogram(
        "trading.order.prepare.duration",
        "s",
        "Time from the start of the order to its request leaving.",
        HOT_PATH,
        ORDER,
    ),
    histogram(
        "trading.order.submit.duration",
        "s",
        "Time from the order's request leaving to the venue's acknowledgement or rejection.",
        EXECUTION,
        (*ORDER, semconv.ERROR_TYPE),
    ),
    histogram(
        "trading.order.fill.duration",
        "s",
        "Time from the order's request leaving to its last fill.",
        FILL,
        ORDER,
        "order_fill_duration_seconds",
    ),
    counter("trading.orders.submitted", "{order}", "Orders whose request left for the venue.", ORDER),
    counter(
        "trading.orders.rejected",
        "{order}",
        "Orders that were refused.",
        (*ORDER, semconv.ORDER_REJECT_REASON),
    ),
    # Not in the seeds: partial fills are invisible in the trade counter, and every fill has its span.
    counter(
        "trading.order.fills",
        "{fill}",
        "Fills, partial ones included, by the status that each left its order in.",
        (
            semconv.VENUE,
            semconv.SYMBOL,
            semconv.STRATEGY_NAME,
            semconv.ORDER_SIDE,
            semconv.ORDER_STATUS,
            *MODE,
        ),
    ),
    gauge(
        "trading.order.reject.ratio",
        "1",
        "Part of the recent orders that were rejected, 0 to 1.",
        (semconv.VENUE, *MODE),
    ),
    histogram(
        "trading.slippage.amount",
        "{currency}",
        "Fill price against expected price for one unit, in the quote currency; positive when it cost money.",
        SLIPPAGE_AMOUNT,
        ORDER,
        "slippage_amount",
    ),
    histogram(
        "trading.slippage.bps",
        # UCUM has no basis point, and a bare word would come back as a suffix: slippage_bps_bp.
        "{bp}",
        "Fill price against expected price in basis points; positive when it cost money.",
        SLIPPAGE_BPS,
        ORDER,
    ),
)

"""Rows about data coming in and what is decided on it."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import CONFIDENCE, DELAY, HOT_PATH
from ticktrace.catalog._labels import DECISION, MARKET, MODE
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

_STREAM = (semconv.VENUE, semconv.SYMBOL, *MODE)

ROWS = (
    *group(
        "market data",
        histogram(
            "trading.candle.processing.duration",
            "s",
            "Time from receiving a candle until everything it set off in the same block was done.",
            HOT_PATH,
            (*MARKET, semconv.ERROR_TYPE),
            "candle_processing_latency_ns",
            "candle_processing_count",
        ),
        histogram(
            "trading.candle.delay",
            "s",
            "Wall clock minus close time of the candle when it was received.",
            DELAY,
            MARKET,
        ),
        gauge(
            "trading.candle.last_close.timestamp",
            "s",
            "Close time of the latest candle, market time, in seconds since 1970 UTC.",
            MARKET,
        ),
        counter(
            "trading.candle.gaps",
            "{gap}",
            "Times that one or more candles were missing between two received one after the other.",
            MARKET,
        ),
        counter("trading.candles.processed", "{candle}", "Candles processed.", MARKET),
        histogram(
            "trading.buffer.update.duration",
            "s",
            "Time to put new data into the application's own buffers and indicators.",
            HOT_PATH,
            MARKET,
        ),
        counter(
            "trading.stream.messages",
            "{message}",
            "Messages received on a market data stream.",
            (*_STREAM, semconv.TIMEFRAME),
        ),
        counter(
            "trading.stream.disconnects",
            "{disconnect}",
            "Ends of a market data stream.",
            (*_STREAM, semconv.TIMEFRAME, semconv.DISCONNECT_REASON),
        ),
        gauge(
            "trading.stream.last_message.timestamp",
            "s",
            "When the latest message of a market data stream arrived, in seconds since 1970 UTC.",
            (*_STREAM, semconv.TIMEFRAME),
        ),
    ),
    *group(
        "decision",
        histogram(
            "trading.decision.duration",
            "s",
            "Time from the signal to the decision to act on it or not.",
            HOT_PATH,
            DECISION,
            "trading_decision_duration_seconds",
        ),
        histogram(
            "trading.signal.generation.duration",
            "s",
            "Time that a strategy took to reach its verdict on one candle.",
            HOT_PATH,
            (*DECISION, semconv.ERROR_TYPE),
            "signal_generation_duration_seconds",
        ),
        counter(
            "trading.signals.generated",
            "{signal}",
            "Signals that strategies emitted.",
            (*DECISION, semconv.SIGNAL_TYPE),
            "signals_generated_total",
        ),
        counter(
            "trading.signals.rejected",
            "{signal}",
            "Signals that were not acted upon.",
            (*DECISION, semconv.SIGNAL_TYPE, semconv.SIGNAL_REJECT_REASON),
        ),
        histogram(
            "trading.signal.confidence",
            "1",
            "How sure the strategy was of a signal, 0 to 1.",
            CONFIDENCE,
            (*DECISION, semconv.SIGNAL_TYPE),
            "signal_confidence",
        ),
        counter(
            "trading.filter.evaluations",
            "{evaluation}",
            "Verdicts of filters and signal conditions.",
            (*DECISION, semconv.FILTER_NAME, semconv.FILTER_RESULT),
        ),
    ),
)

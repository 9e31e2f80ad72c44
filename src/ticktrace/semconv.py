"""Semantic conventions for trading: attribute keys, their enumerations, span and event names.

No convention for trading exists in OpenTelemetry, FIX or FINOS. Rules of this one: lower case, dots, singular, nothing
both attribute and namespace, existing OpenTelemetry names reused, enumerations after FIX (the tag stands beside each).
The values of enumerations are what goes on the wire; members are strings and may be used as such.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from opentelemetry.semconv.attributes.db_attributes import DB_NAMESPACE, DB_OPERATION_NAME, DB_SYSTEM_NAME
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.network_attributes import NETWORK_PROTOCOL_VERSION
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CACHE_NAME",
    "CACHE_RESULT",
    "CANDLE_CLOSE_TIME",
    "CANDLE_GAP_COUNT",
    "CANDLE_OPEN_TIME",
    "COMPONENT",
    "CONFIDENCE_BAND",
    "CPYTHON_GC_GENERATION",
    "DB_CONNECTION_POOL_NAME",
    "DB_CONNECTION_STATE",
    "DB_NAMESPACE",
    "DB_OPERATION_NAME",
    "DB_SYSTEM_NAME",
    "DIAGNOSTIC_PASSED",
    "DIAGNOSTIC_PAYLOAD",
    "DIAGNOSTIC_REASON",
    "DIAGNOSTIC_STAGE",
    "DISCONNECT_REASON",
    "DROP_REASON",
    "ELAPSED",
    "ELAPSED_LIMIT",
    "ENGINE_MODE",
    "ENGINE_STATE",
    "ENGINE_TRANSITION_FROM",
    "ENGINE_TRANSITION_LEGAL",
    "ENGINE_TRANSITION_REASON",
    "ENGINE_TRANSITION_TO",
    "ENUMERATIONS",
    "ERROR_SEVERITY",
    "ERROR_SUPPRESSED",
    "ERROR_TYPE",
    "EVENT_CANDLE_GAP",
    "EVENT_CANDLE_OUT_OF_ORDER",
    "EVENT_CASH_VIOLATION",
    "EVENT_CYCLE_OVERRUN",
    "EVENT_DIAGNOSTIC",
    "EVENT_DROPPED",
    "EVENT_ENGINE_TRANSITION",
    "EVENT_ERROR",
    "EVENT_FILTER_EVALUATED",
    "EVENT_HANDLER_NAME",
    "EVENT_HANDLER_SLOW",
    "EVENT_JITTER_GC",
    "EVENT_JITTER_LOOP",
    "EVENT_JITTER_RATE_LIMIT",
    "EVENT_ORDER_ACKNOWLEDGED",
    "EVENT_ORDER_CANCELED",
    "EVENT_ORDER_EXPIRED",
    "EVENT_ORDER_REJECTED",
    "EVENT_ORDER_SUBMITTED",
    "EVENT_PDT_AVOIDED",
    "EVENT_POSITION_MISMATCH",
    "EVENT_POSITION_SIZED",
    "EVENT_PROVIDER_RATE_LIMITED",
    "EVENT_PROVIDER_RETRIED",
    "EVENT_PROVIDER_WAITED",
    "EVENT_RISK_CHECKED",
    "EVENT_RISK_LIMIT_HIT",
    "EVENT_SENTIMENT_DIVERGED",
    "EVENT_SIGNAL_GENERATED",
    "EVENT_SIGNAL_REJECTED",
    "EVENT_SLO_RECOVERED",
    "EVENT_SLO_VIOLATED",
    "EVENT_STOP_LOSS_TRIGGERED",
    "EVENT_TAKE_PROFIT_TRIGGERED",
    "EVENT_TIME",
    "EVENT_TYPE",
    "FILL_FEE",
    "FILL_PRICE",
    "FILL_QUANTITY",
    "FILTER_COMPARISON",
    "FILTER_NAME",
    "FILTER_RESULT",
    "FILTER_THRESHOLD",
    "FILTER_VALUE",
    "HTTP_REQUEST_METHOD",
    "HTTP_RESPONSE_STATUS_CODE",
    "HTTP_ROUTE",
    "JITTER_AT",
    "JITTER_CALLBACK",
    "JITTER_GC_DURATION",
    "JITTER_LOOP_DURATION",
    "JITTER_RATE_LIMIT_DURATION",
    "MEASURE_NAME",
    "METRIC_ATTRIBUTES",
    "NETWORK_PROTOCOL_VERSION",
    "NOTIFICATION_CHANNEL",
    "NOTIFICATION_RESULT",
    "ORDER_CLIENT_ID",
    "ORDER_EXPECTED_PRICE",
    "ORDER_ID",
    "ORDER_QUANTITY",
    "ORDER_REJECT_REASON",
    "ORDER_SIDE",
    "ORDER_STATUS",
    "ORDER_TYPE",
    "OTHER",
    "POSITION_QUANTITY",
    "POSITION_VALUE",
    "POSITION_VENUE_QUANTITY",
    "PROVIDER_NAME",
    "PROVIDER_OPERATION",
    "PROVIDER_RETRY_AFTER",
    "PYTHON_VERSION",
    "QUEUE_NAME",
    "REJECT_MESSAGE",
    "RISK_RULE",
    "SCANNER_NAME",
    "SCAN_CANDIDATES",
    "SCAN_CANDIDATE_COUNT",
    "SCAN_SYMBOL_COUNT",
    "SCHEMA_URL",
    "SENTIMENT_AGAINST",
    "SENTIMENT_SCORE",
    "SENTIMENT_WEIGHT",
    "SERVER_ADDRESS",
    "SERVER_PORT",
    "SESSION_ID",
    "SIGNAL_CONFIDENCE",
    "SIGNAL_PRICE",
    "SIGNAL_REJECT_REASON",
    "SIGNAL_TYPE",
    "SLO_CONDITION",
    "SLO_GOOD",
    "SLO_NAME",
    "SLO_TARGET",
    "SLO_TOTAL",
    "SLO_WINDOW",
    "SPAN_BUFFER_UPDATE",
    "SPAN_CANDLE",
    "SPAN_CYCLE",
    "SPAN_FILL",
    "SPAN_HANDLE",
    "SPAN_OBJECTIVE",
    "SPAN_ONLY_ATTRIBUTES",
    "SPAN_ORDER",
    "SPAN_PROVIDER",
    "SPAN_SCAN",
    "SPAN_SENTIMENT",
    "SPAN_SIGNAL",
    "STRATEGY_NAME",
    "SYMBOL",
    "SYSTEM_FILESYSTEM_MOUNTPOINT",
    "SYSTEM_FILESYSTEM_STATE",
    "TELEMETRY_BUFFER_NAME",
    "TELEMETRY_DISCARD_REASON",
    "TELEMETRY_DROP_REASON",
    "TELEMETRY_ENGINE",
    "TELEMETRY_INSTRUMENT_NAME",
    "TELEMETRY_KEEP_REASON",
    "TELEMETRY_VERSION",
    "TIMEFRAME",
    "TRIGGER_LEVEL",
    "TRIGGER_PRICE",
    "URL_SCHEME",
    "VENUE",
    "VIOLATION_TYPE",
    "CacheResult",
    "CashViolation",
    "ConfidenceBand",
    "DisconnectReason",
    "DropReason",
    "EngineMode",
    "FilterResult",
    "OrderRejectReason",
    "OrderStatus",
    "OrderType",
    "Side",
    "SignalRejectReason",
    "SignalType",
]

SCHEMA_URL: Final = "https://ticktrace.dev/schemas/0.1.0"
"""Identifies this version of the conventions on the instrumentation scope. An identifier: nothing fetches it."""

OTHER: Final = "other"
"""The value that stands for every one beyond a cap or outside an enumeration."""

# --- on metrics and spans: few values -------------------------------------------------------------------------------

VENUE: Final = "trading.venue"
"""Where orders go and data comes from: the exchange's or broker's id, e.g. ``binance``, ``ibkr``."""

SYMBOL: Final = "trading.symbol"
"""The instrument traded, as the venue or ccxt writes it. Capped: an allow-list or the first N, the rest ``other``."""

TIMEFRAME: Final = "trading.timeframe"
"""The length of a candle, e.g. ``1m``, ``5m``, ``1h``."""

STRATEGY_NAME: Final = "trading.strategy.name"
"""A declared strategy."""

ENGINE_MODE: Final = "trading.engine.mode"
"""Whether money is at stake."""

ENGINE_STATE: Final = "trading.engine.state"
"""A state that the application declared, e.g. ``idle``, ``scanning``, ``signal_wait``, ``managing``."""

ENGINE_TRANSITION_FROM: Final = "trading.engine.transition.from"
"""The declared state that was left."""

ENGINE_TRANSITION_TO: Final = "trading.engine.transition.to"
"""The declared state that was entered."""

SIGNAL_TYPE: Final = "trading.signal.type"
"""What the strategy wants."""

SIGNAL_REJECT_REASON: Final = "trading.signal.reject.reason"
"""Why a signal was not acted upon."""

CONFIDENCE_BAND: Final = "trading.confidence.band"
"""How sure the strategy was, in three steps: low below 0.5, medium below 0.75, high from there."""

ORDER_SIDE: Final = "trading.order.side"
"""Whether the order buys or sells."""

ORDER_TYPE: Final = "trading.order.type"
"""How the order is to be executed."""

ORDER_STATUS: Final = "trading.order.status"
"""Where the order stands."""

ORDER_REJECT_REASON: Final = "trading.order.reject.reason"
"""Why an order was refused, by the venue or before it left."""

FILTER_NAME: Final = "trading.filter.name"
"""A declared filter or signal condition, e.g. ``atr_range``, ``volume``."""

FILTER_RESULT: Final = "trading.filter.result"
"""The verdict of a filter or condition."""

PROVIDER_NAME: Final = "trading.provider.name"
"""A data or broker API, or a sentiment source."""

PROVIDER_OPERATION: Final = "trading.provider.operation"
"""What was called: a method or a path template, never a full path."""

RISK_RULE: Final = "trading.risk.rule"
"""A declared rule, e.g. ``max_drawdown``, ``daily_loss``, ``position_size``, ``pdt``, ``cash_account``."""

VIOLATION_TYPE: Final = "trading.violation.type"
"""Which rule for cash accounts was broken."""

SCANNER_NAME: Final = "trading.scanner.name"
"""A declared scanner."""

COMPONENT: Final = "trading.component"
"""A declared part of the application, e.g. ``feed``, ``strategy``, ``execution``."""

DISCONNECT_REASON: Final = "trading.stream.disconnect.reason"
"""Why a market data stream ended."""

EVENT_TYPE: Final = "trading.event.type"
"""The class of an event on the bus: declared ones, never one name an event."""

EVENT_HANDLER_NAME: Final = "trading.event.handler.name"
"""The function that handles an event."""

DROP_REASON: Final = "trading.event.drop.reason"
"""Why an event on the bus was not handled."""

QUEUE_NAME: Final = "trading.queue.name"
"""A declared queue between parts of the application."""

CACHE_NAME: Final = "trading.cache.name"
"""A declared cache; which product it is says ``db.system.name``."""

CACHE_RESULT: Final = "trading.cache.result"
"""Whether a cache had what was asked for."""

# OpenTelemetry's names that the package of stable conventions does not export yet.
CPYTHON_GC_GENERATION: Final = "cpython.gc.generation"
"""The generation that was collected: 0, 1 or 2."""

DB_CONNECTION_POOL_NAME: Final = "db.client.connection.pool.name"
"""The connection pool."""

DB_CONNECTION_STATE: Final = "db.client.connection.state"
"""``idle`` or ``used``."""

SYSTEM_FILESYSTEM_MOUNTPOINT: Final = "system.filesystem.mountpoint"
"""Where the filesystem is mounted."""

SYSTEM_FILESYSTEM_STATE: Final = "system.filesystem.state"
"""``used``, ``free`` or ``reserved``."""

PYTHON_VERSION: Final = "process.runtime.version"
"""The version of the interpreter."""

MEASURE_NAME: Final = "ticktrace.measure.name"
"""What `ticktrace.measure` was told to call a piece of the application's code, e.g. ``rebalance``."""

TELEMETRY_BUFFER_NAME: Final = "ticktrace.buffer.name"
"""Which of ticktrace's bounded buffers."""

TELEMETRY_DROP_REASON: Final = "ticktrace.drop.reason"
"""Why something recorded was lost, e.g. ``queue_full``, ``export_failed``."""

TELEMETRY_KEEP_REASON: Final = "ticktrace.keep.reason"
"""Why a trace was kept, e.g. ``order``, ``error``, ``rejected``, ``slow``, ``sampled``."""

TELEMETRY_DISCARD_REASON: Final = "ticktrace.discard.reason"
"""Why a trace was not kept, e.g. ``boring``, ``not_sampled``."""

TELEMETRY_INSTRUMENT_NAME: Final = "ticktrace.instrument.name"
"""The instrument that a figure about telemetry speaks of."""

TELEMETRY_ENGINE: Final = "ticktrace.engine"
"""The engine behind the API: ``sdk`` or ``deferred``."""

TELEMETRY_VERSION: Final = "ticktrace.version"
"""The version of ticktrace."""

SLO_NAME: Final = "ticktrace.slo.name"
"""An objective, as the settings call it."""

SLO_WINDOW: Final = "ticktrace.slo.window"
"""The time over which a figure of an objective was computed: ``5m``, ``30m``, ``1h``, ``6h``."""

SLO_CONDITION: Final = "ticktrace.slo.condition"
"""Why an objective is violated: ``missed``, ``fast_burn``, ``slow_burn``."""

NOTIFICATION_CHANNEL: Final = "ticktrace.notification.channel"
"""Whom a message was for: the kind of service and its place in the settings, e.g. ``slack-1``."""

NOTIFICATION_RESULT: Final = "ticktrace.notification.result"
"""What became of a message: ``sent``, ``failed``."""

# --- on spans, events and logs only: without bound -------------------------------------------------------------------

SLO_GOOD: Final = "ticktrace.slo.good"
"""How many events of an objective's window were good."""

SLO_TOTAL: Final = "ticktrace.slo.total"
"""How many events an objective's window had."""

SLO_TARGET: Final = "ticktrace.slo.target"
"""The share of events that an objective wants to be good."""

ORDER_ID: Final = "trading.order.id"
"""The venue's id of the order (FIX OrderID, 37)."""

ORDER_CLIENT_ID: Final = "trading.order.client_id"
"""Our own id of the order (FIX ClOrdID, 11)."""

ORDER_QUANTITY: Final = "trading.order.quantity"
"""The quantity ordered (FIX OrderQty, 38), as a string where a float would lose digits."""

ORDER_EXPECTED_PRICE: Final = "trading.order.expected_price"
"""The price the decision was made at; slippage is measured from it. A string where a float would lose digits."""

FILL_PRICE: Final = "trading.fill.price"
"""The price of this fill (FIX LastPx, 31), as a string where a float would lose digits."""

FILL_QUANTITY: Final = "trading.fill.quantity"
"""The quantity of this fill (FIX LastQty, 32), as a string where a float would lose digits."""

FILL_FEE: Final = "trading.fill.fee"
"""What the venue charged for this fill (FIX Commission, 12), as a string where a float would lose digits."""

SIGNAL_CONFIDENCE: Final = "trading.signal.confidence"
"""How sure the strategy is, 0 to 1."""

SIGNAL_PRICE: Final = "trading.signal.price"
"""The price at which the signal arose, as a string where a float would lose digits."""

FILTER_VALUE: Final = "trading.filter.value"
"""What a filter or condition looked at."""

FILTER_THRESHOLD: Final = "trading.filter.threshold"
"""What it was compared with."""

FILTER_COMPARISON: Final = "trading.filter.comparison"
"""How: ``>=``, ``>``, ``<=``, ``<``, ``==``, ``!=``."""

DIAGNOSTIC_STAGE: Final = "trading.diagnostic.stage"
"""Which step of the way from candle to fill a diagnostic is about."""

DIAGNOSTIC_REASON: Final = "trading.diagnostic.reason"
"""Why something was not done, as one of few words."""

DIAGNOSTIC_PASSED: Final = "trading.diagnostic.passed"
"""The verdict."""

DIAGNOSTIC_PAYLOAD: Final = "trading.diagnostic.payload"
"""Anything else that was recorded, as JSON."""

EVENT_TIME: Final = "trading.event.time_unix_nano"
"""Market time of what the span is about, in nanoseconds since 1970 UTC; span times are the machine's."""

CANDLE_OPEN_TIME: Final = "trading.candle.open_time"
"""When the candle opened, market time, ISO 8601 in UTC."""

CANDLE_CLOSE_TIME: Final = "trading.candle.close_time"
"""When the candle closed, market time, ISO 8601 in UTC."""

CANDLE_GAP_COUNT: Final = "trading.candle.gap_count"
"""How many candles are missing before this one."""

ENGINE_TRANSITION_LEGAL: Final = "trading.engine.transition.legal"
"""Whether the application declared this change of state."""

ENGINE_TRANSITION_REASON: Final = "trading.engine.transition.reason"
"""Why the state changed, in free text."""

ELAPSED: Final = "trading.elapsed"
"""How long it took, in seconds."""

ELAPSED_LIMIT: Final = "trading.elapsed_limit"
"""How long it was allowed to take, in seconds."""

JITTER_GC_DURATION: Final = "trading.jitter.gc.duration"
"""How long garbage collections stopped it, in seconds."""

JITTER_LOOP_DURATION: Final = "trading.jitter.loop.duration"
"""How long callbacks blocked its event loop at least, in seconds."""

JITTER_RATE_LIMIT_DURATION: Final = "trading.jitter.rate_limit.duration"
"""How long its calls were held back to stay within rate limits, in seconds."""

JITTER_CALLBACK: Final = "trading.jitter.callback"
"""The callback or coroutine that blocked the event loop; the slowest of several."""

JITTER_AT: Final = "trading.jitter.at"
"""Where it was when it blocked, as function and line."""

SCAN_SYMBOL_COUNT: Final = "trading.scan.symbol_count"
"""How many symbols the scan looked at."""

SCAN_CANDIDATE_COUNT: Final = "trading.scan.candidate_count"
"""How many of them passed every filter."""

SCAN_CANDIDATES: Final = "trading.scan.candidates"
"""The symbols that passed, the first twenty of them."""

POSITION_QUANTITY: Final = "trading.position.quantity"
"""The position as the bot has it, negative for a short one; a string where a float would lose digits."""

POSITION_VENUE_QUANTITY: Final = "trading.position.venue_quantity"
"""The position as the venue has it; a string where a float would lose digits."""

POSITION_VALUE: Final = "trading.position.value"
"""What was put into the position, in the account currency; a string where a float would lose digits."""

TRIGGER_PRICE: Final = "trading.trigger.price"
"""The price that set off a stop or a target, as a string where a float would lose digits."""

TRIGGER_LEVEL: Final = "trading.trigger.level"
"""The price at which the stop or target stood, as a string where a float would lose digits."""

SESSION_ID: Final = "trading.session.id"
"""One run of the bot."""

REJECT_MESSAGE: Final = "trading.reject.message"
"""What the venue or the rule said, in free text."""

PROVIDER_RETRY_AFTER: Final = "trading.provider.retry_after"
"""How long the provider asked to be left alone, in seconds (HTTP ``Retry-After``)."""

SENTIMENT_SCORE: Final = "trading.sentiment.score"
"""The sentiment, -1 to 1."""

SENTIMENT_WEIGHT: Final = "trading.sentiment.weight"
"""Weight of a source in the aggregated sentiment, 0 to 1."""

SENTIMENT_AGAINST: Final = "trading.sentiment.against"
"""What a source disagreed with: another source, or ``price``."""

ERROR_SEVERITY: Final = "trading.error.severity"
"""How bad the application says an error is: ``debug``, ``info``, ``warning``, ``error``, ``critical``."""

ERROR_SUPPRESSED: Final = "trading.error.suppressed"
"""How many errors like this one were counted but not logged since the last that was."""

# --- spans and events ------------------------------------------------------------------------------------------------

SPAN_CANDLE: Final = "candle"
"""Root span, INTERNAL, named ``candle {timeframe}``: all that one candle set off."""

SPAN_SIGNAL: Final = "signal"
"""Child span, INTERNAL, named ``signal {strategy}``: one strategy's verdict."""

SPAN_ORDER: Final = "order"
"""Child span, PRODUCER, named ``order {side}``: from preparation to the venue's answer."""

SPAN_FILL: Final = "fill"
"""Span linked to its order: one fill, which may arrive much later and elsewhere."""

SPAN_BUFFER_UPDATE: Final = "buffer update"
"""Span, INTERNAL: the application's own buffers and indicators take up new data."""

SPAN_PROVIDER: Final = "provider"
"""Span, CLIENT, named ``provider {operation}``: one call to a data or broker API."""

SPAN_SENTIMENT: Final = "sentiment"
"""Span, INTERNAL, named ``sentiment {source}``: one calculation of a sentiment."""

SPAN_SCAN: Final = "scan"
"""Span, INTERNAL, named ``scan {scanner}``: one scan."""

SPAN_CYCLE: Final = "cycle"
"""Root span, INTERNAL, named ``cycle {state}``: one turn of the engine's main loop, where that was asked for."""

SPAN_HANDLE: Final = "handle"
"""Span, CONSUMER, named ``handle {event type}``: one handler's work on one event of the bus."""

SPAN_OBJECTIVE: Final = "objective"
"""Root span, INTERNAL, named ``objective {name}``: an objective was found violated."""

EVENT_FILTER_EVALUATED: Final = "trading.filter.evaluated"
"""A filter or condition was evaluated."""

EVENT_DIAGNOSTIC: Final = "trading.diagnostic"
"""The application has recorded something of its own; its attributes begin with ``trading.diagnostic.``."""

EVENT_SIGNAL_GENERATED: Final = "trading.signal.generated"
"""The strategy emitted a signal."""

EVENT_SIGNAL_REJECTED: Final = "trading.signal.rejected"
"""A signal was not acted upon."""

EVENT_ORDER_SUBMITTED: Final = "trading.order.submitted"
"""The request leaves for the venue."""

EVENT_ORDER_ACKNOWLEDGED: Final = "trading.order.acknowledged"
"""The venue took the order and named its id."""

EVENT_ORDER_REJECTED: Final = "trading.order.rejected"
"""The venue or a rule refused the order."""

EVENT_ORDER_CANCELED: Final = "trading.order.canceled"
"""The order was canceled."""

EVENT_ORDER_EXPIRED: Final = "trading.order.expired"
"""The order reached the end of its life."""

EVENT_CANDLE_GAP: Final = "trading.candle.gap"
"""Candles are missing before this one."""

EVENT_CANDLE_OUT_OF_ORDER: Final = "trading.candle.out_of_order"
"""The candle is no later than one received before."""

EVENT_RISK_CHECKED: Final = "trading.risk.checked"
"""A risk rule gave its verdict."""

EVENT_ENGINE_TRANSITION: Final = "trading.engine.transition"
"""The engine changed its state."""

EVENT_PROVIDER_RATE_LIMITED: Final = "trading.provider.rate_limited"
"""A provider refused a call because there were too many."""

EVENT_PROVIDER_RETRIED: Final = "trading.provider.retried"
"""A call to a provider failed and is made again."""

EVENT_PROVIDER_WAITED: Final = "trading.provider.waited"
"""A call was held back to stay within the provider's rate limit."""

EVENT_JITTER_GC: Final = "trading.jitter.gc"
"""A garbage collection stopped the process."""

EVENT_JITTER_LOOP: Final = "trading.jitter.loop"
"""A callback blocked the event loop."""

EVENT_JITTER_RATE_LIMIT: Final = "trading.jitter.rate_limit"
"""A call was held back to stay within a rate limit."""

EVENT_SENTIMENT_DIVERGED: Final = "trading.sentiment.diverged"
"""Sources disagreed, or sentiment and price."""

EVENT_ERROR: Final = "trading.error"
"""The application reported an error; as a log record always, on the current span where there is no exception."""

EVENT_CYCLE_OVERRUN: Final = "trading.engine.cycle.overrun"
"""A cycle of the engine took longer than its budget."""

EVENT_SLO_VIOLATED: Final = "ticktrace.slo.violated"
"""An objective is missed, or its error budget burns too fast."""

EVENT_SLO_RECOVERED: Final = "ticktrace.slo.recovered"
"""An objective that was violated is met again."""

EVENT_DROPPED: Final = "trading.event.dropped"
"""An event on the bus was not handled."""

EVENT_HANDLER_SLOW: Final = "trading.event.handler.slow"
"""A handler of the bus took longer than it should."""

EVENT_RISK_LIMIT_HIT: Final = "trading.risk.limit_hit"
"""A risk limit was reached."""

EVENT_STOP_LOSS_TRIGGERED: Final = "trading.stop_loss.triggered"
"""A stop loss was triggered."""

EVENT_TAKE_PROFIT_TRIGGERED: Final = "trading.take_profit.triggered"
"""A profit target was triggered."""

EVENT_POSITION_SIZED: Final = "trading.position.sized"
"""It was decided how large a position is to be."""

EVENT_POSITION_MISMATCH: Final = "trading.position.mismatched"
"""The venue has another position than the bot."""

EVENT_PDT_AVOIDED: Final = "trading.pdt.trade_avoided"
"""A trade was left out to stay below the pattern day trader rule."""

EVENT_CASH_VIOLATION: Final = "trading.cash_account.violated"
"""A rule for cash accounts was broken."""


class EngineMode(StrEnum):
    """Whether money is at stake (`ENGINE_MODE`)."""

    LIVE = "live"
    PAPER = "paper"
    BACKTEST = "backtest"


class SignalType(StrEnum):
    """What a strategy wants (`SIGNAL_TYPE`)."""

    LONG = "long"
    SHORT = "short"
    EXIT_LONG = "exit_long"
    EXIT_SHORT = "exit_short"
    NONE = "none"


class SignalRejectReason(StrEnum):
    """Why a signal was not acted upon (`SIGNAL_REJECT_REASON`)."""

    STALE_DATA = "stale_data"
    MAX_OPEN_TRADES = "max_open_trades"
    PAIR_LOCKED = "pair_locked"
    RISK_DENIED = "risk_denied"
    CONFIRM_DENIED = "confirm_denied"
    COOLDOWN = "cooldown"
    OTHER = "other"


class Side(StrEnum):
    """Whether an order buys or sells (`ORDER_SIDE`; FIX Side, 54)."""

    BUY = "buy"  # 54=1
    SELL = "sell"  # 54=2


class OrderType(StrEnum):
    """How an order is to be executed (`ORDER_TYPE`; FIX OrdType, 40)."""

    MARKET = "market"  # 40=1
    LIMIT = "limit"  # 40=2
    STOP = "stop"  # 40=3
    STOP_LIMIT = "stop_limit"  # 40=4


class OrderStatus(StrEnum):
    """Where an order stands (`ORDER_STATUS`; FIX ExecType, 150, with OrdStatus, 39, for the two kinds of fill)."""

    NEW = "new"  # 150=0
    PARTIALLY_FILLED = "partially_filled"  # 150=F, 39=1
    FILLED = "filled"  # 150=F, 39=2
    CANCELED = "canceled"  # 150=4
    REJECTED = "rejected"  # 150=8
    EXPIRED = "expired"  # 150=C


class OrderRejectReason(StrEnum):
    """Why an order was refused (`ORDER_REJECT_REASON`; after FIX OrdRejReason, 103).

    FIX leaves money, throttling and transport to 0 (broker's option) and 99 (other); bots ask about these first.
    """

    INSUFFICIENT_FUNDS = "insufficient_funds"  # 103=0 or 99
    INVALID_ORDER = "invalid_order"  # 103=11, unsupported characteristic, and 13, incorrect quantity
    RATE_LIMITED = "rate_limited"  # 103=0 or 99
    RISK_DENIED = "risk_denied"  # 103=3, order exceeds limit
    MARKET_CLOSED = "market_closed"  # 103=2, exchange closed
    DUPLICATE = "duplicate"  # 103=6, duplicate order
    NETWORK = "network"  # never reached the venue, so FIX has no word for it
    OTHER = "other"  # 103=99


class FilterResult(StrEnum):
    """The verdict of a filter or condition (`FILTER_RESULT`)."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    NEAR_MISS = "near_miss"


class DisconnectReason(StrEnum):
    """Why a market data stream ended (`DISCONNECT_REASON`)."""

    CLOSED = "closed"
    TIMEOUT = "timeout"
    STALE = "stale"
    NETWORK = "network"
    SHUTDOWN = "shutdown"
    OTHER = "other"


class DropReason(StrEnum):
    """Why an event on the bus was not handled (`DROP_REASON`)."""

    QUEUE_FULL = "queue_full"
    DISPLACED = "displaced"
    NO_HANDLER = "no_handler"
    CLOSED = "closed"
    SHUTDOWN = "shutdown"
    OTHER = "other"


class ConfidenceBand(StrEnum):
    """How sure the strategy was (`CONFIDENCE_BAND`)."""

    LOW = "low"  # below 0.5
    MEDIUM = "medium"  # below 0.75
    HIGH = "high"


class CashViolation(StrEnum):
    """Which rule for cash accounts was broken (`VIOLATION_TYPE`; after Regulation T of the Federal Reserve)."""

    GOOD_FAITH = "good_faith"  # bought with unsettled money, sold before that had settled
    FREE_RIDING = "free_riding"  # paid for a purchase with the sale of what was bought
    CASH_LIQUIDATION = "cash_liquidation"  # sold another holding to pay for it after the trade date
    UNSETTLED_FUNDS = "unsettled_funds"  # wanted more than the settled cash
    OTHER = "other"


class CacheResult(StrEnum):
    """Whether a cache had what was asked for (`CACHE_RESULT`)."""

    HIT = "hit"
    MISS = "miss"


ENUMERATIONS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType(
    {
        ENGINE_MODE: EngineMode,
        SIGNAL_TYPE: SignalType,
        SIGNAL_REJECT_REASON: SignalRejectReason,
        ORDER_SIDE: Side,
        ORDER_TYPE: OrderType,
        ORDER_STATUS: OrderStatus,
        ORDER_REJECT_REASON: OrderRejectReason,
        FILTER_RESULT: FilterResult,
        DISCONNECT_REASON: DisconnectReason,
        CACHE_RESULT: CacheResult,
        DROP_REASON: DropReason,
        CONFIDENCE_BAND: ConfidenceBand,
        VIOLATION_TYPE: CashViolation,
    }
)
"""The attributes whose values are fixed, with their enumeration."""

METRIC_ATTRIBUTES: Final[frozenset[str]] = frozenset(
    {
        CACHE_NAME,
        CACHE_RESULT,
        COMPONENT,
        CONFIDENCE_BAND,
        CPYTHON_GC_GENERATION,
        DB_CONNECTION_POOL_NAME,
        DB_CONNECTION_STATE,
        DB_NAMESPACE,
        DB_OPERATION_NAME,
        DB_SYSTEM_NAME,
        DISCONNECT_REASON,
        DROP_REASON,
        ENGINE_MODE,
        ENGINE_STATE,
        ENGINE_TRANSITION_FROM,
        ENGINE_TRANSITION_TO,
        ERROR_TYPE,
        EVENT_HANDLER_NAME,
        EVENT_TYPE,
        FILTER_NAME,
        FILTER_RESULT,
        HTTP_REQUEST_METHOD,
        HTTP_RESPONSE_STATUS_CODE,
        HTTP_ROUTE,
        MEASURE_NAME,
        NETWORK_PROTOCOL_VERSION,
        ORDER_REJECT_REASON,
        ORDER_SIDE,
        ORDER_STATUS,
        ORDER_TYPE,
        PROVIDER_NAME,
        PROVIDER_OPERATION,
        PYTHON_VERSION,
        QUEUE_NAME,
        RISK_RULE,
        SCANNER_NAME,
        SERVER_ADDRESS,
        SERVER_PORT,
        SIGNAL_REJECT_REASON,
        SIGNAL_TYPE,
        STRATEGY_NAME,
        SYMBOL,
        SYSTEM_FILESYSTEM_MOUNTPOINT,
        SYSTEM_FILESYSTEM_STATE,
        NOTIFICATION_CHANNEL,
        NOTIFICATION_RESULT,
        SLO_CONDITION,
        SLO_NAME,
        SLO_WINDOW,
        TELEMETRY_BUFFER_NAME,
        TELEMETRY_DISCARD_REASON,
        TELEMETRY_DROP_REASON,
        TELEMETRY_ENGINE,
        TELEMETRY_INSTRUMENT_NAME,
        TELEMETRY_KEEP_REASON,
        TELEMETRY_VERSION,
        TIMEFRAME,
        URL_SCHEME,
        VENUE,
        VIOLATION_TYPE,
    }
)
"""Keys with few values, which may stand on metrics. Spans may carry them too."""

SPAN_ONLY_ATTRIBUTES: Final[frozenset[str]] = frozenset(
    {
        DIAGNOSTIC_PASSED,
        DIAGNOSTIC_PAYLOAD,
        DIAGNOSTIC_REASON,
        DIAGNOSTIC_STAGE,
        CANDLE_CLOSE_TIME,
        CANDLE_GAP_COUNT,
        CANDLE_OPEN_TIME,
        ELAPSED,
        ELAPSED_LIMIT,
        ENGINE_TRANSITION_LEGAL,
        ENGINE_TRANSITION_REASON,
        ERROR_SEVERITY,
        ERROR_SUPPRESSED,
        EVENT_TIME,
        FILL_FEE,
        FILL_PRICE,
        FILL_QUANTITY,
        FILTER_COMPARISON,
        FILTER_THRESHOLD,
        FILTER_VALUE,
        JITTER_AT,
        JITTER_CALLBACK,
        JITTER_GC_DURATION,
        JITTER_LOOP_DURATION,
        JITTER_RATE_LIMIT_DURATION,
        ORDER_CLIENT_ID,
        ORDER_EXPECTED_PRICE,
        ORDER_ID,
        ORDER_QUANTITY,
        POSITION_QUANTITY,
        POSITION_VALUE,
        POSITION_VENUE_QUANTITY,
        PROVIDER_RETRY_AFTER,
        REJECT_MESSAGE,
        SCAN_CANDIDATES,
        SCAN_CANDIDATE_COUNT,
        SCAN_SYMBOL_COUNT,
        SENTIMENT_AGAINST,
        SENTIMENT_SCORE,
        SENTIMENT_WEIGHT,
        SESSION_ID,
        SIGNAL_CONFIDENCE,
        SIGNAL_PRICE,
        SLO_GOOD,
        SLO_TARGET,
        SLO_TOTAL,
        TRIGGER_LEVEL,
        TRIGGER_PRICE,
    }
)
"""Keys without bound: ids, prices, free text. On a metric each value would be a series of its own."""

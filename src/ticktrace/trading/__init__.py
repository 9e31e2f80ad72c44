"""Trading in OpenTelemetry's terms: market → candle → signal → order → fill, and the engine around them."""

from ticktrace.trading._recorder import Recorder
from ticktrace.trading._time import Timestamp
from ticktrace.trading.bus import EventBus, ObservedBus, Subscription, ThreadedEventBus
from ticktrace.trading.cache import Cache, CacheOperation
from ticktrace.trading.candle import Candle
from ticktrace.trading.compliance import Compliance
from ticktrace.trading.current import current_candle, current_signal
from ticktrace.trading.cycle import Cycle
from ticktrace.trading.database import Database, DatabaseOperation
from ticktrace.trading.diagnostics import Diagnostics
from ticktrace.trading.engine import EngineMonitor
from ticktrace.trading.failures import ErrorBlock, Failures, Severity
from ticktrace.trading.ledger import Ledger, LedgerConfig, Report, Trade
from ticktrace.trading.market import Market
from ticktrace.trading.order import Order
from ticktrace.trading.orders import OpenOrders
from ticktrace.trading.performance import Performance
from ticktrace.trading.positions import Positions
from ticktrace.trading.providers import Provider, ProviderCall
from ticktrace.trading.risk import Risk
from ticktrace.trading.scanner import Scan, Scanner
from ticktrace.trading.sentiment import Sentiment, SentimentCalculation
from ticktrace.trading.signal import Signal
from ticktrace.trading.strategies import Strategies, Strategy
from ticktrace.trading.trading import Trading
from ticktrace.trading.unhandled import Unhandled

__all__ = [
    "Cache",
    "CacheOperation",
    "Candle",
    "Compliance",
    "Cycle",
    "Database",
    "DatabaseOperation",
    "Diagnostics",
    "EngineMonitor",
    "ErrorBlock",
    "EventBus",
    "Failures",
    "Ledger",
    "LedgerConfig",
    "Market",
    "ObservedBus",
    "OpenOrders",
    "Order",
    "Performance",
    "Positions",
    "Provider",
    "ProviderCall",
    "Recorder",
    "Report",
    "Risk",
    "Scan",
    "Scanner",
    "Sentiment",
    "SentimentCalculation",
    "Severity",
    "Signal",
    "Strategies",
    "Strategy",
    "Subscription",
    "ThreadedEventBus",
    "Timestamp",
    "Trade",
    "Trading",
    "Unhandled",
    "current_candle",
    "current_signal",
]

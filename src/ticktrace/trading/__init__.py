"""Trading in OpenTelemetry's terms: market → candle → signal → order → fill, and the engine around them."""

from ticktrace.trading._recorder import Recorder
from ticktrace.trading._time import Timestamp
from ticktrace.trading.candle import Candle
from ticktrace.trading.engine import Cycle, EngineMonitor
from ticktrace.trading.market import Market
from ticktrace.trading.order import Order
from ticktrace.trading.orders import OpenOrders
from ticktrace.trading.performance import Performance
from ticktrace.trading.risk import Risk
from ticktrace.trading.scanner import Scan, Scanner
from ticktrace.trading.signal import Signal
from ticktrace.trading.trading import Trading, current_candle, current_signal

__all__ = [
    "Candle",
    "Cycle",
    "EngineMonitor",
    "Market",
    "OpenOrders",
    "Order",
    "Performance",
    "Recorder",
    "Risk",
    "Scan",
    "Scanner",
    "Signal",
    "Timestamp",
    "Trading",
    "current_candle",
    "current_signal",
]

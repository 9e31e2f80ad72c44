"""What is being processed here: found in the current context, wherever the trace has arrived."""

from __future__ import annotations

from ticktrace.trading._stage import current_stage
from ticktrace.trading.candle import Candle
from ticktrace.trading.order import Order
from ticktrace.trading.signal import Signal

__all__ = ["current_candle", "current_signal"]


def current_candle() -> Candle | None:
    """The candle that is being processed here, if one is."""
    stage = current_stage()
    if isinstance(stage, Order):
        return stage.signal.candle
    if isinstance(stage, Signal):
        return stage.candle
    return stage if isinstance(stage, Candle) else None


def current_signal() -> Signal | None:
    """The signal that is being evaluated here, if one is."""
    stage = current_stage()
    if isinstance(stage, Order):
        return stage.signal
    return stage if isinstance(stage, Signal) else None

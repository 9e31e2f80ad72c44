"""What travels over the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from breakout_bot.market import Candle
    from breakout_bot.money import OrderType, Side
    from breakout_bot.positions import ExitReason
    from breakout_bot.rejections import RejectReason
    from breakout_bot.strategies import Direction
    from ticktrace.trading import Signal

__all__ = ["CandleClosed", "OrderPlaced", "OrderRefused", "OrderWanted", "PositionAsked", "PositionTold"]


@dataclass(frozen=True, slots=True)
class CandleClosed:
    """Feed → engine."""

    candle: Candle


@dataclass(frozen=True, slots=True)
class OrderWanted:
    """Engine → execution. `signal` is the reason; the order's span becomes its child, whenever it is placed.

    An entry carries the stop and target that the position will have; an exit carries why it leaves.
    """

    signal: Signal
    strategy: str
    direction: Direction
    side: Side
    order_type: OrderType
    quantity: Decimal
    expected_price: Decimal
    limit_price: Decimal | None = None
    stop: float = 0.0
    target: float = 0.0
    exit_reason: ExitReason | None = None


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """Execution → engine: the exchange has taken the order."""

    order_id: str
    wanted: OrderWanted
    acknowledged_at: float


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """Execution → engine: the exchange has turned the order down, for good."""

    wanted: OrderWanted
    reason: RejectReason


@dataclass(frozen=True, slots=True)
class PositionAsked:
    """Engine → execution: what does the exchange say that we hold?"""


@dataclass(frozen=True, slots=True)
class PositionTold:
    """Execution → engine: this is what it says, in units; negative when short."""

    quantity: Decimal

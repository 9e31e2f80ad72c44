"""Decimal prices and quantities: what the venue accepts, and the rounding that gets there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from breakout_bot.market import Market

__all__ = ["MarketRules", "OrderType", "Side", "rules_for"]

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit"]


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The venue's grid: price steps, quantity steps, the smallest order, and its fees as a fraction of the value."""

    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    taker_fee: Decimal = Decimal("0.0004")
    maker_fee: Decimal = Decimal("0.0002")

    def price(self, value: float | Decimal) -> Decimal:
        """The nearest price on the grid."""
        return _to_grid(value, self.tick_size, ROUND_HALF_EVEN)

    def quantity(self, value: float | Decimal) -> Decimal:
        """The largest quantity on the grid that is not more than `value`."""
        return _to_grid(value, self.lot_size, ROUND_DOWN)


def rules_for(market: Market, equity: Decimal) -> MarketRules:
    """Rules in proportion to price and account: a lot is about a ten-thousandth of what the equity could buy."""
    affordable = equity / Decimal(repr(market.candles[0].close))
    lot = Decimal(1).scaleb(affordable.adjusted() - 4)
    return MarketRules(tick_size=market.tick_size, lot_size=lot, min_quantity=10 * lot)


def _to_grid(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return (exact / step).quantize(Decimal(1), rounding=rounding) * step

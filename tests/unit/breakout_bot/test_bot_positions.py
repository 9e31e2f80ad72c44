"""Positions and profit from fills: exact, whatever the pieces."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakout_bot.market import Candle
from breakout_bot.positions import PositionBook, Trade

if TYPE_CHECKING:
    from breakout_bot.strategies import Direction

PRICE = st.decimals("0.0016", "43000", places=4)
PIECE = st.decimals("0.001", "9", places=3)


def enter(book: PositionBook, direction: Direction, price: str, quantity: str, fee: str = "0") -> None:
    book.entered(
        "momentum",
        direction,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        at=0.0,
        stop=95.0,
        target=110.0,
    )


def leave(book: PositionBook, price: str, quantity: str, fee: str = "0", at: float = 60.0) -> Trade | None:
    return book.exited(
        "momentum", price=Decimal(price), quantity=Decimal(quantity), fee=Decimal(fee), at=at, reason="stop"
    )


def test_a_trade_is_net_of_all_its_fees_and_only_complete_when_flat() -> None:
    book = PositionBook()
    enter(book, "long", "100", "1", "0.04")
    enter(book, "long", "102", "1", "0.04")
    assert book.realized == Decimal("-0.08")
    assert book.unrealized(Decimal(103)) == Decimal(4)
    assert leave(book, "105", "1", "0.04") is None
    assert book.realized == Decimal("3.88")
    trade = leave(book, "103", "1", "0.04", at=120.0)
    assert trade is not None
    assert (trade.entry_price, trade.exit_price, trade.profit_loss) == (
        Decimal(101),
        Decimal(104),
        Decimal("5.84"),
    )
    assert (trade.opened_at, trade.closed_at, trade.fees) == (0.0, 120.0, Decimal("0.16"))
    assert book.realized == trade.profit_loss
    assert trade.risk == Decimal(12)  # 5 and 7 above the stop
    assert trade.r_multiple == pytest.approx(5.84 / 12)
    assert book.open == {}


def test_a_short_earns_when_the_price_falls() -> None:
    book = PositionBook()
    enter(book, "short", "100", "2")
    assert book.unrealized(Decimal(90)) == Decimal(20)
    trade = leave(book, "90", "2")
    assert trade is not None
    assert trade.profit_loss == Decimal(20)


@given(
    direction=st.sampled_from(["long", "short"]),
    entries=st.lists(st.tuples(PRICE, PIECE), min_size=1, max_size=4),
    exit_prices=st.lists(PRICE, min_size=1, max_size=4),
    fee=st.decimals("0", "1", places=4),
)
def test_realised_profit_is_the_sum_of_the_cash_that_moved(
    direction: Direction, entries: list[tuple[Decimal, Decimal]], exit_prices: list[Decimal], fee: Decimal
) -> None:
    book = PositionBook()
    cash = Decimal(0)
    sign = 1 if direction == "long" else -1
    for price, quantity in entries:
        enter(book, direction, str(price), str(quantity), str(fee))
        cash -= sign * price * quantity + fee
    held = sum((quantity for _, quantity in entries), Decimal(0))
    share = (held / len(exit_prices)).quantize(Decimal("0.0001"))
    trade = None
    for number, price in enumerate(exit_prices):
        quantity = share if number < len(exit_prices) - 1 else book.open["momentum"].quantity
        trade = leave(book, str(price), str(quantity), str(fee))
        cash += sign * price * quantity - fee
    assert trade is not None
    assert trade.profit_loss == cash == book.realized


@pytest.mark.parametrize(
    ("direction", "low", "high", "bars", "reason"),
    [
        ("long", 94.0, 100.0, 1, "stop"),
        ("long", 100.0, 111.0, 1, "target"),
        ("long", 94.0, 111.0, 1, "stop"),
        ("long", 99.0, 101.0, 90, "time"),
        ("long", 99.0, 101.0, 1, None),
        ("short", 90.0, 96.0, 1, "stop"),
    ],
)
def test_a_position_ends_at_the_first_condition_that_holds(
    direction: Direction, low: float, high: float, bars: int, reason: str | None
) -> None:
    book = PositionBook()
    enter(book, direction, "100", "1")
    position = book.open["momentum"]
    position.bars = bars
    conditions = position.exit_conditions(Candle(0, 60_000, 100.0, high, low, 100.0, 1.0), max_bars=90)
    assert next((why for why, condition in conditions if condition.holds), None) == reason

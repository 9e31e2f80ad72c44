"""Fills: partial, long, short, through zero, by average cost and oldest first, with every kind of fee and risk."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from typing import Any

import pytest

from ticktrace.trading.ledger import Ledger, LedgerConfig

AT = 1_700_000_000.0


def ledger(**config: Any) -> Any:  # Any: amounts are held against whole numbers
    options: dict[str, Any] = {"capital": 1_000, "currency": "USDT"}
    return Ledger(LedgerConfig(**options | config))


def fill(books: Ledger, side: Any, price: Any, quantity: Any, **more: Any) -> Any:
    return books.fill(
        **{"symbol": "BTC/USDT", "side": side, "price": price, "quantity": quantity, "at": AT} | more
    )


def realized(books: Ledger) -> Decimal:
    return books.report().account.realized


def test_a_long_round_trip_is_a_trade() -> None:
    books = ledger()
    assert fill(books, "buy", 100, 2, fee=1, strategy="momentum", venue="binance") is None
    trade = fill(books, "sell", 110, 2, fee="1.1", strategy="momentum", venue="binance", at=AT + 90)
    assert trade is not None
    assert (trade.side, trade.quantity, trade.entry_price, trade.exit_price) == ("long", 2, 100, 110)
    assert trade.profit_loss == Decimal("17.9")
    assert trade.fees == Decimal("2.1")
    assert trade.holding_seconds == 90
    assert trade.fills == 2
    assert (trade.strategy, trade.venue, trade.symbol) == ("momentum", "binance", "BTC/USDT")


def test_a_short_wins_when_the_price_falls() -> None:
    books = ledger()
    fill(books, "sell", 100, 2)
    books.mark("BTC/USDT", 95, AT + 1)
    assert books.report().account.unrealized == 10
    trade = fill(books, "buy", 90, 2, at=AT + 2)
    assert trade is not None
    assert (trade.side, trade.profit_loss) == ("short", 20)


def test_fees_are_realised_when_they_are_paid() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, fee=3)
    assert realized(books) == -3
    assert books.report().account.unrealized == 0


def test_a_partial_close_realises_at_average_cost() -> None:
    books = ledger()
    fill(books, "buy", 100, 1)
    fill(books, "buy", 110, 1)
    fill(books, "sell", 120, 1)
    assert realized(books) == 15
    (position,) = books.report().positions
    assert (position.quantity, position.average_price) == (1, 105)


def test_a_partial_close_realises_the_oldest_first() -> None:
    books = ledger(lots="fifo")
    fill(books, "buy", 100, 1)
    fill(books, "buy", 110, 1)
    fill(books, "sell", 120, Decimal("1.5"))
    assert realized(books) == 25
    (position,) = books.report().positions
    assert (position.quantity, position.average_price) == (Decimal("0.5"), 110)


def test_both_ways_agree_once_the_position_is_flat() -> None:
    results = []
    for lots in ("average", "fifo"):
        books = ledger(lots=lots)
        fill(books, "buy", 100, 1)
        fill(books, "buy", 110, 2)
        fill(books, "sell", 120, 1)
        results.append(fill(books, "sell", 90, 2))
    average, fifo = results
    assert average == fifo
    assert average is not None
    assert average.profit_loss == -20


def test_a_fill_through_zero_ends_one_trade_and_begins_another() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, fee=1)
    trade = fill(books, "sell", 110, 4, fee=2, at=AT + 5)
    assert trade is not None
    assert (trade.side, trade.quantity, trade.fees) == ("long", 1, Decimal("1.5"))  # a quarter of the 2
    assert trade.profit_loss == Decimal("8.5")
    (position,) = books.report().positions
    assert (position.side, position.quantity, position.fees) == ("short", 3, Decimal("1.5"))
    assert position.opened_at == AT + 5
    assert books.report().account.fees == 3


def test_each_strategy_has_positions_of_its_own() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, strategy="momentum")
    fill(books, "sell", 110, 1, strategy="retest")
    report = books.report()
    assert [position.side for position in report.positions] == ["long", "short"]
    assert report.account.trades.count == 0
    assert report.account.exposure.net == 0
    assert report.account.exposure.gross == 200  # at the mark: the first fill's, until a newer one
    assert set(report.strategies) == {"momentum", "retest"}


def test_trades_of_one_market_may_be_kept_apart_by_id() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, trade_id="a")
    fill(books, "buy", 120, 1, trade_id="b")
    trade = fill(books, "sell", 110, 1, trade_id="b")
    assert trade is not None
    assert (trade.trade_id, trade.profit_loss) == ("b", -10)
    assert [position.trade_id for position in books.report().positions] == ["a"]


def test_a_fill_that_is_told_twice_is_booked_once() -> None:
    books = ledger(keep_fill_ids=2)
    for fill_id in ("1", "1", "2", "3"):
        fill(books, "buy", 100, 1, fill_id=fill_id, venue="binance")
    fill(books, "buy", 100, 1, fill_id="3", venue="bybit")  # another venue's third fill
    report = books.report()
    assert sum(position.quantity for position in report.positions) == 4
    assert report.refused == {"fill_told_twice": 1}
    assert len(json.loads(books.to_json())["fill_ids"]) == 2


def test_floats_are_the_numbers_they_print() -> None:
    books = ledger()
    fill(books, "buy", 0.1, 0.1)
    fill(books, "buy", 0.1, 0.2)
    trade = fill(books, "sell", 0.2, 0.3)
    assert trade is not None
    assert trade.profit_loss == Decimal("0.03")


def test_a_float_that_misses_zero_by_its_rounding_closes_the_position() -> None:
    books = ledger()
    for _ in range(3):
        fill(books, "buy", 100, 1 / 3)
    assert fill(books, "sell", 110, 1.0) is not None
    assert books.report().positions == ()


def test_a_decimal_means_what_it_says() -> None:
    books = ledger()
    fill(books, "buy", 100, Decimal(1))
    assert fill(books, "sell", 110, Decimal("0.9999999999999")) is None
    assert books.report().positions[0].quantity == Decimal("1E-13")


def test_a_multiplier_scales_value_and_profit() -> None:
    books = ledger(multipliers={"ES": 50})
    fill(books, "buy", 4_000, 2, symbol="ES")
    books.mark("ES", 4_010, AT + 1)
    account = books.report().account
    assert (account.unrealized, account.exposure.gross, account.turnover) == (1_000, 401_000, 400_000)


# --- fees in other currencies -------------------------------------------------------------------------------------------


def test_a_fee_in_what_was_bought_is_taken_from_the_units() -> None:
    """1 BTC bought at 100, 0.001 BTC of fee: 0.999 BTC are there, and selling those ends the trade."""
    books = ledger()
    fill(books, "buy", 100, 1, fee="0.001", fee_currency="BTC")
    report = books.report()
    assert report.positions[0].quantity == Decimal("0.999")
    assert report.account.fees == Decimal("0.1")
    assert report.account.value == Decimal("999.9")
    trade = fill(books, "sell", 100, Decimal("0.999"))
    assert trade is not None
    assert trade.profit_loss == Decimal("-0.1")


def test_a_fee_in_a_third_currency_is_worth_its_rate() -> None:
    books = ledger()
    books.rate("BNB", 600)
    fill(books, "buy", 100, 1, fee="0.002", fee_currency="BNB")
    assert books.report().account.fees == Decimal("1.2")


def test_the_mark_of_its_pair_is_a_rate() -> None:
    books = ledger()
    books.mark("BNB/USDT", 500, AT)
    fill(books, "buy", 100, 1, fee="0.002", fee_currency="BNB")
    assert books.report().account.fees == 1


def test_a_fee_without_a_rate_is_kept_apart_and_counted() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, fee="0.002", fee_currency="BNB")
    report = books.report()
    assert report.account.fees == 0
    assert report.unconverted_fees == {"BNB": Decimal("0.002")}
    assert report.refused == {"fee_without_rate": 1}


@pytest.mark.parametrize(("symbol", "currency"), [("BTC/USDT", "USDT"), ("BTC/USDT:USDT", "USDT")])
def test_without_an_accounts_currency_the_quote_is_it(symbol: str, currency: str) -> None:
    books = ledger(currency="")
    fill(books, "buy", 100, 1, symbol=symbol, fee=1, fee_currency=currency)
    assert books.report().account.fees == 1


def test_a_derivatives_base_is_not_what_was_bought() -> None:
    books = ledger()
    books.rate("BTC", 100)
    fill(books, "buy", 100, 1, symbol="BTC/USDT:USDT", fee="0.01", fee_currency="BTC")
    report = books.report()
    assert report.positions[0].quantity == 1
    assert report.account.fees == 1


def test_a_rebate_is_a_negative_fee() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, fee=-2)
    assert realized(books) == 2


# --- risk -------------------------------------------------------------------------------------------------------------


def test_the_initial_risk_is_the_distance_to_the_stop() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, stop=95)
    fill(books, "buy", 102, 1)  # the stop is for later entries, too
    trade = fill(books, "sell", 110, 2)
    assert trade is not None
    assert trade.risk == 12
    assert trade.r_multiple == pytest.approx(18 / 12)


def test_a_stop_on_the_winning_side_is_none() -> None:
    books = ledger()
    fill(books, "sell", 100, 1, stop=95)
    trade = fill(books, "buy", 90, 1)
    assert trade is not None
    assert trade.r_multiple is None
    assert books.report().refused == {"stop_on_winning_side": 1}


def test_risk_may_be_told_as_an_amount() -> None:
    books = ledger()
    fill(books, "buy", 100, 1, risk=5)
    fill(books, "sell", 90, 1)
    trades = books.report().account.trades
    assert trades.average_r == -2


def test_a_plan_is_for_the_next_entry() -> None:
    books = ledger()
    books.plan(symbol="BTC/USDT", strategy="m", stop=90)
    fill(books, "buy", 100, 1, strategy="m")
    first = fill(books, "sell", 105, 1, strategy="m")
    fill(books, "buy", 100, 1, strategy="m")
    second = fill(books, "sell", 105, 1, strategy="m")
    assert first is not None
    assert second is not None
    assert (first.r_multiple, second.r_multiple) == (0.5, None)


# --- what cannot be booked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "hold"},
        {"price": 0},
        {"price": -1},
        {"price": "nan"},
        {"price": float("inf")},
        {"price": None},
        {"price": "1e41"},
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": "many"},
        {"fee": "free"},
        {"at": -1.0},
        {"at": 1e12},
        {"at": float("nan")},
        {"risk": 0},
        {"stop": "nan"},
        {"fee": 1, "fee_currency": "BTC"},
    ],
    ids=str,
)
def test_what_cannot_be_booked_raises_and_changes_nothing(wrong: dict[str, Any]) -> None:
    books = ledger()
    fill(books, "buy", 100, 1, fill_id="0")
    before = books.to_json()
    with pytest.raises(ValueError, match=r"\w"):
        fill(books, **{"side": "buy", "price": 100, "quantity": 1, "fill_id": "1"} | wrong)
    assert books.to_json() == before


def test_prices_below_zero_are_prices_where_that_is_said() -> None:
    books = ledger(negative_prices=True)
    fill(books, "buy", 5, 1)
    trade = fill(books, "sell", -37, 1)
    assert trade is not None
    assert trade.profit_loss == -42
    assert books.report().account.turnover == 42


def test_positions_are_bounded() -> None:
    books = ledger(most_positions=3)
    for number in range(3):
        fill(books, "buy", 1, 1, symbol=f"S{number}")
    with pytest.raises(ValueError, match="3 positions are open"):
        fill(books, "buy", 1, 1, symbol="S3")
    fill(books, "sell", 2, 1, symbol="S0")
    fill(books, "buy", 1, 1, symbol="S3")
    assert books.report().refused == {"too_many_positions": 1}


def test_marks_of_markets_that_nobody_holds_are_bounded() -> None:
    books = ledger(most_positions=2)
    fill(books, "buy", 1, 1, symbol="HELD")
    for number in range(50):
        books.mark(f"S{number}", 1, AT)
    books.mark("HELD", 3, AT + 1)
    assert books.report().account.unrealized == 2
    assert len(books.to_json()) < 10_000


def test_lots_are_bounded() -> None:
    books = ledger(lots="fifo")
    for number in range(1_100):
        fill(books, "buy", 100 + number, 1)
    report = books.report()
    assert report.refused == {"lots_merged": 100}
    trade = fill(books, "sell", 100, 1_100)
    assert trade is not None
    assert trade.profit_loss == -sum(range(1_100))


def test_trades_are_bounded_and_figures_are_of_all() -> None:
    books = ledger(keep_trades=5)
    for number in range(200):
        fill(books, "buy", 100, 1, at=AT + number)
        fill(books, "sell", 101, 1, at=AT + number)
    report = books.report()
    assert len(report.trades) == 5
    assert report.trades[-1].closed_at == AT + 199
    assert report.account.trades.count == 200
    assert report.account.realized == 200


def test_threads_may_tell_side_by_side() -> None:
    books = ledger()

    def trade(name: str) -> None:
        for _ in range(300):
            fill(books, "buy", 100, 1, strategy=name)
            books.mark("BTC/USDT", 101, AT)
            fill(books, "sell", 102, 1, strategy=name)

    threads = [threading.Thread(target=trade, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = books.report()
    assert report.account.trades.count == 1_200
    assert report.account.realized == 2_400
    assert [figures.realized for figures in report.strategies.values()] == [600] * 4

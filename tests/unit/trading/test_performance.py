"""Performance: the ledger behind the barrier, and every instrument that is recorded from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.catalog import CATALOG
from ticktrace.engine import internal_errors
from ticktrace.errors import AlreadyConfiguredError, LedgerStateError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.trading import Performance

AT = 1_700_000_000
STRATEGY = {"trading__strategy__name": "momentum"}


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def performance(telemetry: Telemetry) -> Performance:
    """Books with 1,000 USDT; the market's present is the day that the tests play on."""
    telemetry.trading.use_clock(lambda: AT + 50_000)
    performance = telemetry.trading.performance
    performance.configure(capital=1_000, currency="USDT", period="1h")
    return performance


def trade(performance: Performance, result: float, at: float, **more: Any) -> None:
    """A round trip of one unit bought at 100, stop at 90, that brings `result`."""
    who = {"symbol": "BTC/USDT", "venue": "binance", "strategy": "momentum"} | more
    performance.fill(side="buy", price=100, quantity=1, at=at, stop=90, **who)
    performance.mark("BTC/USDT", 100 + result / 2, at + 30)
    performance.fill(side="sell", price=100 + result, quantity=1, at=at + 60, **who)


def play(performance: Performance) -> None:
    """Some hours with won and lost trades, and a position that is left open."""
    for number, result in enumerate((10, -5, 20, 30, -10, -2)):
        trade(performance, result, AT + 4_000 * number)
    performance.fill(
        symbol="BTC/USDT", venue="binance", strategy="momentum", side="sell", price=100, quantity=2,
        at=AT + 30_000,
    )  # fmt: skip
    performance.mark("BTC/USDT", 103, AT + 30_060)


def account(captured: Captured, metric: str) -> float:
    """The value of the whole account: the point that has the mode and nothing else."""
    (point,) = [
        point for point in captured.points(metric) if set(point.attributes) == {"trading.engine.mode"}
    ]
    value: float = point.value
    return value


def test_every_instrument_of_the_group_is_recorded_with_allowed_attributes(
    performance: Performance, captured: Captured
) -> None:
    play(performance)
    for row in CATALOG.values():
        if row.group != "performance":
            continue
        points = captured.points(row.name)
        assert points, row.name
        assert {key for point in points for key in point.attributes} <= set(row.attributes), row.name
        assert any(point.attributes.get("trading.strategy.name") == "momentum" for point in points), row.name


def test_gauges_are_what_the_report_says(performance: Performance, captured: Captured) -> None:
    play(performance)
    figures: Any = performance.report().account
    assert figures.returns.sharpe is not None
    for metric, expected in {
        "trading.pnl.realized": 43,
        "trading.pnl.unrealized": -6,
        "trading.portfolio.value": 1_037,
        "trading.pnl.daily": figures.daily,
        "trading.pnl.monthly": 37,
        "trading.win_rate": 0.5,
        "trading.average_win": 20,
        "trading.average_loss": -17 / 3,
        "trading.profit_factor": 60 / 17,
        "trading.sharpe_ratio": figures.returns.sharpe,
        "trading.drawdown.ratio": figures.drawdown.ratio,
        "trading.drawdown.max_ratio": figures.drawdown.worst_ratio,
        "trading.recovery.duration": figures.drawdown.recovery_seconds,
        "trading.win_streak": 0,
        "trading.loss_streak": 2,
        "trading.best_trade": 30,
        "trading.worst_trade": -10,
        "trading.trades.per_hour": 0,
        "trading.trades.per_day": 6,
    }.items():
        assert account(captured, metric) == pytest.approx(float(expected or 0)), metric
        assert captured.value(metric, **STRATEGY) == pytest.approx(float(expected or 0)), metric
    assert captured.value("trading.strategy.win_rate", **STRATEGY) == 0.5
    assert captured.value("trading.strategy.profit_loss", **STRATEGY) == 37
    assert captured.value("trading.pnl.realized", trading__symbol="BTC/USDT") == 43


def test_a_closed_trade_is_recorded_with_its_labels(performance: Performance, captured: Captured) -> None:
    trade(performance, -5, AT)
    labels = {**STRATEGY, "trading__symbol": "BTC/USDT", "trading__venue": "binance"}
    assert captured.sum("trading.trade.profit_loss", **labels) == -5
    assert captured.sum("trading.position.holding.duration", **labels) == 60
    assert captured.sum("trading.r_multiple", **labels) == -0.5


def test_figures_follow_the_clock_while_nothing_happens(
    telemetry: Telemetry, captured: Captured, performance: Performance
) -> None:
    trade(performance, 10, AT)
    trade(performance, -10, AT + 100)
    for seconds, per_hour, daily in ((200, 2, 0), (4_000, 0, 0), (90_000, 0, 0)):
        telemetry.trading.use_clock(lambda now=AT + seconds: now)  # type: ignore[misc]  # a default is bound
        assert account(captured, "trading.trades.per_hour") == per_hour
        assert account(captured, "trading.pnl.daily") == daily
        assert account(captured, "trading.recovery.duration") == seconds - 100


def test_symbols_beyond_the_limit_share_a_label(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"symbols": ["BTC/USDT"]})
    performance = telemetry.trading.performance
    for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"):
        performance.fill(symbol=symbol, side="buy", price=1, quantity=1, at=AT)
        performance.fill(symbol=symbol, side="sell", price=2, quantity=1, at=AT + 1)
    captured = Captured(telemetry)
    labels = {point.attributes["trading.symbol"] for point in captured.points("trading.trade.profit_loss")}
    assert labels == {"BTC/USDT", "other"}
    assert captured.value("trading.pnl.realized", trading__symbol="other") == 2
    assert set(performance.report().symbols) == {"BTC/USDT", "other"}


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "wrong",
    [None, "nonsense", -1, float("nan"), object(), Unspeakable(), [], b"1"],
    ids=lambda each: type(each).__name__,
)
def test_nothing_that_is_told_reaches_the_bot(
    performance: Performance, captured: Captured, wrong: Any
) -> None:
    trade(performance, 10, AT)
    before = performance.report().account
    assert (
        performance.fill(symbol=wrong, side=wrong, price=wrong, quantity=wrong, fee=wrong, at=wrong) is None
    )
    performance.mark(wrong, wrong, wrong, wrong)
    performance.deposit(wrong, wrong)
    performance.withdraw(wrong, wrong)
    told: Any = "much" if wrong == -1 else wrong  # a negative income is one
    performance.income(told, symbol=wrong, strategy=wrong, at=wrong)
    performance.rate(wrong, wrong)
    performance.plan(symbol=wrong, stop=wrong, risk=wrong)
    performance.update(realized=wrong, win_rate=wrong)
    performance.trade_closed(profit_loss=wrong, strategy=wrong, holding_seconds=wrong)
    assert performance.report().account.profit_loss == before.profit_loss
    assert captured.value("ticktrace.dropped", ticktrace__buffer__name="ledger") >= 6
    assert performance.report().refused["invalid_fill"] == 1


def test_what_is_left_out_is_said_with_its_cause(
    performance: Performance, caplog: pytest.LogCaptureFixture
) -> None:
    performance.fill(symbol="BTC", side="hold", price=1, quantity=1, at=AT)
    performance.mark("BTC", 0, AT)
    assert "performance.fill() was left out: side: 'other' is neither buy nor sell" in caplog.text
    assert "performance.mark() was left out: price: 0 is not above 0" in caplog.text


def test_what_the_ledger_bends_is_counted_when_metrics_are_read(
    performance: Performance, captured: Captured
) -> None:
    for _ in range(3):
        performance.fill(symbol="BTC", side="buy", price=1, quantity=1, at=AT, fill_id="7")
    for _ in range(2):  # read twice, counted once
        assert captured.value("ticktrace.dropped", ticktrace__drop__reason="fill_told_twice") == 2


def test_sides_and_times_are_read_as_everywhere(performance: Performance) -> None:
    performance.fill(symbol="BTC", side="BUY", price=1, quantity=1, at=AT * 1_000)
    closed = performance.fill(
        symbol="BTC", side="Sell", price=2, quantity=1, at=datetime.fromtimestamp(AT + 5, UTC)
    )
    assert closed is not None
    assert (closed.opened_at, closed.closed_at) == (AT, AT + 5)


def test_what_has_no_time_happens_now(performance: Performance) -> None:
    performance.fill(symbol="BTC", side="buy", price=1, quantity=1)
    performance.fill(symbol="ETH", side="buy", price=1, quantity=1, at=datetime(2023, 11, 14))  # noqa: DTZ001  naive is the point
    assert [position.opened_at for position in performance.report().positions] == [AT + 50_000] * 2


def test_a_time_far_ahead_is_a_mistake_that_does_not_stop_the_clock(performance: Performance) -> None:
    performance.mark("BTC", 100, AT + 10 * 86_400)
    trade(performance, 10, AT + 50_001)
    report = performance.report()
    assert report.refused["time_ahead"] == 1
    assert report.trades[0].closed_at == AT + 50_061


def test_options_are_checked_at_start_up(performance: Performance) -> None:
    with pytest.raises(SettingsError, match=r"performance\.zone: 'Mars' is no IANA time zone"):
        performance.configure(zone="Mars")
    with pytest.raises(SettingsError, match=r"performance\.colour: unknown; known: currency, capital"):
        performance.configure(colour="red")  # type: ignore[call-arg]  # that is the point
    performance.mark("BTC", 100, AT)
    with pytest.raises(AlreadyConfiguredError, match=r"configure\(\) comes before"):
        performance.configure(zone="UTC")
    with pytest.raises(AlreadyConfiguredError, match=r"restore\(\) comes before"):
        performance.restore("{}")


def test_figures_survive_a_restart(
    start: Callable[..., Telemetry], telemetry: Telemetry, performance: Performance
) -> None:
    play(performance)
    performance.mark("BTC/USDT", 0, AT)
    saved, before = performance.to_json(), performance.report()
    json.loads(saved)
    telemetry.shutdown()
    telemetry = start()
    telemetry.trading.use_clock(lambda: AT + 50_000)
    again = telemetry.trading.performance
    with pytest.raises(LedgerStateError, match="period"):
        again.restore(saved)
    again.configure(currency="USDT", period="1h")
    again.restore(saved)
    assert again.report() == before
    captured = Captured(telemetry)
    assert account(captured, "trading.pnl.realized") == 43
    assert captured.points("ticktrace.dropped") == []  # the process before has counted that
    closed = again.fill(
        symbol="BTC/USDT",
        venue="binance",
        strategy="momentum",
        side="buy",
        price=90,
        quantity=2,
        at=AT + 40_000,
    )
    assert closed is not None
    assert closed.profit_loss == 20


def test_the_books_are_kept_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    performance = start(enabled=False).trading.performance
    trade(performance, 10, AT)
    assert performance.report().account.realized == 10


def test_the_books_can_be_read_after_shutdown(telemetry: Telemetry, performance: Performance) -> None:
    trade(performance, 10, AT)
    telemetry.shutdown()
    trade(performance, 5, AT + 100)
    assert performance.report().account.realized == 15


def test_a_forked_child_begins_with_empty_books(performance: Performance, captured: Captured) -> None:
    trade(performance, 10, AT)
    performance.start_afresh()
    assert performance.report().account.realized == 0
    assert performance.report().flows == 1_000
    assert performance.ledger.config.currency == "USDT"


def test_fills_of_orders_are_booked_where_that_is_wanted(
    telemetry: Telemetry, performance: Performance
) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")

    def order(side: str, price: int) -> None:
        with market.candle(close_time=AT) as candle:
            with candle.signal("momentum") as signal:
                signal.emit("long")
            with signal.order(side=side, quantity=Decimal(1)) as sent:
                performance.order_filled(sent, price=price, quantity=Decimal(1), fee=None, at=AT)

    order("buy", 100)
    assert performance.report().positions == ()
    performance.follow_orders()
    order("buy", 100)
    order("sell", 110)
    (closed,) = performance.report().trades
    assert (closed.strategy, closed.venue) == ("momentum", "binance")
    assert closed.profit_loss == 10


def test_a_bot_with_books_of_its_own_sets_every_gauge(telemetry: Telemetry, captured: Captured) -> None:
    performance = telemetry.trading.performance
    told = {
        "realized": 1, "unrealized": 2, "daily": 3, "monthly": 4, "value": 5, "win_rate": 0.6, "average_win": 7,
        "average_loss": -8, "profit_factor": 9, "sharpe_ratio": 1.1, "drawdown_ratio": 0.12,
        "max_drawdown_ratio": 0.13, "recovery_seconds": 14, "win_streak": 15, "loss_streak": 16, "best_trade": 17,
        "worst_trade": -18, "trades_per_hour": 19, "trades_per_day": 20,
    }  # fmt: skip
    performance.update(**told)  # type: ignore[arg-type]  # one dictionary for all
    performance.update(strategy="momentum", realized=Decimal(7))
    performance.trade_closed(profit_loss=7, strategy="momentum", holding_seconds=3, r_multiple=1.5)
    gauges = [row.name for row in CATALOG.values() if row.group == "performance" and row.kind == "gauge"]
    assert sorted(account(captured, name) for name in gauges) == sorted(told.values())
    assert captured.value("trading.pnl.realized", **STRATEGY) == 7
    assert captured.value("trading.strategy.profit_loss", **STRATEGY) == 7
    assert captured.sum("trading.r_multiple", **STRATEGY) == 1.5


def test_books_that_nothing_was_told_set_no_gauge(performance: Performance, captured: Captured) -> None:
    assert performance.report().account.value == 1_000
    assert captured.points("trading.portfolio.value") == []


def test_nothing_goes_wrong_inside(performance: Performance, captured: Captured) -> None:
    before = internal_errors()
    play(performance)
    assert captured.points("trading.win_rate")
    assert internal_errors() == before

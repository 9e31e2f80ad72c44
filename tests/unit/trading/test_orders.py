"""Orders: submission, acknowledgement, fills now and later, rejections, what is remembered of them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.captured import Captured
from ticktrace.semconv import OrderStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry
    from ticktrace.trading import Order

CLOSE = 1_700_000_040


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@contextmanager
def ordering(telemetry: Telemetry, **changes: Any) -> Iterator[Order]:
    """An order for one BTC at 100, sent after its signal's block, as a bot does it."""
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    details: dict[str, Any] = {
        "side": "buy",
        "type": "limit",
        "quantity": Decimal(1),
        "expected_price": Decimal(100),
    }
    with market.candle(close_time=CLOSE) as candle:
        with candle.signal("momentum") as signal:
            signal.emit("long")
        with signal.order(**(details | changes)) as order:
            yield order


def test_the_trace_is_candle_signal_order(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
    candle, signal, sent = (captured.span(name) for name in ("candle 1m", "signal momentum", "order buy"))
    assert candle.parent is None
    assert signal.parent == candle.context
    assert sent.parent == signal.context
    assert sent.kind is SpanKind.PRODUCER
    assert (sent.attributes or {})["trading.order.id"] == "A1"


def test_every_step_of_an_order_is_timed(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.submitting()
        order.acknowledged("A1")
        order.filled(price=100, quantity=1)
    for metric in (
        "trading.order.prepare.duration",
        "trading.tick_to_trade.duration",
        "trading.order.submit.duration",
        "trading.trade.execution.duration",
        "trading.order.fill.duration",
        "trading.decision.duration",
    ):
        assert captured.count(metric, trading__strategy__name="momentum") == 1, metric
    assert captured.value("trading.orders.submitted", trading__order__side="buy") == 1
    assert captured.value("trading.trades.executed", trading__symbol="BTC/USDT") == 1
    assert captured.value("trading.order.reject.ratio") == 0


def test_a_block_that_says_nothing_still_sent_the_order(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry):
        pass
    assert captured.value("trading.orders.submitted") == 1


def test_a_fill_is_linked_to_its_order(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
        order.filled(price=Decimal("100.10"), quantity=Decimal(1), fee=Decimal("0.07"), at=CLOSE)
    fill = captured.span("fill")
    assert [link.context for link in fill.links] == [captured.span("order buy").context]
    attributes = dict(fill.attributes or {})
    assert attributes["trading.fill.price"] == "100.10"
    assert attributes["trading.fill.fee"] == "0.07"
    assert attributes["trading.order.status"] == "filled"
    assert attributes["trading.event.time_unix_nano"] == CLOSE * 10**9


def test_partial_fills_add_up_exactly(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry, quantity=0.3) as order:
        for _ in range(3):
            order.filled(price=100, quantity=0.1)
    assert order.filled_quantity == Decimal("0.3")
    assert order.status == "filled"
    assert captured.value("trading.order.fills", trading__order__status="partially_filled") == 2
    assert captured.value("trading.order.fills", trading__order__status="filled") == 1
    assert captured.value("trading.trades.executed") == 1


@pytest.mark.parametrize(
    ("side", "price", "bps"), [("buy", 101, 100), ("sell", 101, -100), ("sell", 98, 200)]
)
def test_slippage_is_positive_when_it_cost_money(
    telemetry: Telemetry, captured: Captured, side: str, price: int, bps: int
) -> None:
    with ordering(telemetry, side=side) as order:
        order.filled(price=price, quantity=1)
    assert captured.sum("trading.slippage.bps") == pytest.approx(bps)
    assert captured.sum("trading.slippage.amount") == pytest.approx(bps / 100)
    assert captured.count("trading.slippage.bps") == 1


def test_a_late_fill_from_another_thread_is_linked(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
    sent = captured.span("order buy")
    stream = threading.Thread(target=lambda: telemetry.trading.fill("A1", price=100, quantity=1))
    stream.start()
    stream.join()
    fill = captured.span("fill")
    assert fill.parent is None
    assert [link.context for link in fill.links] == [sent.context]
    assert captured.value("trading.trades.executed") == 1
    assert telemetry.trading.order("A1") is None


def test_the_bots_own_id_finds_an_order_before_the_venue_named_it(
    telemetry: Telemetry, captured: Captured
) -> None:
    with ordering(telemetry, client_id="mine-1"):
        assert telemetry.trading.order("mine-1") is not None
    telemetry.trading.fill("mine-1", price=100, quantity=1)
    assert captured.value("trading.trades.executed") == 1


def test_fills_racing_in_threads_are_all_counted(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry, quantity=400) as order:
        order.acknowledged("A1")

    def stream() -> None:
        for _ in range(100):
            telemetry.trading.fill("A1", price=100, quantity=1)

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order.filled_quantity == 400
    assert captured.value("trading.order.fills") == 400
    assert captured.value("trading.trades.executed") == 1


def test_a_fill_of_an_unknown_order_is_counted_not_raised(telemetry: Telemetry, captured: Captured) -> None:
    telemetry.trading.fill("never heard of", price=1, quantity=1)
    assert captured.value("ticktrace.dropped", ticktrace__drop__reason="unknown_order") == 1


def test_the_oldest_open_order_makes_room(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"open_orders": 2})
    for number in range(3):
        with ordering(telemetry) as order:
            order.acknowledged(f"A{number}")
    assert [telemetry.trading.order(f"A{number}") is not None for number in range(3)] == [False, True, True]
    assert Captured(telemetry).value("ticktrace.dropped", ticktrace__drop__reason="full") == 1


def test_a_rejection_marks_the_span_and_counts_its_reason(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.rejected("insufficient_funds", "balance 3 < 100")
    sent = captured.span("order buy")
    assert sent.status.status_code is StatusCode.ERROR
    assert sent.status.description == "order rejected: insufficient_funds"
    assert (sent.attributes or {})["trading.reject.message"] == "balance 3 < 100"
    reason = {"trading__order__reject__reason": "insufficient_funds"}
    assert captured.value("trading.orders.rejected", **reason) == 1
    assert captured.value("trading.trades.rejected", **reason) == 1
    assert captured.value("trading.order.reject.ratio") == 1
    assert order.status == "rejected"


def test_a_rejection_after_the_block_has_a_linked_span(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
    telemetry.trading.order_rejected("A1", "market_closed")
    late = captured.span("order rejected")
    assert [link.context for link in late.links] == [captured.span("order buy").context]
    assert late.status.status_code is StatusCode.ERROR
    assert captured.value("trading.orders.rejected", trading__order__reject__reason="market_closed") == 1


class InsufficientFunds(Exception):  # noqa: N818  named as ccxt names it
    pass


class DDoSProtection(Exception):  # noqa: N818  named as ccxt names it
    pass


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InsufficientFunds("no"), "insufficient_funds"),
        (DDoSProtection("429"), "rate_limited"),
        (TimeoutError("late"), "network"),
        (ConnectionResetError("gone"), "network"),
        (OSError("unplugged"), "network"),
        (KeyError("x"), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_exception_on_the_way_to_the_venue_is_a_rejection(
    telemetry: Telemetry, captured: Captured, error: Exception, reason: str
) -> None:
    with pytest.raises(type(error)), ordering(telemetry):
        raise error
    assert captured.value("trading.orders.rejected", trading__order__reject__reason=reason) == 1
    assert (captured.span("order buy").attributes or {})["error.type"] == type(error).__qualname__


def test_an_exception_after_the_acknowledgement_rejects_nothing(
    telemetry: Telemetry, captured: Captured
) -> None:
    def break_after_acknowledgement() -> None:
        with ordering(telemetry) as order:
            order.acknowledged("A1")
            raise KeyError

    with pytest.raises(KeyError):
        break_after_acknowledgement()
    assert captured.points("trading.orders.rejected") == []
    assert captured.span("order buy").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_an_order_can_end_unfilled(telemetry: Telemetry, captured: Captured, end: str) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
    getattr(telemetry.trading, f"order_{end}")("A1", "took too long")
    assert order.status == end
    assert telemetry.trading.order("A1") is None
    assert captured.span(f"order {end}").links


async def test_an_order_is_an_async_block_too(telemetry: Telemetry, captured: Captured) -> None:
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    async with (
        market.candle(close_time=CLOSE) as candle,
        candle.signal("momentum") as signal,
        signal.order(side="sell", quantity=1) as order,
    ):
        order.acknowledged()
    assert captured.span("order sell").parent == captured.span("signal momentum").context


def test_many_orders_leave_nothing_behind(telemetry: Telemetry) -> None:
    for number in range(200):
        with ordering(telemetry, client_id=f"c{number}") as order:
            order.acknowledged(f"A{number}")
            order.filled(price=1, quantity=1)
    assert len(telemetry.trading.open_orders) == 0


@pytest.mark.parametrize(("spelled", "meant"), [("SELL", "sell"), ("Buy", "buy"), (" sell ", "sell")])
def test_a_side_is_read_in_any_case(
    telemetry: Telemetry, captured: Captured, spelled: str, meant: str
) -> None:
    with ordering(telemetry, side=spelled, type="STOP_LIMIT") as order:
        order.filled(price=101, quantity=1)
    assert captured.span(f"order {meant}")
    assert captured.value("trading.orders.submitted", trading__order__type="stop_limit") == 1
    assert captured.sum("trading.slippage.bps") == pytest.approx(100 if meant == "buy" else -100)


def test_an_unknown_side_passes_for_none_of_the_known(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry, side="upwards") as order:
        order.filled(price=101, quantity=1)
    assert captured.value("trading.orders.submitted", trading__order__side="other") == 1
    assert captured.points("trading.slippage.bps") == []


def test_a_fill_after_a_timeout_still_finds_its_order(telemetry: Telemetry, captured: Captured) -> None:
    """After a timeout nobody knows whether the venue has the order."""
    with pytest.raises(TimeoutError), ordering(telemetry, client_id="mine"):
        raise TimeoutError
    telemetry.trading.fill("mine", price=100, quantity=1)
    assert captured.value("trading.orders.rejected", trading__order__reject__reason="network") == 1
    assert captured.value("trading.trades.executed") == 1
    assert captured.span("fill").links


def test_a_fill_names_the_symbol_in_full(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"symbols": ["ETH"]}, mode="paper")
    with ordering(telemetry) as order:
        order.filled(price=100, quantity=1)
    captured = Captured(telemetry)
    attributes = dict(captured.span("fill").attributes or {})
    assert attributes["trading.symbol"] == "BTC/USDT"
    assert attributes["trading.engine.mode"] == "paper"
    assert captured.value("trading.trades.executed", trading__symbol="other") == 1


def test_news_after_the_end_of_an_order_changes_nothing(telemetry: Telemetry, captured: Captured) -> None:
    with ordering(telemetry) as order:
        order.acknowledged("A1")
        order.acknowledged("A1")
        order.filled(price=100, quantity=1)
    order.canceled()
    order.rejected("other")
    assert order.status == "filled"
    assert captured.count("trading.order.submit.duration") == 1
    assert captured.points("trading.orders.rejected") == []


def test_an_id_that_a_venue_uses_again_belongs_to_the_newer_order(telemetry: Telemetry) -> None:
    with ordering(telemetry) as first:
        first.acknowledged("A1")
    with ordering(telemetry) as second:
        second.acknowledged("A1")
    assert telemetry.trading.order("A1") is second
    first.canceled()
    assert telemetry.trading.order("A1") is second
    assert len(telemetry.trading.open_orders) == 1


def test_a_fill_that_is_faster_than_the_acknowledgement_is_booked_with_it(
    telemetry: Telemetry, captured: Captured
) -> None:
    trading = telemetry.trading
    btc = trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    trading.performance.follow_orders()
    with btc.candle() as candle, candle.signal("s") as signal:
        signal.emit("long")
        with signal.order(side="buy", quantity=2) as order:
            trading.fill("V1", price=10, quantity=2, fill_id="1")
            assert order.filled_quantity == 0
            order.acknowledged("V1")
    assert order.status is OrderStatus.FILLED
    assert captured.value("trading.trades.executed") == 1
    report = trading.performance.report()
    assert report.refused["unknown_order"] == 1
    assert report.account.exposure.gross == 20


def test_a_fill_that_crosses_the_cancellation_still_counts(telemetry: Telemetry, captured: Captured) -> None:
    trading = telemetry.trading
    btc = trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with btc.candle() as candle, candle.signal("s") as signal:
        signal.emit("long")
        with signal.order(side="buy", quantity=2) as order:
            order.acknowledged("V1")
    trading.order_canceled("V1")
    trading.fill("V1", price=10, quantity=1)
    assert captured.value("trading.order.fills") == 1
    assert captured.value("ticktrace.dropped") == 0


@pytest.mark.parametrize(("price", "quantity"), [(10, -1), (10, 0), (10, float("inf")), (10, None)])
def test_a_fill_that_is_none_changes_nothing(telemetry: Telemetry, price: Any, quantity: Any) -> None:
    btc = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with btc.candle() as candle, candle.signal("s") as signal, signal.order(side="buy", quantity=2) as order:
        order.filled(price=10, quantity=1)
        order.filled(price=price, quantity=quantity)
        assert order.filled_quantity == 1
        assert order.status is OrderStatus.PARTIALLY_FILLED

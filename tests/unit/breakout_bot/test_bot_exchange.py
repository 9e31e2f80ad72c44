"""The paper exchange: latency, slippage, partial fills, and every reason to say no."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from breakout_bot.clock import Clock
from breakout_bot.exchange import Behaviour, Expiry, Fill, PaperExchange
from breakout_bot.market import Candle
from breakout_bot.money import MarketRules
from breakout_bot.rejections import (
    ExchangeError,
    OrderRejectedError,
    RateLimitExceededError,
    RejectReason,
    RequestTimeoutError,
)

if TYPE_CHECKING:
    from breakout_bot.exchange import Ack, Report

RULES = MarketRules(tick_size=Decimal("0.1"), lot_size=Decimal("0.001"), min_quantity=Decimal("0.01"))
PLAIN = Behaviour(lost_requests=0.0, partial_fills=0.0, slippage=0.0, requests=100)


class Venue:
    """An exchange with a market at 100, and what it reported."""

    def __init__(self, behaviour: Behaviour = PLAIN, **options: Any) -> None:
        self.clock = Clock(start=1000.0)
        self.reports: list[Report] = []
        self.exchange = PaperExchange(
            self.clock,
            RULES,
            balance=Decimal(1000),
            seed=1,
            report=self.reports.append,
            behaviour=behaviour,
            **options,
        )
        self.trade(100.0)

    def trade(self, price: float, low: float | None = None, high: float | None = None) -> None:
        self.exchange.on_candle(Candle(0, 60_000, price, high or price, low or price, price, 1.0))

    async def order(
        self, side: str = "buy", quantity: str = "1", price: str | None = None, **options: Any
    ) -> Ack | OrderRejectedError:
        """Place an order and let market time pass until it has been answered."""
        options.setdefault("client_id", f"c{self.clock.now()}")
        self.clock.hold()

        async def place() -> Ack:
            try:
                return await self.exchange.create_order(
                    side,  # type: ignore[arg-type]  # parametrised
                    "limit" if price else "market",
                    Decimal(quantity),
                    price=None if price is None else Decimal(price),
                    **options,
                )
            finally:
                self.clock.release()

        placing = asyncio.create_task(place())
        while not placing.done():
            await self.clock.run_until(self.clock.now() + 0.01)
        error = placing.exception()
        return error if isinstance(error, OrderRejectedError) else placing.result()

    async def position(self) -> Decimal:
        self.clock.hold()
        asking = asyncio.create_task(self.exchange.fetch_position())
        asking.add_done_callback(lambda _: self.clock.release())
        await asyncio.sleep(0)
        await self.clock.run_until(self.clock.now() + 1)
        return await asking

    async def reason(self, **options: Any) -> RejectReason | None:
        answer = await self.order(**options)
        return answer.reason if isinstance(answer, OrderRejectedError) else None

    @property
    def fills(self) -> list[Fill]:
        return [report for report in self.reports if isinstance(report, Fill)]


async def test_an_answer_takes_market_time_and_the_fill_comes_after_it() -> None:
    venue = Venue()
    ack = await venue.order()
    answered_at = venue.clock.now()
    assert answered_at > 1000.0
    assert venue.fills == []
    await venue.clock.run_dry()
    (fill,) = venue.fills
    assert not isinstance(ack, OrderRejectedError)
    assert (fill.order_id, fill.quantity, fill.last) == (ack.id, Decimal(1), True)
    assert fill.at > answered_at
    assert fill.fee == fill.price * RULES.taker_fee


async def test_a_market_order_may_fill_in_pieces_that_add_up() -> None:
    venue = Venue(replace(PLAIN, partial_fills=1.0))
    await venue.order(quantity="1.001")
    await venue.clock.run_dry()
    assert len(venue.fills) in {2, 3}
    assert sum(fill.quantity for fill in venue.fills) == Decimal("1.001")
    assert [fill.last for fill in venue.fills] == [False] * (len(venue.fills) - 1) + [True]


@pytest.mark.parametrize(("side", "worse"), [("buy", 1), ("sell", -1)])
async def test_slippage_costs_on_average_on_either_side(side: str, worse: int) -> None:
    venue = Venue(replace(PLAIN, slippage=0.01, leverage=Decimal(1000)))
    for number in range(30):
        await venue.order(side=side, client_id=str(number))
    await venue.clock.run_dry()
    assert len(venue.fills) == 30
    assert worse * sum(fill.price - 100 for fill in venue.fills) > 0
    assert all(fill.price % RULES.tick_size == 0 for fill in venue.fills)


async def test_a_limit_order_rests_until_the_market_trades_through_it() -> None:
    venue = Venue()
    await venue.order(price="99.9")
    venue.trade(100.0, low=99.9)
    assert (venue.fills, venue.exchange.open_orders) == ([], 1)
    venue.trade(100.0, low=99.5)
    (fill,) = venue.fills
    assert (fill.price, fill.last, fill.fee) == (Decimal("99.9"), True, Decimal("99.9") * RULES.maker_fee)
    assert venue.exchange.open_orders == 0


async def test_a_limit_order_expires_after_its_time() -> None:
    venue = Venue(replace(PLAIN, time_in_force=60.0))
    await venue.order(price="99.9")
    await venue.clock.run_until(1100.0)
    venue.trade(100.0)
    (expiry,) = venue.reports
    assert isinstance(expiry, Expiry)
    assert venue.exchange.open_orders == 0


@pytest.mark.parametrize(
    ("behaviour", "order", "reason"),
    [
        (PLAIN, {"quantity": "10.5"}, "insufficient_funds"),
        (PLAIN, {"quantity": "0.001"}, "invalid_order"),
        (PLAIN, {"quantity": "1.0001"}, "invalid_order"),
        (PLAIN, {"price": "99.95"}, "invalid_order"),
        (PLAIN, {"price": "90"}, "invalid_order"),
        (replace(PLAIN, requests=0), {}, "rate_limited"),
        (replace(PLAIN, lost_requests=1.0), {}, "network"),
        (PLAIN, {}, None),
    ],
)
async def test_an_order_is_refused_for_the_right_reason(
    behaviour: Behaviour, order: dict[str, str], reason: str | None
) -> None:
    assert await Venue(behaviour).reason(**order) == reason


async def test_a_client_id_is_taken_once() -> None:
    venue = Venue()
    assert await venue.reason(client_id="mine") is None
    assert await venue.reason(client_id="mine") is RejectReason.DUPLICATE


async def test_a_closed_market_takes_no_orders() -> None:
    venue = Venue(closures=[(1000.0, 2000.0)])
    assert await venue.reason() is RejectReason.MARKET_CLOSED
    await venue.clock.run_until(2000.0)
    assert await venue.reason() is None


async def test_margin_is_in_use_until_the_position_is_closed() -> None:
    venue = Venue()
    assert await venue.reason(quantity="9") is None
    await venue.clock.run_dry()
    assert await venue.reason(quantity="9") is RejectReason.INSUFFICIENT_FUNDS
    assert await venue.reason(side="sell", quantity="9", reduce_only=True) is None
    await venue.clock.run_dry()
    assert await venue.reason(quantity="9") is None


async def test_the_rate_limit_is_a_moving_window() -> None:
    venue = Venue(replace(PLAIN, requests=1, request_window=10.0))
    assert await venue.reason(client_id="a") is None
    assert venue.exchange.last_response_headers == {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
    refusal = await venue.order(client_id="b")
    assert isinstance(refusal, RateLimitExceededError)
    assert refusal.reason is RejectReason.RATE_LIMITED
    await venue.clock.run_until(venue.clock.now() + refusal.retry_after)
    assert await venue.reason(client_id="c") is None


async def test_a_lost_request_is_told_from_a_refusal() -> None:
    lost = await Venue(replace(PLAIN, lost_requests=1.0)).order()
    refused = await Venue().order(quantity="0.001")
    assert isinstance(lost, RequestTimeoutError)
    assert isinstance(refused, ExchangeError)
    assert not isinstance(refused, RequestTimeoutError)


async def test_the_position_is_what_was_bought_minus_what_was_sold() -> None:
    venue = Venue(replace(PLAIN, leverage=Decimal(10)))
    for number, (side, quantity) in enumerate([("buy", "2"), ("sell", "0.5")]):
        assert await venue.reason(side=side, quantity=quantity, client_id=str(number)) is None
    await venue.clock.run_dry()
    assert await venue.position() == Decimal("1.5")
    assert await venue.reason(side="sell", quantity="2", reduce_only=True) is None
    await venue.clock.run_dry()
    assert await venue.position() == Decimal("-0.5")

"""A paper exchange: it takes its time, slips, fills in pieces, and says no for the reasons a real one does."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from breakout_bot.rejections import (
    OrderRejectedError,
    RateLimitExceededError,
    RejectReason,
    RequestTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from breakout_bot.clock import Clock
    from breakout_bot.market import Candle
    from breakout_bot.money import MarketRules, OrderType, Side

__all__ = ["Ack", "Behaviour", "Expiry", "Fill", "PaperExchange", "Report"]

REQUEST_TIMEOUT = 1.0  # seconds of market time until a lost request counts as lost


@dataclass(frozen=True, slots=True)
class Ack:
    """The exchange has taken the order."""

    id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Fill:
    """A piece of an order was traded; `last` is true when nothing remains."""

    order_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    at: float
    last: bool


@dataclass(frozen=True, slots=True)
class Expiry:
    """A limit order reached the end of its time; what was filled before stays filled."""

    order_id: str
    at: float


Report = Fill | Expiry


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the exchange misbehaves. Times are seconds of market time, shares are fractions of the value."""

    latency: float = 0.08
    latency_spread: float = 0.5
    lost_requests: float = 0.03
    slippage: float = 0.0001
    partial_fills: float = 0.35
    requests: int = 2
    request_window: float = 90.0
    price_band: float = 0.001
    leverage: Decimal = Decimal(1)
    time_in_force: float = 600.0


@dataclass(slots=True)
class _Order:
    id: str
    side: Side
    remaining: Decimal
    reduce_only: bool
    price: Decimal
    expires: float = 0.0


@dataclass(slots=True)
class _Leg:
    """The long or the short side of the account: what is open, and what it was opened at."""

    quantity: Decimal = Decimal(0)
    value: Decimal = Decimal(0)


@dataclass(slots=True)
class _Account:
    """Cash and margin. `reserved` is what orders that still wait may come to cost."""

    cash: Decimal
    legs: dict[Side, _Leg] = field(default_factory=lambda: {"buy": _Leg(), "sell": _Leg()})
    reserved: dict[str, Decimal] = field(default_factory=dict)

    @property
    def in_use(self) -> Decimal:
        return sum((leg.value for leg in self.legs.values()), Decimal(0)) + sum(
            self.reserved.values(), Decimal(0)
        )

    def book(self, order: _Order, price: Decimal, quantity: Decimal, fee: Decimal) -> None:
        self.cash -= fee
        if not order.reduce_only:
            leg = self.legs[order.side]
            leg.quantity += quantity
            leg.value += price * quantity
            self.reserved[order.id] -= order.price * quantity
            return
        leg = self.legs["sell" if order.side == "buy" else "buy"]
        opened_at = leg.value * quantity / leg.quantity
        gain = price * quantity - opened_at
        self.cash += gain if order.side == "sell" else -gain
        leg.quantity -= quantity
        leg.value = leg.value - opened_at if leg.quantity else Decimal(0)


class PaperExchange:
    """One symbol, one account. Orders are answered after a latency; fills and expiries come later, through `report`.

    Attributes:
        last_response_headers: of the latest request, as clients of real venues keep them.
    """

    def __init__(
        self,
        clock: Clock,
        rules: MarketRules,
        *,
        balance: Decimal,
        seed: int,
        report: Callable[[Report], None],
        closures: Sequence[tuple[float, float]] = (),
        behaviour: Behaviour | None = None,
    ) -> None:
        self._clock = clock
        self._rules = rules
        self._behaviour = behaviour or Behaviour()
        self.last_response_headers: dict[str, str] = {}
        self._account = _Account(balance)
        self._rng = random.Random(f"exchange:{seed}")
        self._report = report
        self._closures = deque(closures)
        self._requests: deque[float] = deque()
        self._client_ids: set[str] = set()
        self._ids = count(1)
        self._resting: dict[str, _Order] = {}
        self._candle: Candle | None = None

    @property
    def open_orders(self) -> int:
        """How many limit orders rest in the book."""
        return len(self._resting)

    async def create_order(
        self,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        *,
        client_id: str,
        price: Decimal | None = None,
        reduce_only: bool = False,
    ) -> Ack:
        """Place an order; raises OrderRejectedError. The answer takes a round trip, the fills come after it."""
        behaviour = self._behaviour
        if self._rng.random() < behaviour.lost_requests:
            await self._clock.sleep(REQUEST_TIMEOUT)
            raise RequestTimeoutError(REQUEST_TIMEOUT)
        latency = behaviour.latency * self._rng.lognormvariate(0, behaviour.latency_spread)
        await self._clock.sleep(latency / 2)
        rejection = self._judge(order_type, quantity, price, client_id, reduce_only)
        if rejection is None:
            order = self._accept(side, quantity, price, client_id, reduce_only)
            if order_type == "limit":
                self._resting[order.id] = order
            else:
                self._clock.spawn(self._execute(order))
        await self._clock.sleep(latency / 2)
        if rejection is not None:
            raise rejection
        return Ack(order.id, client_id)

    async def fetch_position(self) -> Decimal:
        """What the account holds: units bought minus units sold, as of the moment of the answer."""
        await self._clock.sleep(self._behaviour.latency)
        legs = self._account.legs
        return legs["buy"].quantity - legs["sell"].quantity

    def on_candle(self, candle: Candle) -> None:
        """Let the market move: resting orders that the bar traded through are filled, old ones expire."""
        self._candle = candle
        now = self._clock.now()
        for order in tuple(self._resting.values()):
            touched = candle.low < order.price if order.side == "buy" else candle.high > order.price
            if touched:
                # A bar that only just reached the price fills part of the queue in front of it.
                depth = abs(
                    order.price - self._rules.price(candle.low if order.side == "buy" else candle.high)
                )
                part = (
                    depth <= order.price * Decimal("0.0001")
                    and self._rng.random() < self._behaviour.partial_fills
                )
                quantity = self._rules.quantity(order.remaining / 2) if part else order.remaining
                self._fill(order, order.price, quantity or order.remaining, self._rules.maker_fee)
            if order.id in self._resting and now >= order.expires:
                del self._resting[order.id]
                self._account.reserved.pop(order.id, None)
                self._report(Expiry(order.id, now))

    def _judge(
        self,
        order_type: OrderType,
        quantity: Decimal,
        price: Decimal | None,
        client_id: str,
        reduce_only: bool,
    ) -> OrderRejectedError | None:
        now = self._clock.now()
        behaviour, rules = self._behaviour, self._rules
        refusal = self._count_request(now)
        if refusal is not None:
            return refusal
        while self._closures and self._closures[0][1] <= now:
            self._closures.popleft()
        if self._candle is None or (self._closures and self._closures[0][0] <= now):
            return OrderRejectedError(RejectReason.MARKET_CLOSED, "the market is closed")
        if client_id in self._client_ids:
            return OrderRejectedError(RejectReason.DUPLICATE, f"client id {client_id} was used before")
        last = rules.price(self._candle.close)
        if quantity < rules.min_quantity or quantity != rules.quantity(quantity):
            return OrderRejectedError(
                RejectReason.INVALID_ORDER,
                f"quantity {quantity} is below {rules.min_quantity} or off the grid",
            )
        if order_type == "limit":
            if price is None or price <= 0 or price != rules.price(price):
                return OrderRejectedError(RejectReason.INVALID_ORDER, f"price {price} is off the grid")
            if abs(price - last) > last * Decimal(str(behaviour.price_band)):
                return OrderRejectedError(
                    RejectReason.INVALID_ORDER, f"price {price} is outside the band around {last}"
                )
        needed = quantity * (price or last)
        free = self._account.cash * behaviour.leverage - self._account.in_use
        if not reduce_only and needed > free:
            return OrderRejectedError(
                RejectReason.INSUFFICIENT_FUNDS, f"{needed.normalize():f} needed, {free.normalize():f} free"
            )
        return None

    def _count_request(self, now: float) -> RateLimitExceededError | None:
        """A moving window: so many requests, and no more."""
        most, window, recent = self._behaviour.requests, self._behaviour.request_window, self._requests
        while recent and recent[0] <= now - window:
            recent.popleft()
        full = len(recent) >= most
        if not full:
            recent.append(now)
        left = most - len(recent)
        self.last_response_headers = {"X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(left)}
        if not full:
            return None
        room_in = (
            math.ceil(recent[0] + window - now) if recent else window
        )  # whole seconds, as Retry-After has
        return RateLimitExceededError(f"more than {most} orders in {window:.0f} s", room_in)

    def _accept(
        self, side: Side, quantity: Decimal, price: Decimal | None, client_id: str, reduce_only: bool
    ) -> _Order:
        self._client_ids.add(client_id)
        reference = price if price is not None else self._rules.price(self._last_price())
        order = _Order(f"P{next(self._ids):06d}", side, quantity, reduce_only, reference)
        order.expires = self._clock.now() + self._behaviour.time_in_force
        if not reduce_only:
            self._account.reserved[order.id] = reference * quantity
        return order

    async def _execute(self, order: _Order) -> None:
        """Fill a market order in one piece, or in up to three when the book is thin."""
        pieces = self._rng.randint(2, 3) if self._rng.random() < self._behaviour.partial_fills else 1
        share = self._rules.quantity(order.remaining / pieces)
        for piece in range(pieces):
            await self._clock.sleep(0.2 + self._rng.expovariate(4.0))
            slip = self._rng.gauss(self._behaviour.slippage, self._behaviour.slippage)
            slipped = self._last_price() * (1 + slip if order.side == "buy" else 1 - slip)
            price = max(self._rules.price(slipped), self._rules.tick_size)
            quantity = order.remaining if piece == pieces - 1 else share
            if quantity:
                self._fill(order, price, quantity, self._rules.taker_fee)

    def _fill(self, order: _Order, price: Decimal, quantity: Decimal, fee: Decimal) -> None:
        order.remaining -= quantity
        cost = price * quantity * fee
        self._account.book(order, price, quantity, cost)
        if not order.remaining:
            self._resting.pop(order.id, None)
            self._account.reserved.pop(order.id, None)
        self._report(Fill(order.id, price, quantity, cost, self._clock.now(), last=not order.remaining))

    def _last_price(self) -> float:
        if self._candle is None:
            raise LookupError("the market has not traded yet")
        return self._candle.close

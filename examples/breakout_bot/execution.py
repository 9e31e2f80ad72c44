"""Execution: takes what the engine wants, places it, and says what became of it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from breakout_bot.events import OrderPlaced, OrderRefused, OrderWanted
from breakout_bot.exchange import OrderRejectedError, RejectReason

if TYPE_CHECKING:
    from breakout_bot.bus import Bus
    from breakout_bot.clock import Clock
    from breakout_bot.exchange import PaperExchange
    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger

__all__ = ["Execution"]

RETRY_AFTER = 0.5  # seconds of market time between a lost request and the second try


class Execution:
    """Places orders one after the other; a request that was lost on the way is sent once more."""

    def __init__(
        self, exchange: PaperExchange, bus: Bus, clock: Clock, ledger: Ledger, latencies: Latencies
    ) -> None:
        self._exchange = exchange
        self._bus = bus
        self._clock = clock
        self._ledger = ledger
        self._latencies = latencies
        self._numbers = count(1)

    async def handle(self, event: object) -> None:
        """Place the wanted order and publish the outcome to the engine."""
        if not isinstance(event, OrderWanted):
            raise TypeError(f"execution cannot handle {type(event).__name__}")
        # The second try carries the same client id: had the first one arrived, the exchange would say "duplicate".
        client_id = f"bot-{next(self._numbers)}"
        outcome = await self._place(event, client_id)
        if isinstance(outcome, OrderRefused) and outcome.reason is RejectReason.NETWORK:
            await self._clock.sleep(RETRY_AFTER)
            outcome = await self._place(event, client_id)
        self._bus.publish("engine", outcome)

    async def _place(self, wanted: OrderWanted, client_id: str) -> OrderPlaced | OrderRefused:
        asked_at = self._clock.now()
        self._ledger.orders += 1
        with wanted.signal.order(
            side=wanted.side,
            type=wanted.order_type,
            quantity=wanted.quantity,
            expected_price=wanted.expected_price,
            client_id=client_id,
        ) as order:
            order.submitting()
            try:
                ack = await self._exchange.create_order(
                    wanted.side,
                    wanted.order_type,
                    wanted.quantity,
                    client_id=client_id,
                    price=wanted.limit_price,
                    reduce_only=wanted.exit_reason is not None,
                )
            except OrderRejectedError as rejection:
                order.rejected(rejection.reason.value, rejection.message)
                self._ledger.orders_rejected[rejection.reason.value] += 1
                return OrderRefused(wanted, rejection.reason)
            order.acknowledged(ack.id)
        now = self._clock.now()
        self._ledger.orders_acknowledged += 1
        self._latencies.ack.append(now - asked_at)
        return OrderPlaced(ack.id, wanted, now)

"""Execution: takes what the engine wants, places it, and says what became of it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from breakout_bot.events import OrderPlaced, OrderRefused, OrderWanted, PositionAsked, PositionTold
from breakout_bot.exchange import Ack
from breakout_bot.rejections import OrderRejectedError, RateLimitExceededError, RequestTimeoutError
from ticktrace import measure

if TYPE_CHECKING:
    from breakout_bot.bus import Bus
    from breakout_bot.clock import Clock
    from breakout_bot.exchange import PaperExchange
    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger
    from ticktrace import Telemetry

__all__ = ["Execution"]

RETRY_AFTER = 0.5  # seconds of market time between a lost request and the second try


class Execution:
    """Places orders one after the other. A request that was lost, and an exit that came too fast, is sent once more."""

    def __init__(
        self,
        exchange: PaperExchange,
        bus: Bus,
        clock: Clock,
        *,
        ledger: Ledger,
        latencies: Latencies,
        telemetry: Telemetry,
    ) -> None:
        self._provider = telemetry.trading.provider("paper")
        self._exchange = self._provider.wrap(
            exchange
        )  # create_order and fetch_position are calls to a provider
        self._bus = bus
        self._clock = clock
        self._ledger = ledger
        self._latencies = latencies
        self._telemetry = telemetry
        self._numbers = count(1)

    async def handle(self, event: object) -> None:
        """Do what the engine wants, and publish the outcome to it."""
        match event:
            case OrderWanted():
                await self._trade(event)
            case PositionAsked():
                await self._look_up_position()
            case _:
                raise TypeError(f"execution cannot handle {type(event).__name__}")

    async def _trade(self, wanted: OrderWanted) -> None:
        # The second try carries the same client id: had the first one arrived, the exchange would say "duplicate".
        client_id = f"bot-{next(self._numbers)}"
        outcome = await self._place(wanted, client_id)
        is_exit = wanted.exit_reason is not None
        if isinstance(outcome, RequestTimeoutError):
            self._provider.retried("create_order", outcome, wait=RETRY_AFTER)
            self._ledger.count("provider_retries", "paper", "create_order")
            await self._clock.sleep(RETRY_AFTER)
            outcome = await self._place(wanted, client_id)
        elif (
            isinstance(outcome, RateLimitExceededError) and is_exit
        ):  # an entry may be given up, an exit may not
            await self._clock.sleep(outcome.retry_after)
            self._provider.waited(outcome.retry_after, "create_order")
            self._ledger.count("rate_limit_waits", "paper", "create_order")
            outcome = await self._place(wanted, client_id)
        if isinstance(outcome, Ack):
            self._bus.publish("engine", OrderPlaced(outcome.id, wanted, self._clock.now()))
            return
        if is_exit:  # a position that should be closed is open: somebody ought to know
            self._telemetry.error(outcome, component="execution", severity="critical")
            self._ledger.count("critical_errors", "execution", type(outcome).__name__)
        self._bus.publish("engine", OrderRefused(wanted, outcome.reason))

    async def _place(self, wanted: OrderWanted, client_id: str) -> Ack | OrderRejectedError:
        asked_at = self._clock.now()
        self._ledger.orders += 1
        self._ledger.count("provider_calls", "paper", "create_order")
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
                kind = type(rejection).__name__
                order.rejected(rejection.reason.value, rejection.message)
                self._ledger.orders_rejected[rejection.reason.value] += 1
                self._ledger.count("provider_errors", "paper", "create_order", kind)
                self._telemetry.error(rejection, component="execution", severity="warning")
                self._ledger.count("errors", "execution", kind)
                return rejection
            order.acknowledged(ack.id)
        self._ledger.orders_acknowledged += 1
        self._latencies.ack.append(self._clock.now() - asked_at)
        return ack

    @measure("look_up_position", component="execution")  # any piece of your own code, timed
    async def _look_up_position(self) -> None:
        self._ledger.count("provider_calls", "paper", "fetch_position")
        self._bus.publish("engine", PositionTold(await self._exchange.fetch_position()))

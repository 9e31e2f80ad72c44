"""The bot: feed, engine, execution and exchange, wired together over the bus."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from breakout_bot.bus import Bus
from breakout_bot.clock import Clock
from breakout_bot.engine import Engine
from breakout_bot.events import CandleClosed
from breakout_bot.exchange import PaperExchange
from breakout_bot.execution import Execution
from breakout_bot.latency import Latencies
from breakout_bot.ledger import Ledger
from breakout_bot.money import rules_for

if TYPE_CHECKING:
    from breakout_bot.exchange import Behaviour
    from breakout_bot.market import Market
    from ticktrace import Telemetry

__all__ = ["Bot"]


class Bot:
    """Replays one market through the engine. `speed` is market seconds per real second, None is as fast as possible."""

    def __init__(
        self,
        market: Market,
        telemetry: Telemetry,
        *,
        speed: float | None = None,
        seed: int = 7,
        equity: Decimal = Decimal(10_000),
        behaviour: Behaviour | None = None,
    ) -> None:
        self.market = market
        self.ledger = Ledger()
        self.latencies = Latencies()
        self.clock = Clock(start=market.candles[0].open_time / 1000, speed=speed)
        self.bars_done = 0
        self.finished = False
        rules = rules_for(market, equity)
        trading = telemetry.trading
        trading.use_clock(
            self.clock.now
        )  # a replayed bar is as old as the replay's clock says, not as the wall's
        bus = Bus(self.clock, telemetry.meter_provider.get_meter("breakout_bot"))
        self._bus = bus
        self._exchange = PaperExchange(
            self.clock,
            rules,
            balance=equity,
            seed=seed,
            report=lambda report: bus.publish("engine", report),
            closures=market.closures,
            behaviour=behaviour,
        )
        self.engine = Engine(
            market, rules, equity, bus=bus, ledger=self.ledger, latencies=self.latencies, trading=trading
        )
        self._execution = Execution(self._exchange, bus, self.clock, self.ledger, self.latencies)
        self._stream = trading.market(venue=market.venue, symbol=market.symbol, timeframe=market.timeframe)
        self._go = asyncio.Event()
        self._go.set()

    @property
    def running(self) -> bool:
        return self._go.is_set() and not self.finished

    def start(self) -> None:
        """Let the feed run, from the start or after a stop."""
        self._go.set()

    def stop(self) -> None:
        """Hold the feed after the candle at hand; open positions stay open."""
        self._go.clear()

    async def run(self) -> None:
        """Replay the whole market, then let orders that are still on their way come to an end."""
        async with asyncio.TaskGroup() as tasks:
            consumers = [
                tasks.create_task(self._bus.consume("engine", self.engine.handle)),
                tasks.create_task(self._bus.consume("execution", self._execution.handle)),
            ]
            try:
                await self._replay()
            finally:
                self.finished = True
                for consumer in consumers:
                    consumer.cancel()
                await self.clock.stop()

    async def _replay(self) -> None:
        self.engine.start()
        for candle in self.market.candles:
            if not self._go.is_set():
                await self._pause()
            await self.clock.run_until(candle.closed_at)
            self._exchange.on_candle(candle)
            self._stream.message()
            self._bus.publish("engine", CandleClosed(candle))
            self.bars_done += 1
        await self.clock.run_dry()
        self.engine.stop()

    async def _pause(self) -> None:
        self.engine.stop()
        await self._go.wait()
        self.clock.rebase()
        self.engine.start()

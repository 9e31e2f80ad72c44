"""The bot: feed, engine, execution and exchange, wired together over the bus."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from breakout_bot.account import Account
from breakout_bot.bus import Bus
from breakout_bot.clock import Clock
from breakout_bot.engine import Engine
from breakout_bot.events import CandleClosed
from breakout_bot.exchange import PaperExchange
from breakout_bot.execution import Execution
from breakout_bot.feed import Feed
from breakout_bot.latency import Latencies
from breakout_bot.ledger import Ledger
from breakout_bot.money import rules_for
from breakout_bot.risk import Limits, RiskDesk
from breakout_bot.sentiment import SentimentDesk
from breakout_bot.store import TradeStore

if TYPE_CHECKING:
    from pathlib import Path

    from breakout_bot.exchange import Behaviour
    from breakout_bot.market import Market
    from breakout_bot.scanner import Filters
    from ticktrace import Telemetry

__all__ = ["Bot"]

BEAT = 5.0  # seconds of real time between two heartbeats, which also come with every candle


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
        limits: Limits | None = None,
        filters: Filters | None = None,
        store: str | Path = ":memory:",
    ) -> None:
        self.market = market
        self.ledger = ledger = Ledger()
        self.latencies = latencies = Latencies()
        self.clock = Clock(start=market.candles[0].open_time / 1000, speed=speed)
        self.bars_done = 0
        self.finished = False
        trading = telemetry.trading
        # A replayed bar is as old as the replay's clock says, not as the wall's.
        trading.use_clock(self.clock.now)
        self._bus = bus = Bus(self.clock, ledger)
        trading.observe_bus(bus, name="bot", depth=bus.depth)  # all that it takes: before anybody subscribes
        rules = rules_for(market, equity)
        self.exchange = PaperExchange(
            self.clock,
            rules,
            balance=equity,
            seed=seed,
            report=lambda report: bus.publish("engine", report),
            closures=market.closures,
            behaviour=behaviour,
        )
        self.store = TradeStore(store, trading, ledger)
        risk = RiskDesk(limits or Limits(), equity)
        self.account = Account(
            market,
            equity,
            risk=risk,
            store=self.store,
            ledger=ledger,
            latencies=latencies,
            telemetry=telemetry,
        )
        sentiment = SentimentDesk(market.symbol, telemetry, ledger, seed=seed)
        self.engine = Engine(
            market,
            rules,
            self.account,
            risk,
            sentiment,
            bus=bus,
            ledger=ledger,
            latencies=latencies,
            telemetry=telemetry,
            filters=filters,
        )
        execution = Execution(
            self.exchange, bus, self.clock, ledger=ledger, latencies=latencies, telemetry=telemetry
        )
        self._feed = Feed(market, telemetry, ledger, seed=seed)
        bus.subscribe("engine", self.engine.handle)
        bus.subscribe("execution", execution.handle)
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
            servants = [
                tasks.create_task(self._bus.serve("engine")),
                tasks.create_task(self._bus.serve("execution")),
                tasks.create_task(self._beat()),
            ]
            try:
                await self._replay()
            finally:
                self.finished = True
                for servant in servants:
                    servant.cancel()
                await self.clock.stop()

    async def _replay(self) -> None:
        self.engine.start()
        since = self.market.candles[0].open_time
        while page := await self._feed.page(since):
            for candle in page:
                if not self._go.is_set():
                    await self._pause()
                await self.clock.run_until(candle.closed_at)
                self.exchange.on_candle(candle)
                self._feed.message()
                self._bus.publish("engine", CandleClosed(candle))
                self.bars_done += 1
            since = page[-1].open_time + 1
        await self.clock.run_dry()
        self.engine.stop()

    async def _pause(self) -> None:
        self.engine.stop()
        await self._go.wait()
        self.clock.rebase()
        self.engine.start()

    async def _beat(self) -> None:
        while True:
            self.engine.heartbeat()
            await asyncio.sleep(BEAT)

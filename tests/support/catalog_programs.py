"""Programs that, all together, record every instrument of the catalog: the breakout bot, the examples, and small ones."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

import database
import event_bus
from breakout_bot.app import create_app
from breakout_bot.bot import Bot
from breakout_bot.exchange import Behaviour
from breakout_bot.market import synthetic_market
from breakout_bot.risk import Limits
from ticktrace.catalog import InstrumentSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ticktrace import Telemetry

    Program = Callable[[Telemetry], Awaitable[None]]

__all__ = ["BOT", "PROCESS", "PROGRAMS", "SETTINGS", "breakout_bot"]

BOT = "examples/breakout_bot"
PROCESS = "opentelemetry-instrumentation-system-metrics"

SETTINGS: dict[str, Any] = {
    "mode": "paper",
    "traces": {"sampler": "ticktrace_adaptive"},
    "slo": {
        "objectives": {"candles": {"instrument": "trading.candle.processing.duration", "threshold": "1ns"}},
        "interval": "1h",
    },
    "notifications": {"urls": ["json://127.0.0.1:9"], "attempts": 1},  # where nobody listens
}
"""What the programs need beside the exporters."""

_BARS = 900

# On this day everything happens that can: requests are lost, the exchange wants to be left alone, day trades are counted.
_DAY: dict[str, Any] = {
    "seed": 2,
    "behaviour": Behaviour(requests=1, request_window=240.0, lost_requests=0.4),
    "limits": Limits(day_trades=12),
}


async def breakout_bot(telemetry: Telemetry, seconds: float | None = None) -> None:
    """The bot on a bad day, as fast as it can or in so many seconds; and somebody at its control panel."""
    market = synthetic_market(_BARS, seed=1)
    span = market.candles[-1].closed_at - market.candles[0].closed_at
    bot = Bot(market, telemetry, speed=None if seconds is None else span / seconds, **_DAY)
    app = create_app(bot, telemetry)

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("out of order")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        running = asyncio.create_task(bot.run())
        await client.get("/state")
        await client.post("/start", json={"by": "an operator"})
        await client.get("/fault")
        await running
        await client.get("/trades")


async def event_buses(telemetry: Telemetry) -> None:
    """examples/event_bus.py: a slow handler, a full queue."""
    await event_bus.on_asyncio(telemetry)
    event_bus.on_threads(telemetry)


async def sqlalchemy(telemetry: Telemetry) -> None:
    """examples/database.py: a connection pool, and one request too many for it."""
    with tempfile.TemporaryDirectory() as directory:
        engine = database.connect(telemetry, Path(directory) / "bars.db")
        try:
            database.run(telemetry, engine, bars=3)
            database.exhaust(engine)
        finally:
            SQLAlchemyInstrumentor().uninstrument()
            engine.dispose()


async def engine_in_trouble(telemetry: Telemetry) -> None:
    """A turn that takes too long, and a step that was not declared."""
    engine = telemetry.trading.engine(
        states=("idle", "scanning"), transitions={"idle": ("scanning",)}, cycle_budget=0.0
    )
    with engine.cycle():
        engine.transition("scanning")
    engine.transition("idle")


async def stock_broker(telemetry: Telemetry) -> None:
    """A cash account, and a venue's clock that the bot holds against its own."""
    telemetry.trading.compliance.cash_violation("good_faith", symbol="AAPL", venue="broker")
    told_by_the_venue = time.time() + 0.25
    telemetry.trading.clock_skew(told_by_the_venue, venue="broker", round_trip=0.1)


async def redis_cache(telemetry: Telemetry) -> None:
    """A cache outside of the process, whose operations take time."""
    quotes = telemetry.trading.cache("quotes", system="redis")
    with quotes.operation("get") as operation:
        operation.miss()


async def too_many_series(telemetry: Telemetry) -> None:
    """An instrument of the bot's own with more desks than it allowed itself, and a trace that nobody wants."""
    row = InstrumentSpec(
        "acme.orders", Kind.COUNTER, "{order}", "Orders by desk.", attributes=("acme.desk",), max_series=2
    )
    telemetry.declare(row)
    for desk in ("fx", "rates", "metals"):
        telemetry.counter("acme.orders", desk=desk).add(1)


async def objectives(telemetry: Telemetry) -> None:
    """A promise that no bot can keep, and nobody who takes the message."""
    telemetry.histogram("trading.candle.processing.duration").record(0.001)
    telemetry._watch.look()
    sender = telemetry._watch._sender
    assert sender is not None
    assert await asyncio.to_thread(sender.idle, 20)


async def watch_process(telemetry: Telemetry) -> None:
    """OpenTelemetry's own instrumentation of process and host, which answers at every collection, and ours beside it."""
    telemetry.watch_process()
    telemetry.watch_event_loop(period=0.01)
    gc.collect()
    await asyncio.sleep(0.05)
    instrumentor = SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=telemetry.meter_provider)
    instrumentor.uninstrument()  # takes nothing back, but lets it be instrumented again


PROGRAMS: dict[str, Program] = {
    BOT: breakout_bot,
    "examples/event_bus.py": event_buses,
    "examples/database.py": sqlalchemy,
    "engine_in_trouble": engine_in_trouble,
    "stock_broker": stock_broker,
    "redis_cache": redis_cache,
    "too_many_series": too_many_series,
    "objectives": objectives,
    PROCESS: watch_process,
}

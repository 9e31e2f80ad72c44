"""The bot's control panel: start, stop, state, positions, trades; and /metrics, which ticktrace adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

if TYPE_CHECKING:
    from breakout_bot.bot import Bot
    from ticktrace import Telemetry

__all__ = ["create_app"]


def create_app(bot: Bot, telemetry: Telemetry) -> FastAPI:
    """Build the app; one line makes it observed, and flushes telemetry when the server stops."""
    app = FastAPI(title="breakout bot", description="A paper-trading bot, observed with ticktrace.")
    telemetry.instrument_fastapi(app)

    @app.get("/state")
    async def state() -> dict[str, Any]:
        return _state(bot)

    @app.get("/positions")
    async def positions() -> list[dict[str, Any]]:
        return [
            {
                "strategy": position.strategy,
                "direction": position.direction,
                "quantity": str(position.quantity),
                "entry_price": str(position.entry_price),
                "stop": position.stop,
                "target": position.target,
                "bars": position.bars,
            }
            for position in bot.account.book.open.values()
        ]

    @app.get("/trades")
    async def trades(last: int = 100) -> list[dict[str, Any]]:
        return bot.store.trades(last)

    @app.get("/ledger")
    async def ledger() -> dict[str, Any]:
        return bot.ledger.as_dict()

    @app.post("/start")
    async def start() -> dict[str, Any]:
        bot.start()
        return _state(bot)

    @app.post("/stop")
    async def stop() -> dict[str, Any]:
        bot.stop()
        return _state(bot)

    return app


def _state(bot: Bot) -> dict[str, Any]:
    return {
        "state": bot.engine.state,
        "running": bot.running,
        "finished": bot.finished,
        "symbol": bot.market.symbol,
        "timeframe": bot.market.timeframe,
        "candles": bot.bars_done,
        "of": len(bot.market.candles),
        "market_time": bot.clock.now(),
    }

"""A bot without any event loop that records a little and simply ends."""

from __future__ import annotations

import threading

from opentelemetry import trace

from ticktrace import setup_telemetry

telemetry = setup_telemetry("plain-bot")


def trade(symbol: str) -> None:
    market = telemetry.trading.market(venue="paper", symbol=symbol, timeframe="1m")
    for _ in range(20):
        with market.candle(), trace.get_tracer("library").start_as_current_span("library"):
            pass


threads = [threading.Thread(target=trade, args=(f"S{number}",)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

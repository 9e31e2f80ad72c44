"""A bot that records candles, flushes when it is told to, and says what it did; it ends by being killed."""

from __future__ import annotations

import sys

from ticktrace import setup_telemetry

telemetry = setup_telemetry("doomed-bot", mode="paper")
market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
made = 0
for line in sys.stdin:
    command, _, count = line.partition(" ")
    if command == "record":
        for _ in range(int(count)):
            with market.candle(close_time=1_700_000_040 + 60 * made):
                made += 1
    elif command.strip() == "flush":
        assert telemetry.flush(20)
    print(made, flush=True)

"""A bot that forks workers: each of them, and the parent, processes candles of its own symbol."""

from __future__ import annotations

import os
import sys

from ticktrace import setup_telemetry


def trade(symbol: str, count: int) -> None:
    market = telemetry.trading.market(venue="paper", symbol=symbol, timeframe="1m")
    for number in range(count):
        with market.candle(close_time=1_700_000_040 + 60 * number):
            shared.message()


telemetry = setup_telemetry("forking-bot", mode="paper")
shared = telemetry.trading.market(venue="paper", symbol="SHARED", timeframe="1m")
trade("PARENT", 5)
children = []
for number in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        trade(f"CHILD{number}", 3 + number)
        os._exit(0 if telemetry.shutdown(10) else 1)
    children.append(child)
trade("PARENT", 2)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
good = telemetry.shutdown(10)
print(codes, good)
sys.exit(0 if good and not any(codes) else 1)

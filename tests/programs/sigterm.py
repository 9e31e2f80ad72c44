"""A plain bot, without a web server, that asks for a flush on SIGTERM and then waits to be killed.

With the argument ``threadless`` no thread can be started by then, as in a process that is about to exit.
"""

from __future__ import annotations

import sys
import threading

from ticktrace import setup_telemetry

telemetry = setup_telemetry("sigterm-bot", shutdown={"on_sigterm": True})
market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
for number in range(9):
    with market.candle(close_time=1_700_000_040 + 60 * number):
        pass
if "threadless" in sys.argv:
    threading.stack_size(2**50)  # more than there are addresses
print("ready", flush=True)
threading.Event().wait(60)

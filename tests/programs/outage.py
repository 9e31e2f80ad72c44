"""A bot whose collector is out of order: prints how long its candles took and what ending took, as JSON."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time

from ticktrace import setup_telemetry

count = int(sys.argv[1])
telemetry = setup_telemetry("outage-bot", mode="paper")
market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")


def run(candles: int) -> list[float]:
    took = []
    for number in range(candles):
        began = time.perf_counter()
        with (
            market.candle(close_time=1_700_000_040 + 60 * number) as candle,
            candle.signal("momentum") as signal,
        ):
            signal.check("volume", value=1, threshold=2)
        took.append(time.perf_counter() - began)
    return took


run(2_000)  # the queue is full from here on
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
took = run(count)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
good = telemetry.shutdown()
print(
    json.dumps(
        {
            "median": statistics.median(took),
            "shutdown": time.perf_counter() - began,
            "good": good,
            "grown_kib": after - before,
        }
    )
)

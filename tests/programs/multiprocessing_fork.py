"""A bot whose workers are forked by multiprocessing, which ends them without running what atexit holds."""

from __future__ import annotations

import multiprocessing

from ticktrace import setup_telemetry


def work(symbol: str) -> None:
    market = telemetry.trading.market(venue="paper", symbol=symbol, timeframe="1m")
    with market.candle(close_time=1_700_000_040):
        pass


telemetry = setup_telemetry("forking-bot")
context = multiprocessing.get_context("fork")
workers = [context.Process(target=work, args=(f"CHILD{number}",)) for number in range(2)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()

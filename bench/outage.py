"""What a broken collector does to the trading thread: candle times beside those without any exporter.

The bot runs at 400 candles a second, which overflows the span queue, so that every export path is busy. Each set-up
takes its turn several times; the healthy collector is another process, as it would be.
"""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.interleaved import progress
from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.interleaved import Pace, Row

__all__ = ["collector", "outage"]

ROOT = Path(__file__).parent.parent
PERIOD = 1 / 400

# Each ends when its standard input does; the healthy one forgets what it has received.
COLLECTORS = {
    "healthy": """
with otlp_server("grpc") as server:
    print(server.endpoint, flush=True)
    while not select.select([sys.stdin], [], [], 1.0)[0]:
        server.requests.clear()
""",
    "hung": """
with hung_server("grpc") as endpoint:
    print(endpoint, flush=True)
    sys.stdin.read()
""",
}


@contextmanager
def collector(how: str) -> Iterator[str]:
    """A collector in a process of its own, of the tests' make; yields where it is."""
    program = f"import select, sys\nfrom support.otlp_server import *\n{COLLECTORS[how]}"
    with subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", program],
        cwd=ROOT / "tests",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  for the type checker
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _candles(count: int, **settings: Any) -> list[float]:
    """Seconds that each of `count` candles took."""
    took = []
    with setup_telemetry(
        "bench",
        engine="deferred",
        mode="backtest",
        shutdown={"timeout": 1.0},
        diagnostics={"journal": {"enabled": False}},
        set_global=False,
        **settings,
    ) as telemetry:
        market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
        due = time.perf_counter()
        for number in range(count):
            due += PERIOD
            time.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            with (
                market.candle(close_time=1_700_000_040 + 60 * number) as candle,
                candle.signal("momentum") as signal,
            ):
                signal.check("volume", value=2, threshold=1)
            took.append(time.perf_counter() - began)
    return took


def outage(pace: Pace) -> Iterator[Row]:
    """Medians and 99th percentiles of candle times."""
    rounds, count = (1, 400) if pace.quick else (3, 2_000)
    if pace.rounds == 1:
        count = 100
    everything = {"traces": ["otlp"], "metrics": ["otlp"]}
    silent = {"exporters": {"traces": ["memory"], "metrics": ["memory"]}}
    # Said at the end of every run with a broken collector, as it should be.
    logging.getLogger("ticktrace").setLevel(logging.CRITICAL)
    took: dict[str, list[float]] = {"no exporter": [], "healthy": [], "hung": [], "refused": []}
    with collector("healthy") as healthy, collector("hung") as hung:
        endpoints = {"healthy": healthy, "hung": hung, "refused": "http://127.0.0.1:1"}
        for number in range(rounds):
            progress(f"outage, round {number + 1} of {rounds}")
            for how in took:
                settings: dict[str, Any] = dict(silent)
                if how in endpoints:
                    settings = {
                        "exporters": everything,
                        "otlp": {"endpoint": endpoints[how], "protocol": "grpc"},
                        "traces": {"queue": {"schedule_delay": 0.5}},
                        "metrics": {"export_interval": 0.5},
                    }
                took[how] += _candles(count, **settings)
    for quantile, at in (("p50", 50), ("p99", 99)):
        values = {how: statistics.quantiles(found, n=100)[at - 1] for how, found in took.items()}
        for how in ("healthy", "hung", "refused"):
            others = [other for other in ("no exporter", "healthy") if other != how]
            yield {
                "name": f"outage.{how}.{quantile}",
                "ours_ns": values[how] * 1e9,
                "ratio": {other: values[how] / values[other] for other in others},
            }

"""How late a trading thread wakes while its telemetry is recorded, exported by OTLP and scraped.

The thread has a candle every millisecond. It sleeps until the next is due and notes how late it woke, and for each
candle how late it was handled, which also counts candles that had to wait for the one before. Another process receives
OTLP, a third scrapes once a second.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.interleaved import progress
from bench.ours import KEEP_NOTHING, candle_of
from bench.outage import collector
from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.interleaved import Pace, Row

__all__ = ["lateness"]

_PERIOD = 0.001
_MARKETS = 20
_WARM_UP_SECONDS = 0.5

_SCRAPER = """
import sys, time, urllib.request
while True:
    began = time.monotonic()
    try:
        urllib.request.urlopen(sys.argv[1], timeout=10).read()
    except OSError:
        pass
    time.sleep(max(0.0, began + 1.0 - time.monotonic()))
"""


@contextmanager
def _scraped(port: int) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", _SCRAPER, f"http://localhost:{port}/metrics"]) as scraper:  # noqa: S603  our own program
        try:
            yield
        finally:
            scraper.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port


def _trade(telemetry: Any, seconds: float) -> tuple[list[float], list[float]]:
    """Trade on schedule; seconds by which the thread woke late, and by which each candle was handled late."""
    candles = [candle_of(telemetry, f"S{number}/USDT") for number in range(_MARKETS)]
    woke: list[float] = []
    handled: list[float] = []
    now, sleep = time.perf_counter, time.sleep
    began = due = now()
    end, counts_from = began + seconds, began + min(_WARM_UP_SECONDS, seconds / 4)
    number = 0
    while due < end and now() < end + 1.0:  # who falls behind for good need not catch up
        due += _PERIOD
        wait = due - now()
        if wait > 0:
            sleep(wait)
        late = now() - due
        if due > counts_from:
            handled.append(late)
            if wait > 0:
                woke.append(late)
        candles[number % _MARKETS]()
        number += 1
    return woke, handled


def _lost(port: int) -> float:
    """What telemetry counts as dropped, of all kinds, as a scrape shows it."""
    with urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith("ticktrace_dropped_total{")
    )


def _phase(how: str, endpoint: str, seconds: float) -> tuple[list[float], list[float], float]:
    """See `_trade`; and what was lost of the telemetry."""
    port = _free_port()
    settings: dict[str, Any] = {"enabled": False}
    if how != "off":
        settings = {
            "diagnostics": {"journal": {"enabled": False}},
            "engine": "sdk" if how == "sdk" else "deferred",
            "exporters": {"traces": ["otlp"], "metrics": ["otlp", "prometheus"]},
            "otlp": {"endpoint": endpoint, "protocol": "grpc"},
            "metrics": {"export_interval": 1.0},
            "prometheus": {"port": port, "serve": "always"},
        }
    if how == "deferred, dropped":
        settings["traces"] = {"keep": KEEP_NOTHING}
    with setup_telemetry("bench", set_global=False, **settings) as telemetry, _scraped(port):
        woke, handled = _trade(telemetry, seconds)
        return woke, handled, _lost(port) if telemetry.enabled else 0.0


def _quantiles(values: list[float]) -> dict[str, float]:
    """In ns."""
    ranked = sorted(values)
    return {
        "p50": statistics.median(ranked) * 1e9,
        "p99": ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))] * 1e9,
        "max": ranked[-1] * 1e9,
    }


def lateness(pace: Pace) -> Iterator[Row]:
    """Median, 99th percentile and maximum: the median of the rounds of each."""
    rounds, seconds = (1, 3.5) if pace.quick else (3, 8.0)
    if pace.rounds == 1:
        seconds = 0.5
    hows = ["off", "deferred", "sdk"] if pace.quick else ["off", "deferred", "deferred, dropped", "sdk"]
    woke: dict[str, list[dict[str, float]]] = {how: [] for how in hows}
    handled: dict[str, list[dict[str, float]]] = {how: [] for how in hows}
    slept: dict[str, float] = {}
    lost = dict.fromkeys(hows, 0.0)
    with collector("healthy") as endpoint:
        for number in range(rounds):
            progress(f"wakeup, round {number + 1} of {rounds}")
            for how in hows:
                wakes, candles, dropped = _phase(how, endpoint, seconds)
                woke[how].append(_quantiles(wakes or [max(candles)]))
                handled[how].append(_quantiles(candles))
                slept[how] = len(wakes) / len(candles)
                lost[how] += dropped
    for found, what in ((woke, "wakeup"), (handled, "candle.lateness")):
        for at in ("p99", "p50", "max"):
            values = {how: statistics.median(each[at] for each in found[how]) for how in hows}
            for how in hows[1:-1]:
                row: Row = {
                    "name": f"{what}.{at}" + (".dropped" if how != "deferred" else ""),
                    "ours_ns": values[how],
                    "ratio": {other: values[how] / values[other] for other in ("sdk", "off")},
                    "theirs_ns": {other: values[other] for other in ("sdk", "off")},
                }
                if at == "p99":
                    row["note"] = (
                        f"the thread could sleep before {slept[how]:.0%} of its candles, with the SDK before"
                        f" {slept['sdk']:.0%}; telemetry lost {lost[how]:,.0f} items, the SDK {lost['sdk']:,.0f}"
                    )
                yield row

"""The whole breakout bot over real candles at full speed, with telemetry off and on either engine."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.interleaved import progress
from bench.ours import started
from breakout_bot.bot import Bot
from breakout_bot.market import read_candles, synthetic_market

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.interleaved import Pace, Row
    from breakout_bot.market import Market

__all__ = ["run"]

_DATA = Path(os.environ.get("TICKTRACE_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
_CANDLES = _DATA / "btc_perp_1m_20220119_20220125.csv"
_COUNT = 10_080
_QUICK_COUNT = 2_000
_SDK_ROUNDS = 2  # it takes ten times as long as the bot alone

_RUNS: dict[str, dict[str, Any]] = {
    "off": {"engine": "off"},
    "deferred": {"engine": "deferred"},
    "deferred, by outcome": {"engine": "deferred", "traces": {"keep": {"head": False}}},
    "sdk": {"engine": "sdk"},
}


def _market() -> tuple[Market, str]:
    """The candles, and where they are from."""
    if _CANDLES.is_file():
        return read_candles(_CANDLES), "real candles"
    return synthetic_market(_COUNT, seed=7), "made-up candles: the real ones are not on this machine"


def _seconds(market: Market, settings: dict[str, Any]) -> tuple[float, float, int, dict[str, float]]:
    """How long the bot takes with its telemetry sent, by the clock and in CPU; spans exported, and what was lost."""
    with started(checked=False, mode="paper", **settings) as ours:
        bot = Bot(market, ours.telemetry, seed=7)
        began, began_cpu = time.perf_counter(), time.process_time()
        asyncio.run(bot.run())
        ours.telemetry.flush()
        took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        if ours.telemetry.enabled:
            ours.provider.force_flush()
        return took, cpu, ours.exported.count, ours.lost()


def run(pace: Pace) -> Iterator[Row]:
    """Wall time a candle: by the default rules, which keep every trace, and by outcome alone; flushing included."""
    market, origin = _market()
    rounds = 1 if pace.rounds == 1 else 3 if pace.quick else 7
    if pace.quick:
        market = dataclasses.replace(market, candles=market.candles[:_QUICK_COUNT])
    count = len(market.candles)
    took: dict[str, list[float]] = {name: [] for name in _RUNS}
    used: dict[str, list[float]] = {name: [] for name in _RUNS}
    notes: dict[str, str] = {}
    for number in range(rounds):
        progress(f"bot.overhead, round {number + 1} of {rounds}, {count:,} {origin}")
        for name, settings in _RUNS.items() if number % 2 else reversed(_RUNS.items()):
            if name == "sdk" and number >= _SDK_ROUNDS:
                continue
            seconds, cpu, exported, lost = _seconds(market, settings)
            used[name].append(cpu)
            took[name].append(seconds / count * 1e9)
            notes[name] = f"{count:,} {origin}; {exported:,} spans exported"
            if lost:
                notes[name] += ", " + ", ".join(f"{n:,.0f} lost ({why})" for why, n in sorted(lost.items()))
    for name, row in (("deferred", "bot.overhead"), ("deferred, by outcome", "bot.overhead.by_outcome")):
        yield {
            "name": row,
            "ours_ns": statistics.median(took[name]),
            "ratio": {other: _against(took, name, other) for other in ("off", "sdk")},
            "note": f"{notes[name]}; CPU of the whole process {_against(used, name, 'off'):.2f} times that without telemetry",
        }


def _against(costs: dict[str, list[float]], one: str, other: str) -> float:
    """The median of the rounds' ratios; one of them may have run in fewer rounds."""
    return statistics.median(a / b for a, b in zip(costs[one], costs[other], strict=False))

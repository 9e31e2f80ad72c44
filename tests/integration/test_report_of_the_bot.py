"""The journal of the breakout bot answers: what blocked a candle, and what another threshold would have let pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from breakout_bot.bot import Bot
from breakout_bot.market import read_candles, synthetic_market
from breakout_bot.scanner import Filters
from support.report_figures import problems_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakout_bot.market import Market
    from ticktrace import Telemetry

DATA = Path(os.environ.get("TICKTRACE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


def ask(*arguments: str) -> Any:
    """What `ticktrace` answers, as JSON."""
    command = [sys.executable, "-m", "ticktrace", *arguments, "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


async def run(telemetry: Telemetry, market: Market, filters: Filters | None = None) -> Bot:
    bot = Bot(market, telemetry) if filters is None else Bot(market, telemetry, filters=filters)
    await bot.run()
    assert telemetry.flush()
    return bot


@pytest.mark.parametrize("bars", [1_200])
async def test_every_number_of_the_report_is_in_the_books(telemetry: Telemetry, bars: int) -> None:
    bot = await run(telemetry, synthetic_market(bars, seed=7))
    report = ask("report", telemetry.diagnostics.snapshot()["output_path"])
    assert problems_with(report, bot.ledger.as_dict()) == []
    assert report["malformed"]["count"] == 0


async def test_explain_names_what_blocked_a_candle_and_the_trace_that_was_exported(
    telemetry: Telemetry,
) -> None:
    market = synthetic_market(600, seed=7)
    await run(telemetry, market)
    path = telemetry.diagnostics.snapshot()["output_path"]
    told = ask("explain", market.symbol, "last-rejected", path)
    exported = {
        f"{span.context.trace_id:032x}": span
        for span in telemetry.memory.spans
        if span.name.startswith("candle ")
    }
    (trace_id,) = told["trace_ids"]
    assert trace_id in exported
    failed = {
        (event.attributes or {})["trading.filter.name"]
        for span in telemetry.memory.spans
        if f"{span.context.trace_id:032x}" == trace_id
        for event in span.events
        if event.name == "trading.filter.evaluated"
        and (event.attributes or {})["trading.filter.result"] != "pass"
    }
    # What the span events say is what the journal says; near misses of filters alone are events of a scan's span.
    blocked = {reason.rsplit(":", 1)[1] for reason in told["blocked_by"] if reason.startswith("signal:")}
    assert blocked
    assert blocked <= failed


@pytest.mark.timeout(240)
async def test_the_curve_of_a_threshold_is_what_another_run_finds(start: Callable[..., Telemetry]) -> None:
    candles = DATA / "btc_perp_1m_20220119_20220125.csv"
    if not candles.exists():
        pytest.skip(f"{candles} is not there; TICKTRACE_TEST_DATA names the folder with real candles")
    market = read_candles(candles)
    telemetry = start(exporters={"traces": ["none"], "metrics": ["memory"]}, mode="backtest")
    await run(telemetry, market)
    report = ask("report", telemetry.diagnostics.snapshot()["output_path"])
    (near,) = [row for row in report["near_misses"] if row["name"] == "volume"]
    suggested, gained = near["suggestion"]["threshold"], near["suggestion"]["additional"]
    assert gained > 0
    (before,) = [row for row in report["thresholds"] if row["name"] == "volume"]
    telemetry.shutdown()
    again = start(exporters={"traces": ["none"], "metrics": ["memory"]}, mode="backtest")
    await run(again, market, replace(Filters(), min_volume=suggested))
    rerun = ask("report", again.diagnostics.snapshot()["output_path"])
    (after,) = [row for row in rerun["thresholds"] if row["name"] == "volume"]
    assert after["threshold"] == suggested
    assert after["n"] == before["n"]
    assert after["passed"] == before["passed"] + gained

"""The bot as a process, a real Prometheus that scrapes it, and the two must tell the same story."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import pytest

from breakout_bot.market import synthetic_market, write_candles
from support.bot_figures import figures
from support.prometheus import Prometheus
from support.report_figures import funnel_of, problems_with, scraped_funnel

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TICKTRACE_TEST_DATA") or ROOT.parent / "shared" / "data")


class BotProcess:
    """`python -m breakout_bot` on a file of candles, serving until the end of the block."""

    def __init__(self, candles: Path, ledger: Path, *arguments: str, engine: str = "sdk") -> None:
        self._ledger = ledger
        self._lines: SimpleQueue[str] = SimpleQueue()
        self.printed: list[str] = []
        # Only a free port, and nobody waits on a terminal: the run is the one of `make demo`.
        command = [sys.executable, "-m", "breakout_bot", "--candles", str(candles), "--speed", "max"]
        command += ["--port", "0", "--ledger", str(ledger), "--keep-serving", "--no-cost", *arguments]
        self.process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "examples"),
                "PYTHONUNBUFFERED": "1",
                "TICKTRACE_ENGINE": engine,
                "TICKTRACE_DIAGNOSTICS_JOURNAL_DIRECTORY": str(ledger.parent / "diag"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, timeout: float) -> str:
        """The first line that contains `text`."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"the bot did not print {text!r}:\n{''.join(self.printed)}") from None
            if text in line:
                return line
            assert line, f"the bot ended before it printed {text!r}:\n{''.join(self.printed)}"

    def ledger(self) -> dict[str, Any]:
        """The books that the bot has written."""
        books: dict[str, Any] = json.loads(self._ledger.read_text(encoding="utf-8"))
        return books

    def stop(self) -> int:
        """Ask it to end, as a service manager would; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.printed.append(line)
            self._lines.put(line)
        self._lines.put("")


def run_beside_prometheus(
    candles: Path, directory: Path, timeout: float, *arguments: str, engine: str = "sdk"
) -> dict[str, Any]:
    """Run the bot on `candles` under Prometheus' eyes, compare the two, and return the bot's books."""
    with BotProcess(candles, directory / "ledger.json", *arguments, engine=engine) as bot:
        line = bot.wait_for("/metrics", timeout=30)
        target = line.split("http://", 1)[1].split("/", 1)[0]
        with Prometheus(directory / "prometheus", [target]) as prometheus:
            bot.wait_for("Still serving", timeout)
            books = bot.ledger()
            for attempts_left in reversed(
                range(5)
            ):  # on a busy machine a query may be answered from the scrape before
                prometheus.wait_for_a_whole_scrape(after=time.time())
                try:
                    compare(prometheus, books, engine)
                except AssertionError:
                    if not attempts_left:
                        raise
                else:
                    break
            compare_funnel(prometheus, books)
        assert bot.stop() == 0, "".join(bot.printed)
    assert problems_with(report_on(directory / "diag"), books) == []
    return books


def report_on(journal: Path) -> dict[str, Any]:
    """What `ticktrace report` says of a folder of journals."""
    command = [sys.executable, "-m", "ticktrace", "report", "--format", "json", str(journal)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def compare_funnel(prometheus: Prometheus, books: Mapping[str, Any]) -> None:
    """The funnel of the report is made of numbers that Prometheus has, too."""
    steps = {stage: (entered, passed) for stage, entered, passed in funnel_of(books)}
    assert scraped_funnel(prometheus) == {
        "candles": steps["candles"][0],
        "scanned": steps["scanned"][1],
        "candidates": steps["filtered"][1],
        "evaluations": steps["conditions"][0],
        "signals": steps["signals"][1],
        "rejected": steps["risk"][0] - steps["risk"][1],
        "submitted": steps["orders"][0],
        "filled": steps["fills"][1],
    }


def compare(prometheus: Prometheus, books: Mapping[str, Any], engine: str) -> None:
    """Every figure of the ledger, as Prometheus has it."""
    told = list(figures(books))
    problems = [problem for figure in told if (problem := figure.problem(figure.scraped(prometheus)))]
    assert problems == []
    # Log records of errors are left out on purpose: a few of each kind a minute are enough. At thousands of candles a second
    # the deferred engine may find no room for a trace. No measurement is ever lost.
    lossy = "errors|traces" if engine == "deferred" else "errors"
    assert prometheus.number(f'sum(ticktrace_dropped_total{{ticktrace_buffer_name!~"{lossy}"}})') == 0


def test_prometheus_has_the_bots_own_books(tmp_path: Path, engine: str) -> None:
    candles = tmp_path / "candles.csv"
    market = synthetic_market(1200, seed=7)
    write_candles(candles, market.candles)
    books = run_beside_prometheus(candles, tmp_path, 45, engine=engine)
    assert books["candles"] == 1200
    assert books["trades"]["closed"] > 0


@pytest.mark.timeout(240)  # ten thousand real candles, twice as many spans, on a machine that may be busy
@pytest.mark.parametrize(
    ("file", "bars", "gaps", "arguments"),
    [
        ("btc_perp_1m_20220119_20220125.csv", 10_080, 0, ()),
        ("unittest_btc_1m_gappy_201711.csv", 13_681, 538, ()),
        ("sp500_1m_201911_sessions.csv", 1_563, 3, ("--day-trades", "20")),
    ],
)
def test_prometheus_has_the_bots_own_books_of_real_candles(
    tmp_path: Path, file: str, bars: int, gaps: int, arguments: tuple[str, ...]
) -> None:
    candles = DATA / file
    if not candles.exists():
        pytest.skip(f"{candles} is not there; TICKTRACE_TEST_DATA names the folder with real candles")
    books = run_beside_prometheus(candles, tmp_path, 200, *arguments)
    assert (books["candles"], books["gaps"]) == (bars, gaps)
    assert set(books["signals"]) == {"momentum", "retest"}
    trades = books["trades"]
    assert trades["won"] > 0
    assert trades["lost"] > 0
    assert len(books["orders"]["rejected"]) >= 2
    assert books["fills"] > books["orders"]["filled"]
    assert ("pdt_avoided" in books["counts"]) is bool(arguments)


def test_a_bot_that_is_told_to_stop_closes_its_books_first(tmp_path: Path) -> None:
    candles = tmp_path / "candles.csv"
    write_candles(candles, synthetic_market(500, seed=7).candles)
    with BotProcess(candles, tmp_path / "ledger.json", "--speed", "600") as bot:
        bot.wait_for("traces", timeout=30)
        assert bot.stop() == 0, "".join(bot.printed)
        bot.wait_for("Stopped after", timeout=5)
        assert bot.ledger()["candles"] < 500

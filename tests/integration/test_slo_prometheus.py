"""Compliance in process, in PromQL over a real Prometheus, and by brute force over the raw values: the same numbers."""

from __future__ import annotations

import math
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.prometheus import Prometheus, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry

pytestmark = [pytest.mark.backend, pytest.mark.timeout(120)]

CANDLE = "trading.candle.processing.duration"
WINDOW = 6.0
SETTLED = 1.5  # seconds without an event, so that no moment of a window's beginning is in doubt
OBJECTIVES: dict[str, Any] = {
    "hour": {"instrument": CANDLE, "threshold": "50ms", "window": "1h", "target": 0.9},
    "btc": {
        "instrument": CANDLE,
        "threshold": "50ms",
        "window": WINDOW,
        "attributes": {"symbol": "BTC/USDT"},
    },
    "whole": {"instrument": CANDLE, "threshold": 1, "window": WINDOW, "target": 0.5},
    "accepted": {
        "instrument": "trading.orders.submitted",
        "bad_instrument": "trading.orders.rejected",
        "window": WINDOW,
        "target": 0.8,
    },
    "passed": {
        "instrument": "trading.filter.evaluations",
        "good": {"trading.filter.result": ["pass", "near_miss"]},
        "window": "1d",
        "target": 0.5,
    },
}
NEAR = (0.0001, 0.04999, math.nextafter(0.05, 0), 0.05, math.nextafter(0.05, 1), 0.0501, 1.0, 1.0001, 30.0)


class Recorded:
    """What the threads of a bot record, and the raw values behind it with their times."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self.values: list[tuple[float, str, float]] = []
        self.counts: list[tuple[float, str]] = []

    def burst(self, seed: int) -> None:
        """Four threads record a few thousand events."""
        threads = [threading.Thread(target=self._record, args=(4 * seed + number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _record(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  a workload
        telemetry = self._telemetry
        values: list[tuple[float, str, float]] = []
        counts: list[tuple[float, str]] = []
        for _ in range(500):
            symbol = chance.choice(("BTC/USDT", "ETH/USDT"))
            value = chance.choice(NEAR) if chance.random() < 0.5 else chance.expovariate(20)
            telemetry.histogram(CANDLE, symbol=symbol).record(value)
            values.append((time.monotonic(), symbol, value))
            what = chance.choice(("submitted", "submitted", "submitted", "rejected"))
            if what == "rejected":
                telemetry.counter("trading.orders.submitted", symbol=symbol).add(1)
                telemetry.counter("trading.orders.rejected", symbol=symbol, reason="network").add(1)
                counts.append((time.monotonic(), "submitted"))
            else:
                telemetry.counter("trading.orders.submitted", symbol=symbol).add(1)
            counts.append((time.monotonic(), what))
            result = chance.choice(("pass", "near_miss", "fail"))
            telemetry.counter("trading.filter.evaluations", **{"trading.filter.result": result}).add(1)
            counts.append((time.monotonic(), result))
        with self._lock:
            self.values += values
            self.counts += counts

    def expected(self, since: dict[str, float]) -> dict[str, tuple[int, int]]:
        """Good events and all events of each objective, by looking at each of them."""

        def slow(name: str, threshold: float, symbols: tuple[str, ...]) -> tuple[int, int]:
            inside = [v for at, symbol, v in self.values if at >= since[name] and symbol in symbols]
            return sum(v <= threshold for v in inside), len(inside)

        def count(name: str, *words: str) -> int:
            return sum(at >= since[name] and word in words for at, word in self.counts)

        both = ("BTC/USDT", "ETH/USDT")
        submitted = count("accepted", "submitted")
        return {
            "hour": slow("hour", 0.05, both),
            "btc": slow("btc", 0.05, ("BTC/USDT",)),
            "whole": slow("whole", 1, both),
            "accepted": (submitted - count("accepted", "rejected"), submitted),
            "passed": (count("passed", "pass", "near_miss"), count("passed", "pass", "near_miss", "fail")),
        }


def test_process_prometheus_and_raw_values_agree(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    port = free_port()
    telemetry = start(
        exporters={"metrics": ["prometheus"]},
        prometheus={"port": port, "serve": "always"},
        slo={"objectives": OBJECTIVES, "interval": "200ms"},
    )
    recorded = Recorded(telemetry)
    expressions = telemetry.objectives.promql()
    objectives = {one.name: one for one in telemetry.objectives._objectives}
    with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}"], interval="200ms") as prometheus:
        prometheus.wait_for_a_whole_scrape(time.time())
        began = time.monotonic()
        recorded.burst(1)
        _same(
            telemetry, prometheus, objectives, expressions, recorded.expected(dict.fromkeys(OBJECTIVES, 0.0))
        )
        # The first burst leaves the short windows while nothing is recorded; the second then is all that is in them.
        time.sleep(max(0.0, began + WINDOW - SETTLED - time.monotonic()))
        second = time.monotonic()
        recorded.burst(2)
        time.sleep(max(0.0, second + WINDOW - SETTLED - time.monotonic()))
        since = {name: second if OBJECTIVES[name]["window"] == WINDOW else 0.0 for name in OBJECTIVES}
        expected = recorded.expected(since)
        assert expected["btc"][1] < expected["hour"][1] / 2
        judged = _same(telemetry, prometheus, objectives, expressions, expected)
        # What is exported of it says the same.
        prometheus.wait_for_a_whole_scrape(time.time())
        exported = prometheus.table("ticktrace_slo_compliance", "ticktrace_slo_name")
        left = prometheus.table("ticktrace_slo_error_budget_remaining", "ticktrace_slo_name")
        violated = prometheus.table("ticktrace_slo_violated", "ticktrace_slo_name")
    assert exported == {name: good / total for name, (good, total) in expected.items()}
    assert left == {name: 1 - (1 - exported[name]) / (1 - judged[name].target) for name in exported}
    assert violated == {name: float(judged[name].violated) for name in judged}
    assert set(violated.values()) == {0.0, 1.0}


def _same(
    telemetry: Telemetry,
    prometheus: Prometheus,
    objectives: dict[str, Any],
    expressions: dict[str, str],
    expected: dict[str, tuple[int, int]],
) -> dict[str, Any]:
    judged = telemetry.objectives.status()
    prometheus.wait_for_a_whole_scrape(time.time())
    asked = {}
    for name, objective in objectives.items():
        good, total = objective.promql_counts()
        asked[name] = (prometheus.number(good), prometheus.number(total))
        assert prometheus.number(expressions[name]) == expected[name][0] / expected[name][1]
    assert {name: (one.good, one.total) for name, one in judged.items()} == expected
    assert asked == expected
    return judged

"""What was recorded lately, asked in process: exact percentiles, windows, by series or over all, on every engine."""

from __future__ import annotations

import math
import statistics as reference
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics

from support.captured import Captured
from ticktrace import Telemetry, current_telemetry, measure, setup_telemetry
from ticktrace.engine import Recent, internal_errors
from ticktrace.measuring import Statistics, Stats
from ticktrace.settings import RecentSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


class Watch:
    def __init__(self) -> None:
        self.time = 1_000 * SECOND

    def __call__(self) -> int:
        return self.time


class Asked:
    """Statistics over a store whose clock is moved by hand."""

    def __init__(self, **limits: Any) -> None:
        self.watch = Watch()
        self.recent = Recent(now=self.watch, **limits)
        self.statistics = Statistics(lambda: self.recent, lambda: None, RecentSettings())

    def add(self, *values: float, **attributes: Any) -> None:
        self.recent.add("some.duration", attributes, values)

    def of(self, **how: Any) -> Stats:
        return self.statistics.of("some.duration", **how)


# --- on the engines --------------------------------------------------------------------------------------------------


def test_a_histogram_of_the_domain_can_be_asked(telemetry: Telemetry) -> None:
    for symbol, count in (("BTC/USDT", 3), ("ETH/USDT", 2)):
        market = telemetry.trading.market(venue="binance", symbol=symbol, timeframe="1m")
        for number in range(count):
            with market.candle(close_time=1_700_000_040 + 60 * number):
                pass
    name = "trading.candle.processing.duration"
    everything = telemetry.stats(name)
    assert everything.count == 5
    assert telemetry.stats(name, symbol="ETH/USDT").count == 2
    assert telemetry.stats(name, window=60, **{"trading.symbol": "BTC/USDT"}).count == 3
    assert telemetry.stats("candle_processing_latency_ns", symbol="BTC/USDT").count == 3
    assert 0 < everything.min <= everything.p50 <= everything.p99 <= everything.max
    assert everything.mean == pytest.approx(Captured(telemetry).sum(name) / 5)
    assert everything.complete


def test_each_series_can_be_asked_for_itself(telemetry: Telemetry) -> None:
    for symbol, count in (("BTC/USDT", 1), ("ETH/USDT", 4)):
        for _ in range(count):
            with measure("scan", symbol=symbol):
                pass
    found = telemetry.statistics.by_series("scan")
    assert [(stats.attributes["trading.symbol"], stats.count) for stats in found] == [
        ("ETH/USDT", 4),
        ("BTC/USDT", 1),
    ]
    assert telemetry.stats("scan").count == 5
    assert telemetry.stats("scan").attributes == {"ticktrace.measure.name": "scan"}


def test_values_are_those_that_were_recorded(telemetry: Telemetry) -> None:
    histogram = metrics.get_meter("mine").create_histogram("my.latency", unit="s")
    for value in range(1, 101):
        histogram.record(value / 100, {"route": "a" if value % 2 else "b"})
    stats = telemetry.stats("my.latency")
    assert (stats.count, stats.min, stats.max, stats.latest) == (100, 0.01, 1.0, 1.0)
    assert (stats.p50, stats.p95, stats.p99, stats.p999) == (0.5, 0.95, 0.99, 1.0)
    assert stats.mean == pytest.approx(0.505)
    assert telemetry.stats("My.Latency", route="b").p50 == 0.5
    assert telemetry.stats("my.latency", route="c").count == 0
    assert "my.latency" in telemetry.statistics.instruments()


def test_signed_figures_are_kept_too(telemetry: Telemetry) -> None:
    """They are histograms by view only: OpenTelemetry's own refuse what is negative."""
    for profit in (5.0, -3.0):
        telemetry.trading.performance.trade_closed(profit_loss=profit, strategy="sma")
    stats = telemetry.stats("trade_pnl", strategy="sma")
    assert (stats.count, stats.min, stats.max, stats.latest) == (2, -3.0, 5.0, -3.0)


def test_what_is_invalid_is_not_kept(telemetry: Telemetry) -> None:
    histogram = metrics.get_meter("mine").create_histogram("my.other")
    for value in (1.0, -1.0, math.nan, math.inf, 3.0):
        histogram.record(value)
    assert (telemetry.stats("my.other").count, telemetry.stats("my.other").max) == (2, 3.0)


def test_views_decide_what_a_series_is_and_what_is_exported_at_all(start: Callable[..., Telemetry]) -> None:
    telemetry = start(
        metrics={
            "views": [
                {"instrument": "my.kept", "keep_attributes": ["route"]},
                {"instrument": "my.dropped", "drop": True},
            ]
        }
    )
    meter = metrics.get_meter("mine")
    for name in ("my.kept", "my.dropped"):
        histogram = meter.create_histogram(name)
        histogram.record(1, {"route": "a", "id": "1"})
        histogram.record(2, {"route": "a", "id": "2"})
    (stats,) = telemetry.statistics.by_series("my.kept")
    assert (stats.count, stats.attributes) == (2, {"route": "a"})
    assert telemetry.stats("my.dropped").count == 0


def test_counters_and_gauges_are_not_kept(telemetry: Telemetry) -> None:
    meter = metrics.get_meter("mine")
    meter.create_counter("my.count").add(1)
    meter.create_gauge("my.gauge").set(1)
    assert not {"my.count", "my.gauge"} & {*telemetry.statistics.instruments()}


def test_without_any_exporter_statistics_are_there_all_the_same(start: Callable[..., Telemetry]) -> None:
    telemetry = start(exporters={"traces": ["none"], "metrics": ["none"], "logs": ["none"]})
    with measure("alone"):
        pass
    assert telemetry.stats("alone").count == 1


def test_several_readers_keep_a_value_once(start: Callable[..., Telemetry]) -> None:
    telemetry = start(exporters={"metrics": ["memory", "prometheus"]}, prometheus={"serve": "never"})
    with measure("once"):
        pass
    telemetry.exposition()
    assert telemetry.stats("once").count == 1


def test_the_bounds_are_settings(start: Callable[..., Telemetry]) -> None:
    telemetry = start(
        metrics={"recent": {"values": 3, "series": 2, "windows": "5s, 1m", "percentiles": [50, 90]}}
    )
    histogram = metrics.get_meter("mine").create_histogram("my.bounded")
    for series in range(4):
        for value in range(5):
            histogram.record(value, {"series": str(series)})
    stats = telemetry.stats("my.bounded")
    assert (stats.count, stats.min, stats.complete) == (6, 2.0, False)
    assert set(stats.percentiles) == {50.0, 90.0}
    assert math.isnan(stats.p99)
    assert list(telemetry.statistics.windows("my.bounded")) == [5.0, 60.0]
    assert telemetry.statistics.refused >= 10  # an engine has histograms of its own


def test_switched_off_nothing_is_kept(start: Callable[..., Telemetry]) -> None:
    telemetry = start(metrics={"recent": {"enabled": False}})
    with measure("off"):
        pass
    assert telemetry.stats("off") == Stats()
    assert telemetry.statistics.instruments() == ()
    assert telemetry.statistics.refused == 0
    telemetry.statistics.clear()
    assert Captured(telemetry).count("ticktrace.measure.duration") == 1


def test_after_shutdown_what_was_kept_can_still_be_asked(telemetry: Telemetry) -> None:
    with measure("work"):
        pass
    telemetry.shutdown()
    with measure("work"):
        pass
    assert telemetry.stats("work").count == 1


def test_clearing_forgets_values_and_leaves_metrics(telemetry: Telemetry) -> None:
    with measure("cleared"):
        pass
    telemetry.statistics.clear()
    assert telemetry.stats("cleared").count == 0
    assert Captured(telemetry).count("ticktrace.measure.duration") == 1


def test_an_unknown_name_gives_nothing_and_is_said(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    stats = telemetry.stats("trading.candle.procesing.duration")
    assert stats.count == 0
    assert math.isnan(stats.mean)
    assert "candle.processing.duration" in caplog.text


def test_an_attribute_that_the_instrument_does_not_have_finds_nothing_and_is_said(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    with measure("asked", symbol="BTC/USDT"):
        pass
    assert telemetry.stats("asked", symbl="BTC/USDT").count == 0
    assert "it has no attribute 'symbl', so nothing is found; it has ticktrace.measure.name" in caplog.text


def test_a_handle_that_never_ran_has_no_statistics() -> None:
    telemetry = setup_telemetry("off", enabled=False)
    assert telemetry is current_telemetry()
    assert telemetry.stats("anything") == Stats()


# --- the figures -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=200), st.integers(1, 1_000))
def test_a_percentile_is_the_nearest_rank(values: list[int], per_mille: int) -> None:
    """The definition, read out: the smallest value that at least so many percent are not above."""
    asked = Asked()
    asked.add(*values)
    percent = per_mille / 10
    found = asked.of(percentiles=[percent]).percentiles[percent]
    enough = per_mille * len(values)
    assert found == min(
        value for value in values if sum(other <= value for other in values) * 1_000 >= enough
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_other_figures_are_what_they_say(values: list[float]) -> None:
    asked = Asked()
    asked.add(*values)
    stats = asked.of()
    assert (stats.count, stats.min, stats.max) == (len(values), min(values), max(values))
    assert stats.latest == values[-1]
    assert stats.mean == pytest.approx(reference.fmean(values), abs=1e-6)


def test_a_window_holds_what_was_recorded_within_it() -> None:
    asked = Asked()
    for value in range(10):
        asked.add(value)
        asked.watch.time += SECOND
    # The last value is one second old.
    assert asked.of(window=1).count == 1
    assert asked.of(window=3.5).count == 3
    assert asked.of(window=60).count == 10
    assert asked.of(window=0.5).count == 0
    windows = asked.statistics.windows("some.duration")
    assert {window: stats.count for window, stats in windows.items()} == {1.0: 1, 5.0: 5, 60.0: 10}


def test_the_last_few_are_the_newest_over_all_series() -> None:
    asked = Asked()
    for value in range(6):
        asked.add(value, series=value % 2)
        asked.watch.time += SECOND
    assert (asked.of(last=3).min, asked.of(last=3).count) == (3, 3)
    assert asked.of(last=3, series=0).min == 0
    assert asked.of(last=0).count == 0
    assert asked.of().latest == 5


def test_the_latest_has_a_time_on_the_wall_clock() -> None:
    asked = Asked()
    asked.add(1)
    asked.watch.time += 90 * SECOND
    assert time.time() - asked.of().latest_time == pytest.approx(90, abs=30)


def test_it_tells_when_a_window_is_longer_than_what_is_kept() -> None:
    asked = Asked(values=4)
    for value in range(6):
        asked.add(value)
        asked.watch.time += SECOND
    assert asked.of(window=3).complete
    assert not asked.of(window=60).complete
    assert not asked.of().complete
    assert asked.of(last=4).complete
    assert not asked.of(last=5).complete


def test_attributes_are_compared_by_what_they_say() -> None:
    asked = Asked()
    asked.add(1, code=200)
    asked.add(2, code="404")
    assert asked.of(code="200").count == 1
    assert asked.of(code=404).count == 1

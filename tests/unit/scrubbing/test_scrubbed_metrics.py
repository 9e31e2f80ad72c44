"""Metrics: words are scrubbed when first seen, points when they are collected, and series that became one are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import Buckets, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from support.captured import Captured
from ticktrace.scrubbing import REDACTED, MetricScrubber, Scrubber, scrub_reader
from ticktrace.scrubbing.merging import merged
from ticktrace.settings import ScrubSettings
from ticktrace.trading._limits import WordLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

SCRUBBER = Scrubber(ScrubSettings(), {})


def collected(record: Callable[[Any], None], *, scrub: bool = True, exponential: bool = False) -> Any:
    aggregation: Any = {Histogram: ExponentialBucketHistogramAggregation()} if exponential else None
    reader = InMemoryMetricReader(preferred_aggregation=aggregation)
    if scrub:
        scrub_reader(reader, MetricScrubber(SCRUBBER))
    provider = MeterProvider([reader])
    record(provider.get_meter("acme"))
    data = reader.get_metrics_data()
    provider.shutdown()
    return data


def points(data: Any) -> dict[str, list[Any]]:
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def record(meter: Any) -> None:
    for number in range(3):
        labels = {"url": f"https://x/?apiKey=abc{number}", "n": 1}
        meter.create_counter("calls").add(number + 1, labels)
        meter.create_histogram("times").record(10.0**number, labels)
        meter.create_gauge("level").set(number, labels)
    meter.create_counter("calls").add(7, {"url": "https://x/", "n": 1})


def test_series_that_differ_by_a_secret_alone_become_one() -> None:
    found = points(collected(record))
    assert {(point.attributes["url"], point.value) for point in found["calls"]} == {
        (f"https://x/?apiKey={REDACTED}", 6),
        ("https://x/", 7),
    }
    (times,) = found["times"]
    assert (times.count, times.sum, times.min, times.max, sum(times.bucket_counts)) == (
        3,
        111.0,
        1.0,
        100.0,
        3,
    )
    (level,) = found["level"]
    assert level.value == 2
    assert level.attributes == {"url": f"https://x/?apiKey={REDACTED}", "n": 1}


def test_names_of_secrets() -> None:
    found = points(collected(lambda meter: meter.create_counter("calls").add(1, {"account_id": 5, "n": 1})))
    assert found["calls"][0].attributes == {"account_id": REDACTED, "n": 1}


def test_without_secrets_the_data_is_the_same_object() -> None:
    data = collected(lambda meter: meter.create_counter("calls").add(1, {"side": "buy"}), scrub=False)
    assert MetricScrubber(SCRUBBER)(data) is data


def test_an_attribute_that_cannot_be_read_costs_its_metric_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Hostile(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no")

    data = collected(record, scrub=False)
    calls = next(m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == "calls")
    object.__setattr__(calls.data.data_points[0], "attributes", Hostile(a=1))
    scrub = MetricScrubber(SCRUBBER)
    assert sorted(points(scrub(data))) == ["level", "times"]
    scrub(data)
    assert [each.getMessage() for each in caplog.records] == [
        "ticktrace: metric calls is left out, its attributes cannot be read: no"
    ]


VALUES = st.lists(st.just(0.0) | st.floats(1e-9, 1e12), min_size=1, max_size=30)


@given(VALUES, VALUES)
def test_merged_exponential_histograms_hold_what_both_held(first: list[float], second: list[float]) -> None:
    def both(meter: Any) -> None:
        histogram = meter.create_histogram("times")
        for label, values in (("a", first), ("b", second)):
            for value in values:
                histogram.record(value, {"url": f"https://x/?apiKey={label}"})

    one, other = points(collected(both, scrub=False, exponential=True))["times"]
    point = merged(one, other, additive=True)
    total = sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts) + point.zero_count
    assert point.count == len(first) + len(second) == total
    assert (point.min, point.max) == (min(first + second), max(first + second))
    for buckets, values in (
        (point.positive, [value for value in first + second if value > 0]),
        (point.negative, [-value for value in first + second if value < 0]),
    ):
        assert len(buckets.bucket_counts) <= 160
        for place, count in enumerate(buckets.bucket_counts):
            low, high = (2.0 ** ((buckets.offset + place + step) / 2.0**point.scale) for step in (0, 1))
            inside = sum(low * (1 + 1e-9) < value <= high * (1 - 1e-9) for value in values)
            near = sum(low * (1 - 1e-9) < value <= high * (1 + 1e-9) for value in values)
            assert inside <= count <= near


def test_sparse_exponential_histograms_stay_small() -> None:
    def both(meter: Any) -> None:
        meter.create_histogram("times").record(1e-300, {"token": "a"})
        meter.create_histogram("times").record(1e300, {"token": "b"})

    (point,) = points(collected(both, exponential=True))["times"]
    assert point.count == 2
    assert len(point.positive.bucket_counts) <= 160
    assert point.negative == Buckets(0, [])


def test_points_that_do_not_belong_together() -> None:
    number = NumberDataPoint({}, 0, 1, 1)
    data = points(collected(record, scrub=False))
    with pytest.raises(TypeError):
        merged(number, data["times"][0], additive=True)


class TestWords:
    def test_a_word_is_scrubbed_when_it_is_first_seen(self) -> None:
        asked: list[str] = []

        def scrub(word: str) -> str:
            asked.append(word)
            return SCRUBBER.text(word)

        limit = WordLimit((), 2, scrub)
        labels = [
            limit.label(word) for word in ("momentum", "api_key=abc", "momentum", "api_key=abc", "third")
        ]
        assert labels == ["momentum", f"api_key={REDACTED}", "momentum", f"api_key={REDACTED}", "other"]
        assert asked == ["momentum", "api_key=abc", "third"]

    def test_an_allow_list_is_taken_as_it_is(self) -> None:
        assert WordLimit(("token=abc",), 2, SCRUBBER.text).label("token=abc") == "token=abc"


def test_on_both_engines_and_to_prometheus(start: Callable[..., Telemetry]) -> None:
    telemetry = start(
        exporters={"metrics": ["memory", "prometheus"], "traces": ["memory"]}, prometheus={"serve": "never"}
    )
    meter = telemetry.meter_provider.get_meter("acme")
    for number in range(3):
        meter.create_counter("acme.calls").add(1, {"url": f"https://x/?apiKey=abc{number}"})
        meter.create_histogram("acme.times").record(1.0, {"url": f"https://x/?apiKey=abc{number}"})
    meter.create_observable_gauge("acme.level", [lambda _: [Observation(1, {"account_id": "U1234567"})]])
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle(close_time=1_700_000_040) as candle, candle.signal("api_key=abc123") as signal:
        signal.emit("long")
    page = telemetry.exposition()
    assert page is not None
    text = page.body.decode()
    assert f'acme_calls_total{{url="https://x/?apiKey={REDACTED}"}} 3.0' in text
    assert f'acme_times_count{{url="https://x/?apiKey={REDACTED}"}} 3.0' in text
    assert f'acme_level{{account_id="{REDACTED}"}} 1.0' in text
    assert f'trading_strategy_name="api_key={REDACTED}"' in text
    captured = Captured(telemetry)
    assert captured.value("acme.calls", url=f"https://x/?apiKey={REDACTED}") == 3
    assert captured.value("trading.signals.generated", trading__strategy__name=f"api_key={REDACTED}") == 1

"""Sentiment: sources, scores, weights, divergences, and the time that it takes to make one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry
    from ticktrace.trading import Sentiment

SCORE = "trading.sentiment.score"
USAGE = "trading.sentiment.provider.usage"
WEIGHT = "trading.sentiment.provider.weight"
DIVERGENCES = "trading.sentiment.divergences"
DURATION = "trading.sentiment.calculation.duration"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def sentiment(telemetry: Telemetry) -> Sentiment:
    return telemetry.trading.sentiment


def test_a_calculation_is_a_span_below_the_candle_and_all_of_it_is_measured(
    telemetry: Telemetry, captured: Captured, sentiment: Sentiment
) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with (
        market.candle(close_time=1_700_000_040),
        sentiment.calculation("aggregate", "BTC/USDT") as calculation,
    ):
        calculation.used("twitter", score=-0.6, weight=0.25)
        calculation.used("news", score=0.4, weight=0.75)
        calculation.score(0.15)
        calculation.diverged("twitter", against="news")
        calculation.diverged()
    symbol = {"trading__symbol": "BTC/USDT", "trading__engine__mode": "live"}
    assert captured.count(DURATION, trading__provider__name="aggregate", **symbol) == 1
    assert captured.value(USAGE, trading__provider__name="twitter", **symbol) == 1
    scores = {point.attributes["trading.provider.name"]: point.sum for point in captured.points(SCORE)}
    assert scores == {"twitter": -0.6, "news": 0.4, "aggregate": 0.15}
    weights = {point.attributes["trading.provider.name"]: point.value for point in captured.points(WEIGHT)}
    assert weights == {"twitter": 0.25, "news": 0.75}
    sources = {point.attributes["trading.provider.name"] for point in captured.points(DIVERGENCES)}
    assert sources == {"twitter", "aggregate"}
    span, candle = captured.span("sentiment aggregate"), captured.span("candle 1m")
    assert (span.parent and span.parent.span_id) == (candle.context and candle.context.span_id)
    assert dict(span.attributes or {}) == {
        "trading.engine.mode": "live",
        "trading.provider.name": "aggregate",
        "trading.symbol": "BTC/USDT",
        "trading.sentiment.score": 0.15,
    }
    assert [dict(event.attributes or {}) for event in span.events] == [
        {"trading.provider.name": "twitter", "trading.sentiment.against": "news"},
        {"trading.provider.name": "aggregate", "trading.sentiment.against": "price"},
    ]


async def test_a_calculation_that_fails_is_counted_as_that(captured: Captured, sentiment: Sentiment) -> None:
    with pytest.raises(ConnectionError):
        async with sentiment.calculation("twitter"):
            raise ConnectionError
    assert captured.count(DURATION, error__type="ConnectionError") == 1


def test_scores_fall_into_buckets_on_both_sides_of_0(captured: Captured, sentiment: Sentiment) -> None:
    for score in (-1, -0.95, 0, 0.05, 1):
        sentiment.score("news", score)
    (point,) = captured.points(SCORE)
    bounds = (float("-inf"), *point.explicit_bounds)
    filled = [bounds[index] for index, count in enumerate(point.bucket_counts) for _ in range(count)]
    assert filled == [float("-inf"), -1.0, -0.1, 0.0, 0.9]


@pytest.mark.parametrize("wrong", [1.01, -7, float("nan"), "text", None, object()])
def test_a_score_that_is_none_is_left_out_and_said(
    captured: Captured, sentiment: Sentiment, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    sentiment.score("news", wrong)
    sentiment.weight("news", wrong)
    with sentiment.calculation(wrong, wrong) as calculation:
        calculation.score(wrong)
        calculation.used(wrong, score=wrong, weight=wrong)
        calculation.diverged(wrong, wrong)
    assert captured.points(SCORE) == []
    assert captured.points(WEIGHT) == []
    assert wrong is None or "ticktrace:" in caplog.text


def test_a_weight_goes_from_0(captured: Captured, sentiment: Sentiment) -> None:
    sentiment.weight("news", -0.1)
    sentiment.weight("news", 0)
    assert captured.value(WEIGHT) == 0
    assert len(captured.points(WEIGHT)) == 1


def test_symbols_and_sources_are_limited(telemetry: Telemetry, captured: Captured) -> None:
    for number in range(300):
        telemetry.trading.sentiment.used(f"source-{number}", symbol=f"S{number}")
    points = captured.points(USAGE)
    assert len({point.attributes["trading.provider.name"] for point in points}) == 201
    assert len({point.attributes["trading.symbol"] for point in points}) == 101

"""Sentiment, a toy: what the news and the crowd think, asked once an hour. Their scores are made of nothing but the seed."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakout_bot.ledger import Ledger
    from ticktrace import Telemetry

__all__ = ["SentimentDesk"]

WEIGHTS = {"news": 0.6, "crowd": 0.4}
HOUR = 3600
KEPT = 6  # hours
AT_ODDS = 0.5  # two sources that are further than this on either side of 0 contradict each other


class _Recent(OrderedDict[int, float]):
    """The scores of the latest hours; the oldest makes room."""

    def __setitem__(self, hour: int, score: float) -> None:
        super().__setitem__(hour, score)
        if len(self) > KEPT:
            self.popitem(last=False)


class SentimentDesk:
    """Makes one score of several sources, -1 (everybody sells) to 1 (everybody buys)."""

    def __init__(
        self, symbol: str, telemetry: Telemetry, ledger: Ledger, *, seed: int, outages: float = 0.05
    ) -> None:
        self._symbol = symbol
        self._telemetry = telemetry
        self._ledger = ledger
        self._seed = seed
        self._outages = outages
        self._sentiment = telemetry.trading.sentiment
        self._provider = telemetry.trading.provider("newswire")
        self._scores = telemetry.trading.cache("sentiment").wrap(_Recent())  # hits and misses are counted

    def score(self, now: float) -> float:
        """The sentiment of this hour; 0 where no source answers."""
        hour = int(now // HOUR)
        score = self._scores.get(hour)
        self._provider.cached(score is not None)
        self._ledger.count("cache_lookups", "miss" if score is None else "hit")
        if score is None:
            if len(self._scores) == KEPT:
                self._ledger.count("cache_evictions")
            score = self._scores[hour] = self._calculate(hour)
        return score

    def _calculate(self, hour: int) -> float:
        with self._sentiment.calculation("aggregate", self._symbol) as calculation:
            scores = {}
            for source in WEIGHTS:
                self._ledger.count("provider_calls", "newswire", f"fetch_{source}")
                try:
                    scores[source] = self._provider.call(f"fetch_{source}", self._fetch, source, hour)
                except ConnectionError as error:
                    self._ledger.count("provider_errors", "newswire", f"fetch_{source}", type(error).__name__)
                    self._telemetry.error(error, component="sentiment", severity="warning")
                    self._ledger.count("errors", "sentiment", type(error).__name__)
            total = sum(WEIGHTS[source] for source in scores)
            score = 0.0
            for source, said in scores.items():
                weight = WEIGHTS[source] / total
                score += weight * said
                calculation.used(source, score=said, weight=weight)
                self._ledger.count("sentiment_used", source)
            calculation.score(score)
            self._ledger.count("sentiment_updates")
            if scores and min(scores.values()) < -AT_ODDS and max(scores.values()) > AT_ODDS:
                calculation.diverged("crowd", against="news")
                self._ledger.count("sentiment_divergences")
        return score

    def _fetch(self, source: str, hour: int) -> float:
        """What a source says; here would be a request to it."""
        rng = random.Random(f"{source}:{self._seed}:{hour}")
        if rng.random() < self._outages:
            raise ConnectionError(f"{source} cannot be reached")
        return rng.uniform(-1.0, 1.0)

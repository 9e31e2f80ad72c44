"""Sentiment: what sources say of a symbol, what is made of it, and how much each counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.engine import SpanStart, contained, text_of, warn_once
from ticktrace.trading._block import Block
from ticktrace.trading.checks import Number, finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

    from ticktrace.trading._recorder import Recorder

__all__ = ["Sentiment", "SentimentCalculation"]


class SentimentCalculation(Block):
    """One calculation of a sentiment, timed, with a span; made by `Sentiment.calculation`.

    Records ``trading.sentiment.calculation.duration`` by source and symbol.
    """

    def __init__(self, sentiment: Sentiment, source: str, symbol: str | None) -> None:
        super().__init__(sentiment.recorder)
        self._sentiment = sentiment
        self._source = source
        self._symbol = symbol
        self._score: float | None = None

    def used(self, source: str, *, score: Number | None = None, weight: Number | None = None) -> None:
        """A source went into this sentiment; see `Sentiment.used`."""
        self._sentiment.used(source, symbol=self._symbol, score=score, weight=weight)

    def score(self, value: Number) -> None:
        """The sentiment that was calculated, -1 to 1; see `Sentiment.score`."""
        kept = self._sentiment.score(self._source, value, symbol=self._symbol)
        self._score = self._score if kept is None else kept

    def diverged(self, source: str | None = None, against: str = "price") -> None:
        """Sources disagreed, or sentiment and price; see `Sentiment.diverged`."""
        self._sentiment.diverged(
            self._source if source is None else source, against, symbol=self._symbol, span=self.span
        )

    def span_start(self) -> SpanStart:
        """The span, with the source's and the symbol's real names."""
        attributes: dict[str, Any] = {**self.recorder.labels, semconv.PROVIDER_NAME: self._source}
        if self._symbol is not None:
            attributes[semconv.SYMBOL] = self._symbol
        return SpanStart(f"{semconv.SPAN_SENTIMENT} {self._source}", attributes)

    def span_end(self) -> Mapping[str, Any]:
        """The score."""
        return {} if self._score is None else {semconv.SENTIMENT_SCORE: self._score}

    def measure(self, seconds: float) -> None:
        """Record how long it took."""
        labels = self.with_error(self._sentiment.labels(self._source, self._symbol))
        self.recorder.histogram("sentiment.calculation.duration", labels).record(seconds)


class Sentiment:
    """What sources say of a symbol; reached as `Trading.sentiment`.

    A source is a provider such as a news feed or a network; what is made of several is a source as well, such as
    ``aggregate``. Scores go from -1 to 1. A symbol may be left out everywhere: sentiment of the whole market.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = recorder

    def calculation(self, source: str, symbol: str | None = None) -> SentimentCalculation:
        """A block that calculates a sentiment, for ``with`` or ``async with``.

        Args:
            source: whose sentiment it is, one of few: twitter, reddit, aggregate, …
            symbol: what it is about.
        """
        return SentimentCalculation(self, text_of(source), None if symbol is None else text_of(symbol))

    @contained(None)
    def used(
        self,
        source: str,
        *,
        symbol: str | None = None,
        score: Number | None = None,
        weight: Number | None = None,
    ) -> None:
        """A source was used (``trading.sentiment.provider.usage``).

        Args:
            source: which one.
            symbol: for what.
            score: what it said, -1 to 1.
            weight: its part in the aggregated sentiment, 0 to 1.
        """
        self.recorder.counter("sentiment.provider.usage", self.labels(source, symbol)).add(1)
        if score is not None:
            self.score(source, score, symbol=symbol)
        if weight is not None:
            self.weight(source, weight, symbol=symbol)

    @contained(None)
    def score(self, source: str, value: Number, *, symbol: str | None = None) -> float | None:
        """A source's sentiment, -1 to 1 (``trading.sentiment.score``); what is beyond is left out and said.

        Returns:
            The score as a float; None for one that was left out.
        """
        score = _within("score", value, -1.0)
        if score is not None:
            self.recorder.histogram("sentiment.score", self.labels(source, symbol)).record(score)
        return score

    @contained(None)
    def weight(self, source: str, value: Number, *, symbol: str | None = None) -> None:
        """A source's part in the aggregated sentiment, 0 to 1 (``trading.sentiment.provider.weight``)."""
        weight = _within("weight", value, 0.0)
        if weight is not None:
            self.recorder.gauge("sentiment.provider.weight", self.labels(source, symbol)).set(weight)

    @contained(None)
    def diverged(
        self,
        source: str,
        against: str = "price",
        *,
        symbol: str | None = None,
        span: Span | None = None,
    ) -> None:
        """A source disagreed with another one, or with the price (``trading.sentiment.divergences``).

        Args:
            source: which one.
            against: the other source, or ``price``; on the span only.
            symbol: about what.
            span: where it is told; the current one by default.
        """
        self.recorder.counter("sentiment.divergences", self.labels(source, symbol)).add(1)
        attributes = {semconv.PROVIDER_NAME: text_of(source), semconv.SENTIMENT_AGAINST: text_of(against)}
        told = get_current_span() if span is None else span
        if told.is_recording():
            told.add_event(semconv.EVENT_SENTIMENT_DIVERGED, attributes)

    def labels(self, source: str, symbol: str | None) -> dict[str, Any]:
        """The labels of a source's instruments."""
        words = self.recorder.words
        labels: dict[str, Any] = {semconv.PROVIDER_NAME: words.providers.label(source)}
        if symbol is not None:
            labels[semconv.SYMBOL] = words.symbols.label(symbol)
        return labels


def _within(what: str, value: Number, low: float) -> float | None:
    number = finite(value)
    if number is None or low <= number <= 1.0:
        return number
    warn_once(f"sentiment.{what}", "ticktrace: a sentiment's %s of %r is not from %g to 1", what, value, low)
    return None

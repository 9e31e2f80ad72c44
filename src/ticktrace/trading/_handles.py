"""The instruments of a market's signals and orders, bound once: looking them up by their labels costs more than recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.engine import BoundCounter, BoundHistogram
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.strategies import Strategy

__all__ = ["OrderHandles", "SignalHandles"]

_MOST_KEPT = 1_000  # words are limited elsewhere; this holds if they are not


class SignalHandles:
    """The instruments of one strategy in one market.

    Attributes:
        labels: what they are bound to.
        generation: how long a signal took.
        decision: from the emission to the order or rejection.
        strategy: who thinks; each of its signals is an evaluation.
        evaluation: how long an evaluation took, by strategy, symbol and timeframe.
        evaluations: how many there were.
    """

    def __init__(self, recorder: Recorder, labels: Mapping[str, Any], strategy: Strategy) -> None:
        self._recorder = recorder
        self._evaluated: dict[tuple[str, str], BoundCounter] = {}
        self._emitted: dict[str, tuple[BoundCounter, BoundHistogram]] = {}
        self._orders: dict[tuple[str, str], OrderHandles] = {}
        self.labels: dict[str, Any] = dict(labels)
        self.generation: BoundHistogram = recorder.histogram("signal.generation.duration", self.labels)
        self.decision: BoundHistogram = recorder.histogram("decision.duration", self.labels)
        self.strategy: Strategy = strategy
        self.evaluation: BoundHistogram = recorder.histogram("strategy.evaluation.duration", self.labels)
        self.evaluations: BoundCounter = recorder.counter("strategy.evaluations", self.labels)

    def evaluated(self, name: str, verdict: str) -> BoundCounter:
        """The counter of the evaluations of a filter with this verdict."""
        counter = self._evaluated.get((name, verdict))
        if counter is None:
            word = self._recorder.words.filters.label(name)
            labels = {**self.labels, semconv.FILTER_NAME: word, semconv.FILTER_RESULT: verdict}
            counter = self._recorder.counter("filter.evaluations", labels)
            if len(self._evaluated) < _MOST_KEPT:
                self._evaluated[name, verdict] = counter
        return counter

    def emitted(self, kind: str) -> tuple[BoundCounter, BoundHistogram]:
        """The counter of emissions of a type, and their confidence."""
        found = self._emitted.get(kind)
        if found is None:
            labels = {**self.labels, semconv.SIGNAL_TYPE: kind}
            counter = self._recorder.counter("signals.generated", labels)
            found = counter, self._recorder.histogram("signal.confidence", labels)
            self._emitted[kind] = found
        return found

    def order(self, side: str, kind: str) -> OrderHandles:
        """The instruments of orders of a side and type, both known words."""
        found = self._orders.get((side, kind))
        if found is None:
            labels = {**self.labels, semconv.ORDER_SIDE: side, semconv.ORDER_TYPE: kind}
            found = self._orders[side, kind] = OrderHandles(self._recorder, labels)
        return found


class OrderHandles:
    """The instruments of the orders of one strategy, side and type in one market.

    Attributes:
        labels: what they are bound to.
        prepare: from the block's begin to the submission.
        tick_to_trade: from the candle to the submission.
        submitted: how many were.
        submit: from the submission to the acknowledgement.
        execution: from the signal to the acknowledgement.
    """

    def __init__(self, recorder: Recorder, labels: dict[str, Any]) -> None:
        self.labels: dict[str, Any] = labels
        self.prepare: BoundHistogram = recorder.histogram("order.prepare.duration", labels)
        self.tick_to_trade: BoundHistogram = recorder.histogram("tick_to_trade.duration", labels)
        self.submitted: BoundCounter = recorder.counter("orders.submitted", labels)
        self.submit: BoundHistogram = recorder.histogram("order.submit.duration", labels)
        self.execution: BoundHistogram = recorder.histogram("trade.execution.duration", labels)

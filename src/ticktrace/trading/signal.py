"""A signal: one strategy's look at one candle, with every condition it checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span, set_span_in_context

from ticktrace import semconv
from ticktrace.engine import contained, report
from ticktrace.trading._stage import Stage
from ticktrace.trading._words import known
from ticktrace.trading.checks import Number, attribute_number, judge, result
from ticktrace.trading.order import Order

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.candle import Candle
    from ticktrace.trading.market import Market

__all__ = ["Signal"]


class Signal(Stage):
    """A strategy's evaluation of one candle; made by `Candle.signal`.

    Records ``trading.signal.generation.duration``, ``trading.filter.evaluations``, ``trading.signals.generated``,
    ``trading.signal.confidence``, ``trading.signals.rejected`` and ``trading.decision.duration``.

    Attributes:
        emitted: True once `emit` was called with a type other than ``none``.
        emitted_at: monotonic clock at that moment, ns; 0 before.
        type: what was emitted.
        rejected: the reason given to `reject`, or None.
    """

    __slots__ = (
        "_decided",
        "candle",
        "emitted",
        "emitted_at",
        "labels",
        "market",
        "rejected",
        "strategy",
        "type",
    )

    found_by_decorators = True

    def __init__(self, recorder: Recorder, market: Market, strategy: str, candle: Candle) -> None:
        super().__init__(recorder)
        self.market: Market = market
        self.strategy: str = strategy
        self.candle: Candle = candle
        self.emitted: bool = False
        self.rejected: str | None = None
        self.type: str = semconv.SignalType.NONE
        self.emitted_at: int = 0
        self._decided = False
        self.labels: dict[str, Any] = {**market.labels, semconv.STRATEGY_NAME: strategy}

    def _open(self) -> None:
        self._offset = self.candle._offset or self._recorder.clock.offset()  # noqa: SLF001  one offset a trace
        attributes = {**self.market.span_attributes, semconv.STRATEGY_NAME: self.strategy}
        candle = self.candle.span
        elsewhere = get_current_span().get_span_context().trace_id != candle.get_span_context().trace_id
        # In another task than the candle's, its span is not current and has to be named.
        context = set_span_in_context(candle) if elsewhere and self.candle.started else None
        self._start(f"{semconv.SPAN_SIGNAL} {self.strategy}", attributes, context=context)

    def _close(self) -> None:
        seconds = (self.ended - self.started) * 1e-9
        self._recorder.histogram("signal.generation.duration", self.labels).record(seconds)

    def check(
        self,
        name: str,
        *,
        value: Number,
        threshold: Number,
        comparison: str = ">=",
        margin: float | None = None,
    ) -> bool:
        """Check a condition, and let it be known what was checked.

        Args:
            name: the condition, one of few (``trading.filter.name``).
            value: what was measured, in whatever unit the threshold has.
            threshold: what it is held against.
            comparison: how: ``value COMPARISON threshold``, one of ``> >= < <= == !=``.
            margin: a failed value this close, as a fraction of the threshold, is a near miss; the settings' by default.

        Returns:
            The verdict, also while telemetry is off.
        """
        passed = judge(value, threshold, comparison)
        recorder = self._recorder
        if recorder.enabled:
            try:
                near_margin = recorder.settings.trading.near_miss_margin if margin is None else margin
                verdict = result(passed, value, threshold, near_margin)
                labels = {**self.labels, semconv.FILTER_NAME: name, semconv.FILTER_RESULT: verdict.value}
                recorder.counter("filter.evaluations", labels).add(1)
                self.span.add_event(
                    semconv.EVENT_FILTER_EVALUATED,
                    {
                        semconv.FILTER_NAME: name,
                        semconv.FILTER_RESULT: verdict.value,
                        semconv.FILTER_VALUE: attribute_number(value),
                        semconv.FILTER_THRESHOLD: attribute_number(threshold),
                        semconv.FILTER_COMPARISON: comparison,
                    },
                )
            except Exception as error:  # noqa: BLE001  the barrier; the verdict stands
                report("signal.check", error)
        return passed

    def emit(
        self,
        type: str,  # noqa: A002  the domain's word
        *,
        confidence: float | None = None,
        price: Number | None = None,
    ) -> None:
        """The strategy wants to trade.

        Args:
            type: long, short, exit_long or exit_short.
            confidence: 0 to 1.
            price: the price it decided on, kept digit for digit.
        """
        self.emitted = type != semconv.SignalType.NONE.value
        self.type = type
        self.emitted_at = self._recorder.clock.now()
        if self._recorder.enabled:
            self._record_emission(type, confidence, price)

    @contained(None)
    def _record_emission(self, type: str, confidence: float | None, price: Number | None) -> None:  # noqa: A002
        recorder = self._recorder
        kind = known(semconv.SignalType, type, semconv.SignalType.NONE).value
        recorder.counter("signals.generated", {**self.labels, semconv.SIGNAL_TYPE: kind}).add(1)
        attributes: dict[str, Any] = {semconv.SIGNAL_TYPE: kind}
        if confidence is not None:
            attributes[semconv.SIGNAL_CONFIDENCE] = float(confidence)
            recorder.histogram("signal.confidence", self.labels).record(float(confidence))
        if price is not None:
            attributes[semconv.SIGNAL_PRICE] = attribute_number(price)
        self.span.set_attributes(attributes)
        self.span.add_event(semconv.EVENT_SIGNAL_GENERATED, attributes)

    def reject(self, reason: str, message: str = "") -> None:
        """The signal will not be traded.

        Args:
            reason: stale_data, max_open_trades, pair_locked, risk_denied, confirm_denied, cooldown or other.
            message: free text, on the span only.
        """
        self.rejected = reason
        if self._recorder.enabled:
            self._record_rejection(reason, message)

    @contained(None)
    def _record_rejection(self, reason: str, message: str) -> None:
        recorder = self._recorder
        cause = known(semconv.SignalRejectReason, reason, semconv.SignalRejectReason.OTHER).value
        recorder.counter("signals.rejected", {**self.labels, semconv.SIGNAL_REJECT_REASON: cause}).add(1)
        attributes = {semconv.SIGNAL_REJECT_REASON: cause}
        if message:
            attributes[semconv.REJECT_MESSAGE] = message
        self._decide()
        if self.span.is_recording():
            self.span.set_attributes(attributes)
            self.span.add_event(semconv.EVENT_SIGNAL_REJECTED, attributes)
        elif self.candle.span.is_recording():
            # Risk often says no after the strategy's block has ended: then the candle tells of it.
            self.candle.span.add_event(
                semconv.EVENT_SIGNAL_REJECTED, {**attributes, semconv.STRATEGY_NAME: self.strategy}
            )

    def _decide(self) -> None:
        """The first order or rejection after `emit` ends the decision."""
        if self.emitted_at and not self._decided:
            self._decided = True
            seconds = (self._recorder.clock.now() - self.emitted_at) * 1e-9
            self._recorder.histogram("decision.duration", self.labels).record(seconds)

    def order(
        self,
        *,
        side: str,
        type: str = "market",  # noqa: A002  FIX calls it so (OrdType 40)
        quantity: Number,
        expected_price: Number | None = None,
        client_id: str | None = None,
    ) -> Order:
        """A stage in which an order for this signal is prepared and sent.

        Args:
            side: buy or sell.
            type: market, limit, stop or stop_limit.
            quantity: how much, in units of the base asset.
            expected_price: the price that slippage is measured against.
            client_id: the bot's own id of the order; lets late events find it before the venue has named it.
        """
        if self._recorder.enabled:
            try:
                self._decide()
            except Exception as error:  # noqa: BLE001  the barrier
                report("signal.order", error)
        return Order(
            self,
            side=side,
            type=type,
            quantity=quantity,
            expected_price=expected_price,
            client_id=client_id,
        )

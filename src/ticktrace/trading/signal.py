"""A signal: one strategy's look at one candle, with every condition it checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span, set_span_in_context

from ticktrace import semconv
from ticktrace.diagnostics import Line
from ticktrace.engine import Happened, contained
from ticktrace.trading._lines import check_line, ids, milliseconds, risk_line, wall
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent
from ticktrace.trading._words import known
from ticktrace.trading.checks import COMPARISONS, Check, Number, attribute_number, finite, judge
from ticktrace.trading.order import SIDES, TYPES, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.context import Context

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._handles import SignalHandles
    from ticktrace.trading.candle import Candle
    from ticktrace.trading.market import Market

__all__ = ["Signal"]

_new = object.__new__

# The check before it, and the fields of a `Check`: one object where a list of them would be three.
_Noted = tuple[Any, int, str, Number, Number, str, float | None, bool]
_NONE = semconv.SignalType.NONE.value


class Signal(Stage):
    """A strategy's evaluation of one candle; made by `Candle.signal`.

    Records ``trading.signal.generation.duration``, ``trading.filter.evaluations``, ``trading.signals.generated``,
    ``trading.signal.confidence``, ``trading.signals.rejected`` and ``trading.decision.duration``.

    Attributes:
        candle: what it looks at.
        strategy: who looks.
        emitted: True once `emit` was called with a type other than ``none``.
        emitted_at: monotonic clock at that moment, ns; 0 before.
        type: what was emitted.
        rejected: the reason given to `reject`, or None.
        checks: what was checked last, behind what was checked before it; None for nothing.
        near_miss: whether a check was one; known once it was measured.
    """

    found_by_decorators = True
    written_down = True

    emitted: bool = False
    emitted_at: int = 0
    type: str = semconv.SignalType.NONE.value
    rejected: str | None = None
    near_miss: bool = False
    checks: _Noted | None = None
    _confidence: float | None = None
    _price: Number | None = None
    _emitted_for: float | None = None
    _rejection: str = ""
    _rejected_at: int = 0
    _decided_at: int = 0
    _decision: int = 0

    # `Candle.signal` makes it, field by field: a call of the class would be felt.
    candle: Candle
    strategy: str

    @property
    def market(self) -> Market:
        """The market of its candle."""
        return self.candle.market

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of its instruments."""
        return self.candle.market.strategy_labels(self.strategy)

    # What the strategy says.

    def check(
        self,
        name: str,
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
        passed: Any
        try:
            # The usual comparison needs no look-up; what numpy answers is no bool.
            passed = value >= threshold if comparison == ">=" else COMPARISONS[comparison](value, threshold)
            if passed is not True and passed is not False:
                passed = bool(passed)
        except Exception:  # noqa: BLE001  said there
            passed = judge(value, threshold, comparison)
        recorder = self.recorder
        if self.ended:
            self._check_late(name, value, threshold, comparison, margin, passed)
        elif recorder.enabled:
            self.checks = (self.checks, recorder.now(), name, value, threshold, comparison, margin, passed)
        return passed  # type: ignore[no-any-return]  # a bool by now

    @contained(None)
    def _check_late(  # noqa: PLR0917  the fields of a check
        self,
        name: str,
        value: Number,
        threshold: Number,
        comparison: str,
        margin: float | None,
        passed: bool,
    ) -> None:
        """A condition that is looked at after the block counts, and is written down, but is no event of the span."""
        recorder = self.recorder
        if recorder.enabled:
            check = Check(recorder.now(), name, value, threshold, comparison, margin, passed)
            self._measure_check(check)
            if recorder.journal is not None:
                ts = wall(recorder, check.at, self.offset)
                margin = recorder.settings.trading.near_miss_margin
                about = {**self.place(), **ids(self)}
                recorder.write_down(
                    check_line(check, margin, ts, about, stage="condition", component="strategy")
                )

    def emit(
        self,
        type: str,  # noqa: A002  the domain's word
        *,
        confidence: float | None = None,
        price: Number | None = None,
    ) -> None:
        """The strategy wants to trade. Of several calls the last one holds.

        Args:
            type: long, short, exit_long or exit_short.
            confidence: 0 to 1.
            price: the price it decided on, kept digit for digit.
        """
        if self.ended:
            self.about_to_change()
        self.emitted = type != _NONE
        self.type = type
        self._confidence = None if confidence is None else finite(confidence)
        self._price = price
        self.emitted_at = self.recorder.now()
        self._emitted_for = (
            self.recorder.market_seconds()
        )  # a replay's clock has gone on when this is measured
        if self.ended and self.recorder.enabled:
            self._emit_late()

    def reject(self, reason: str, message: str = "") -> None:
        """The signal will not be traded.

        Args:
            reason: stale_data, max_open_trades, pair_locked, risk_denied, confirm_denied, cooldown or other.
            message: free text, on the span only.
        """
        if self.ended:
            self.about_to_change()
        self.rejected = reason
        self._rejection = message
        self._rejected_at = self.recorder.now()
        self.decided()
        if self.ended and self.recorder.enabled:
            self._reject_late()

    @contained(None)
    def _reject_late(self) -> None:
        """Risk often says no after the strategy's block has ended: then the candle tells of it."""
        self._measure_rejection()
        attributes = {**self._rejection_attributes(), semconv.STRATEGY_NAME: self.strategy}
        self.candle.tell(StageEvent(semconv.EVENT_SIGNAL_REJECTED, attributes, self._rejected_at))
        self.recorder.write_down(self._rejection_line({**self.place(), **ids(self)}))

    @contained(None)
    def _emit_late(self) -> None:
        self._measure_late(self._measure_emission)
        if self.emitted:
            self.recorder.write_down(
                Line(
                    ts=wall(self.recorder, self.emitted_at, self.offset),
                    component="strategy",
                    stage="signal",
                    passed=True,
                    payload={"later": True, **self._emitted_as()},
                    **self.place(),
                    **ids(self),
                )
            )

    @contained(None)
    def _measure_late(self, measure: Callable[[Callable[[BoundHistogram, float], None]], None]) -> None:
        measure(lambda histogram, value: histogram.record(value))

    def decided(self) -> None:
        """The first order or rejection after `emit` ends the decision."""
        if self.emitted_at and not self._decided_at:
            if self.ended:
                self.about_to_change()
            self._decided_at = self.recorder.now()
            if self.ended and self.recorder.enabled:
                self._measure_late(self._measure_decision)

    def order(
        self,
        *,
        side: str,
        type: str = "market",  # noqa: A002  FIX calls it so (OrdType 40)
        quantity: Number | None,
        expected_price: Number | None = None,
        client_id: str | None = None,
    ) -> Order:
        """A stage in which an order for this signal is prepared and sent.

        Args:
            side: buy or sell.
            type: market, limit, stop or stop_limit.
            quantity: how much, in units of the base asset; None for an order by cost, whose last fill says `complete`.
            expected_price: the price that slippage is measured against.
            client_id: the bot's own id of the order; lets late events find it before the venue has named it.
        """
        if self.emitted_at:
            self.decided()
        order = _new(Order)  # as in `Market.candle`
        order.recorder = self.recorder
        order.signal = order.above = self
        order.queue = None
        order.started = 0
        order.side = side if side.__class__ is str and side in SIDES else known(semconv.Side, side)
        order.type = type if type.__class__ is str and type in TYPES else known(semconv.OrderType, type)
        order.quantity = quantity
        order.expected_price = expected_price
        order.client_id = client_id
        order.hooked = client_id is not None
        return order

    # What follows from it.

    def parent_context(self) -> Context | None:
        """The candle; what is current where that belongs to the candle's trace."""
        candle = self.candle
        if not candle.started or get_current_span() is candle.span:
            return None
        span = candle.span.get_span_context()
        # In another task than the candle's, its span is not current and has to be named.
        elsewhere = get_current_span().get_span_context().trace_id != span.trace_id
        return set_span_in_context(candle.span) if elsewhere else None

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return f"{semconv.SPAN_SIGNAL} {self.strategy}"

    def span_start(self) -> SpanStart:
        """The span, with its market and strategy."""
        attributes = {**self.market.span_attributes, semconv.STRATEGY_NAME: self.strategy}
        return SpanStart(self.span_name, attributes)

    def span_end(self) -> SpanEnd:
        """Every check, the emission and the rejection."""
        attributes: dict[str, Any] = {}
        settings = self.recorder.settings
        margin, scrub = settings.trading.near_miss_margin, settings.diagnostics.scrub.enabled
        events = [
            StageEvent(semconv.EVENT_FILTER_EVALUATED, check.attributes(margin, scrub=scrub), check.at)
            for check in self._checked()
        ]
        if 0 < self.emitted_at <= self.ended:
            attributes = self._emission_attributes()
            events.append(StageEvent(semconv.EVENT_SIGNAL_GENERATED, attributes, self.emitted_at))
        if 0 < self._rejected_at <= self.ended:
            rejection = self._rejection_attributes()
            attributes = {**attributes, **rejection}
            events.append(StageEvent(semconv.EVENT_SIGNAL_REJECTED, rejection, self._rejected_at))
        return SpanEnd(attributes, events)

    def _emission_attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {semconv.SIGNAL_TYPE: self._known_type()}
        if self._confidence is not None:
            attributes[semconv.SIGNAL_CONFIDENCE] = self._confidence
        if self._price is not None:
            attributes[semconv.SIGNAL_PRICE] = attribute_number(self._price)
        return attributes

    def _rejection_attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {semconv.SIGNAL_REJECT_REASON: self._known_reason()}
        if self._rejection:
            attributes[semconv.REJECT_MESSAGE] = self._rejection
        return attributes

    def _known_type(self) -> str:
        return known(semconv.SignalType, self.type)

    def _known_reason(self) -> str:
        return known(semconv.SignalRejectReason, self.rejected or semconv.OTHER)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record the signal's instruments; what came after the block was recorded when it came."""
        ended = self.ended
        if self.checks is not None:
            for check in self._checked():
                self._measure_check(check)
        if 0 < self.emitted_at <= ended:
            self._measure_emission(observe)
        if 0 < self._rejected_at <= ended:
            self._measure_rejection()
        if 0 < self._decided_at <= ended:
            self._measure_decision(observe)
        seconds = (ended - self.started) * 1e-9
        handles = self._handles
        generation, evaluation, evaluations = handles.generation, handles.evaluation, handles.evaluations
        if self.failed is not None:
            recorder, labels = self.recorder, self.with_error(self.labels)
            generation = recorder.histogram("signal.generation.duration", labels)
            evaluation = recorder.histogram("strategy.evaluation.duration", labels)
            evaluations = recorder.counter("strategy.evaluations", labels)
        observe(generation, seconds)
        observe(evaluation, seconds)
        evaluations.add(1)
        handles.strategy.noticed()

    @property
    def decision(self) -> int:
        """Its number, by which lines of the journal belong together."""
        number = self._decision
        if not number:
            # Asked by the drain and, for an order or a risk check, perhaps by another thread at once.
            number = self.__dict__.setdefault("_decision", next(self.recorder.decisions))
        return number

    def place(self) -> dict[str, Any]:
        """The candle, the strategy and the number of the decision."""
        return {**self.candle.place(), "strategy": self.strategy, "decision": self.decision}

    def lines(self) -> Iterator[Line]:
        """Every condition, the outcome, and what was noted of it: risk checks, a rejection."""
        recorder = self.recorder
        offset = self.offset or recorder.clock.offset()
        margin = recorder.settings.trading.near_miss_margin
        about = {**self.place(), **ids(self)}
        failed = False
        for check in self._checked():
            failed = failed or not check.passed
            yield check_line(check, margin, offset + check.at, about, stage="condition", component="strategy")
        emitted = self.emitted and 0 < self.emitted_at <= self.ended
        payload: dict[str, Any] = {"ms": milliseconds(self)}
        if emitted:
            payload |= self._emitted_as()
        reason = None if emitted or failed else f"signal:{self.strategy}:no_signal"
        if self.failed is not None:
            reason = f"error:{self.failed}"
        yield Line(
            ts=offset + self.ended,
            component="strategy",
            stage="signal",
            passed=emitted,
            reason=reason,
            payload=payload,
            **about,
        )
        yield from super().lines()
        if 0 < self._rejected_at <= self.ended:
            yield self._rejection_line(about)

    def _emitted_as(self) -> dict[str, Any]:
        told = {"type": self._known_type(), "confidence": self._confidence, "price": self._price}
        return {key: value for key, value in told.items() if value is not None}

    def _rejection_line(self, about: Mapping[str, Any]) -> Line:
        payload = {"message": self._rejection} if self._rejection else None
        ts = wall(self.recorder, self._rejected_at, self.offset)
        return risk_line(ts, about, passed=False, reason=f"rejected:{self._known_reason()}", payload=payload)

    def happened(self) -> int:
        """Whether it failed, was rejected, or missed a threshold by little."""
        happened = Happened.ERROR if self.failed else Happened.NOTHING
        if 0 < self._rejected_at <= self.ended:
            happened |= Happened.REJECTION
        return happened | Happened.NEAR_MISS if self.near_miss else happened

    @property
    def _handles(self) -> SignalHandles:
        return self.candle.market.signal_handles(self.strategy)

    def _checked(self) -> list[Check]:
        """Everything that was checked in the block, in order."""
        found = []
        noted = self.checks
        while noted is not None:
            found.append(Check._make(noted[1:]))
            noted = noted[0]
        found.reverse()
        return found

    @contained(None)
    def _measure_check(self, check: Check) -> None:
        verdict = check.verdict(self.recorder.settings.trading.near_miss_margin)
        if verdict is semconv.FilterResult.NEAR_MISS and not self.ended < check.at:
            self.near_miss = True
        self._handles.evaluated(check.name, verdict.value).add(1)
        if not check.passed:
            self.recorder.reasons.count("signal", self.strategy, check.name)

    def _measure_emission(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        handles = self._handles
        generated, confidence = handles.emitted(self._known_type())
        generated.add(1)
        if self.emitted:
            handles.strategy.emitted(at=self._emitted_for)
        if self._confidence is not None:
            observe(confidence, self._confidence)

    def _measure_rejection(self) -> None:
        labels = {
            **self.labels,
            semconv.SIGNAL_TYPE: self._known_type(),
            semconv.SIGNAL_REJECT_REASON: self._known_reason(),
        }
        self.recorder.counter("signals.rejected", labels).add(1)
        self.recorder.reasons.count("rejected", self._known_reason())

    def _measure_decision(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        observe(self._handles.decision, (self._decided_at - self.emitted_at) * 1e-9)

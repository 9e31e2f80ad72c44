"""An order: prepared, sent, answered, filled, possibly long after its block has ended."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from ticktrace import semconv
from ticktrace.engine import Happened, contained, text_of, warn_once
from ticktrace.trading._lines import ids, milliseconds, number, order_line, wall
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent
from ticktrace.trading._words import known
from ticktrace.trading.checks import Number, attribute_number, exact, finite
from ticktrace.trading.news import Fill, News
from ticktrace.trading.rejects import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context

    from ticktrace.diagnostics import Line
    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._handles import OrderHandles
    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.orders import OpenOrders
    from ticktrace.trading.signal import Signal

__all__ = ["SIDES", "TYPES", "Order"]

_STATUS = semconv.OrderStatus
_ALL_BUT_ROUNDING = Decimal(1) - Decimal("1e-12")
SIDES = frozenset(side.value for side in semconv.Side)
TYPES = frozenset(kind.value for kind in semconv.OrderType)
_TERMINAL = (_STATUS.FILLED, _STATUS.REJECTED, _STATUS.CANCELED, _STATUS.EXPIRED)
_EVENTS = {
    _STATUS.REJECTED: semconv.EVENT_ORDER_REJECTED,
    _STATUS.CANCELED: semconv.EVENT_ORDER_CANCELED,
    _STATUS.EXPIRED: semconv.EVENT_ORDER_EXPIRED,
}


class Order(Stage):
    """One order on its way to the venue and back; made by `Signal.order`.

    The block is preparation and submission. Fills, rejections and cancellations may come inside it, or later from any
    task or thread: then they get a span of their own, linked to the order's.

    Records ``trading.order.prepare.duration``, ``trading.tick_to_trade.duration``, ``trading.orders.submitted``,
    ``trading.order.submit.duration``, ``trading.trade.execution.duration``, ``trading.order.fills``,
    ``trading.order.fill.duration``, ``trading.slippage.amount``, ``trading.slippage.bps``, ``trading.trades.executed``,
    ``trading.orders.rejected``, ``trading.trades.rejected`` and ``trading.order.reject.ratio``.

    Attributes:
        signal: what it is sent for.
        side: buy or sell.
        type: market, limit, stop or stop_limit.
        quantity: how much was ordered; None for an order by cost.
        order_id: the venue's id, once acknowledged.
        client_id: the bot's own id.
        filled_quantity: how much of the quantity was filled, exact.
    """

    found_by_decorators = True
    written_down = True

    order_id: str | None = None
    filled_quantity: Decimal = Decimal(0)
    _status: semconv.OrderStatus | None = None
    _submitted_at: int = 0
    _acknowledged_at: int = 0
    _signaled_at: int = 0
    _ended_at: int = 0  # rejected, canceled or expired
    _end_attributes: Mapping[str, Any] = MappingProxyType({})

    # `Signal.order` makes it, field by field: a call of the class would be felt.
    signal: Signal
    side: str
    type: str
    quantity: Number | None
    expected_price: Number | None
    client_id: str | None = None

    @property
    def _lock(self) -> AbstractContextManager[object]:
        # Fills come from whichever thread reads the venue's stream. One lock for all orders: it is held for moments.
        return self.signal.candle.market.trading.order_lock

    @property
    def status(self) -> semconv.OrderStatus | None:
        """Where the order stands (FIX OrdStatus 39); None until it was sent, which the end of its block is, if not before."""
        status = self._status
        return _STATUS.NEW if status is None and self.ended else status

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of its instruments."""
        return {**self.signal.labels, semconv.ORDER_SIDE: self.side, semconv.ORDER_TYPE: self.type}

    @property
    def span_attributes(self) -> dict[str, Any]:
        """What its spans say of it, the symbol in full."""
        signal = self.signal
        return {
            **signal.market.span_attributes,
            semconv.STRATEGY_NAME: signal.strategy,
            semconv.ORDER_SIDE: self.side,
            semconv.ORDER_TYPE: self.type,
        }

    @property
    def _open_orders(self) -> OpenOrders:
        return self.signal.market.trading.open_orders

    # What the bot and the venue say of it.

    @contained(None)
    def submitting(self) -> None:
        """Preparation is over and the request leaves now. Said implicitly by whatever comes first after it."""
        if self.recorder.enabled:
            self._submit()

    def _submit(self, at: int | None = None) -> None:
        """The request leaves: now, or `at` the end of the block."""
        with self._lock:
            if not self._submitted_at:
                # A block that has ended without a word has sent the order then.
                self._submitted_at = at or self.ended or self.recorder.now()
                self._status = _STATUS.NEW

    @contained(None)
    def acknowledged(self, order_id: str | None = None) -> None:
        """The venue has accepted the order.

        Args:
            order_id: the venue's id, under which later events will find it.
        """
        if not self.recorder.enabled:
            return
        with self._lock:
            self._submit()
            if self._acknowledged_at:
                return
            if self.ended:
                self.about_to_change()
            self._acknowledged_at = self.recorder.now()
            self._signaled_at = self.signal.emitted_at or self.signal.started  # as it is known now
            if order_id is not None:
                self.order_id = text_of(order_id)
                if self.status not in _TERMINAL:
                    self._open_orders.add(self.order_id, self)
            if self.ended:
                self._measure_acknowledgement(_record)
        if self.order_id is not None:
            for fill in self._open_orders.claim(self.order_id):
                self.filled(**fill)

    @contained(None)
    def filled(
        self,
        price: Number,
        quantity: Number,
        fee: Number | None = None,
        *,
        fee_currency: str | None = None,
        at: Timestamp | None = None,
        complete: bool | None = None,
        fill_id: str | None = None,
    ) -> None:
        """A fill: all of the order or a part of it.

        A quantity that is none, or not above 0, changes nothing, and is said.

        Args:
            price: what was paid or received for a unit.
            quantity: how much was filled now.
            fee: what the venue took.
            fee_currency: in which currency; the account's when left out. Only the ledger asks.
            at: when it happened on the venue.
            complete: whether nothing more will come; when left out, whether the ordered quantity is reached.
            fill_id: the venue's id of the fill; the books leave out one that was told before.
        """
        if not self.recorder.enabled:
            return
        units = finite(quantity)
        if units is None or units <= 0:
            warn_once("order.fill", "ticktrace: a fill of %r units was left out", quantity)
            return
        self.signal.candle.market.trading.performance.order_filled(
            self,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_currency=fee_currency,
            at=at,
            fill_id=fill_id,
        )
        with self._lock:
            if self.ended:
                self.about_to_change()
            self.filled_quantity += exact(quantity)
            done = self._reached() if complete is None else complete
            first = done and self.status is not _STATUS.FILLED
            self._submit()
            self._status = now = _STATUS.FILLED if done else _STATUS.PARTIALLY_FILLED
            if done:
                self._open_orders.discard(self)
            seconds = self._since_submission() if first else None
            with Fill(self, price=price, quantity=quantity, fee=fee, at=at, status=now, seconds=seconds):
                pass

    def _reached(self) -> bool:
        """Whether the fills add up to what was ordered; thirds in floats never quite do."""
        if finite(self.quantity) is None or self.quantity is None:
            return False
        return self.filled_quantity >= exact(self.quantity) * _ALL_BUT_ROUNDING

    def _since_submission(self) -> float:
        return (self.recorder.now() - self._submitted_at) * 1e-9

    @contained(None)
    def rejected(self, reason: str, message: str = "") -> None:
        """The order was refused, by the venue or on the way to it.

        Args:
            reason: insufficient_funds, invalid_order, rate_limited, risk_denied, market_closed, duplicate, network or
                other (FIX OrdRejReason 103).
            message: what the venue said, on the span only.
        """
        if self.recorder.enabled:
            self._reject(reason, message, None)

    def _reject(self, reason: str, message: str, error_type: str | None, at: int | None = None) -> None:
        cause = known(semconv.OrderRejectReason, reason)
        attributes = {semconv.ORDER_REJECT_REASON: cause}
        if error_type:
            attributes[semconv.ERROR_TYPE] = error_type
        self._finish(_STATUS.REJECTED, message, attributes, at)

    @contained(None)
    def canceled(self, message: str = "") -> None:
        """The order was taken back before it was filled."""
        if self.recorder.enabled:
            self._finish(_STATUS.CANCELED, message, {})

    @contained(None)
    def expired(self, message: str = "") -> None:
        """The order's time ran out before it was filled."""
        if self.recorder.enabled:
            self._finish(_STATUS.EXPIRED, message, {})

    def _finish(
        self, status: semconv.OrderStatus, message: str, attributes: dict[str, Any], at: int | None = None
    ) -> None:
        """The order is over: now, or `at` the end of its block."""
        with self._lock:
            if self.status in _TERMINAL:
                return
            self._submit(at)
            if self.ended and at is None:
                self.about_to_change()
            self._status = status
            self._ended_at = at or self.recorder.now()
            self._end_attributes = {semconv.ORDER_STATUS: status.value, **attributes}
            if message:
                self._end_attributes[semconv.REJECT_MESSAGE] = text_of(message)
            if attributes.get(semconv.ORDER_REJECT_REASON) != semconv.OrderRejectReason.NETWORK:
                # After a timeout nobody knows whether the venue has the order: a fill may still come.
                self._open_orders.discard(self, filled=False)
            if self.ended and at is None:
                with News(
                    self, f"{semconv.SPAN_ORDER} {status.value}", self._end_attributes, self._verdict()
                ):
                    self._measure_end()

    def _verdict(self) -> Status | None:
        if self.status is not _STATUS.REJECTED:
            return None
        return Status(
            StatusCode.ERROR, f"order rejected: {self._end_attributes[semconv.ORDER_REJECT_REASON]}"
        )

    # What follows from it.

    def entering(self) -> None:
        """Let the order be found by the bot's own id."""
        if self.client_id is not None:
            self.client_id = text_of(self.client_id)
            self._open_orders.add(self.client_id, self)

    def failing(self, error: Exception) -> None:
        """An exception before the acknowledgement is a rejection."""
        if not self._acknowledged_at and self._status in {None, _STATUS.NEW}:
            self._reject(reason_of(error), text_of(error), type(error).__qualname__, at=self.ended)

    def parent_context(self) -> Context | None:
        """The signal, even when its block has ended: candle → signal → order."""
        return set_span_in_context(self.signal.span) if self.signal.started else None

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return f"{semconv.SPAN_ORDER} {self.side}"

    def span_start(self) -> SpanStart:
        """The span, with what was ordered."""
        attributes = self.span_attributes
        if self.quantity is not None:
            attributes[semconv.ORDER_QUANTITY] = attribute_number(self.quantity)
        if self.expected_price is not None:
            attributes[semconv.ORDER_EXPECTED_PRICE] = attribute_number(self.expected_price)
        if self.client_id is not None:
            attributes[semconv.ORDER_CLIENT_ID] = self.client_id
        return SpanStart(self.span_name, attributes, SpanKind.PRODUCER)

    def span_end(self) -> SpanEnd:
        """Submission, acknowledgement and what ended the order within its block."""
        ended = self.ended
        attributes: dict[str, Any] = {}
        events = []
        events.append(StageEvent(semconv.EVENT_ORDER_SUBMITTED, {}, self._submitted_at or ended))
        if 0 < self._acknowledged_at <= ended:
            events.append(StageEvent(semconv.EVENT_ORDER_ACKNOWLEDGED, {}, self._acknowledged_at))
            if self.order_id is not None:
                attributes[semconv.ORDER_ID] = self.order_id
        if 0 < self._ended_at <= ended and self.status in _EVENTS:
            attributes |= self._end_attributes
            events.append(StageEvent(_EVENTS[self.status], self._end_attributes, self._ended_at))
            return SpanEnd(attributes, events, self._verdict())
        return SpanEnd(attributes, events)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record the order's instruments; what came after the block was recorded when it came."""
        ended = self.ended
        self._measure_submission(observe)
        if 0 < self._acknowledged_at <= ended:
            self._measure_acknowledgement(observe)
        if 0 < self._ended_at <= ended:
            self._measure_end()

    def place(self) -> dict[str, Any]:
        """Its signal's."""
        return self.signal.place()

    def lines(self) -> Iterator[Line]:
        """One: what was ordered, and what became of it in the block."""
        over = 0 < self._ended_at <= self.ended
        told = {
            "side": self.side,
            "type": self.type,
            "quantity": number(self.quantity),
            "expected_price": number(self.expected_price),
            "order_id": self.order_id if 0 < self._acknowledged_at <= self.ended else None,
            "client_id": self.client_id,
            "ms": milliseconds(self),
        }
        ts = wall(self.recorder, self.ended, self.offset)
        yield order_line(ts, {**self.place(), **ids(self)}, told, self._end_attributes if over else {})
        yield from super().lines()

    def happened(self) -> int:
        """An order; whether it failed, and whether it was rejected in its block."""
        happened = Happened.ORDER | (Happened.ERROR if self.failed else Happened.NOTHING)
        if self.status is _STATUS.REJECTED and 0 < self._ended_at <= self.ended:
            happened |= Happened.REJECTION | Happened.ERROR
        return happened

    @property
    def _handles(self) -> OrderHandles:
        signal = self.signal
        return signal.candle.market.signal_handles(signal.strategy).order(self.side, self.type)

    def _measure_submission(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        handles, now = self._handles, self._submitted_at or self.ended
        observe(handles.prepare, (now - self.started) * 1e-9)
        tick_at = self.signal.candle.started
        if tick_at:
            observe(handles.tick_to_trade, (now - tick_at) * 1e-9)
        handles.submitted.add(1)

    def _measure_acknowledgement(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        handles, now = self._handles, self._acknowledged_at
        observe(handles.submit, (now - self._submitted_at) * 1e-9)
        if self._signaled_at:
            observe(handles.execution, (now - self._signaled_at) * 1e-9)
        if not self._ended_at or self._ended_at > now:
            self._measure_answer(rejected=False)

    def _measure_end(self) -> None:
        if self.status is not _STATUS.REJECTED:
            return
        labels = {
            **self.labels,
            semconv.ORDER_REJECT_REASON: self._end_attributes[semconv.ORDER_REJECT_REASON],
        }
        self.recorder.counter("orders.rejected", labels).add(1)
        self.recorder.counter("trades.rejected", labels).add(1)
        self.recorder.reasons.count("order", labels[semconv.ORDER_REJECT_REASON])
        if not self._acknowledged_at:
            self._measure_answer(rejected=True)

    def _measure_answer(self, *, rejected: bool) -> None:
        market = self.signal.market
        ratio = market.trading.reject_ratio(market.venue).answered(rejected=rejected)
        self.recorder.gauge("order.reject.ratio", {semconv.VENUE: market.labels[semconv.VENUE]}).set(ratio)


def _record(histogram: BoundHistogram, value: float) -> None:
    histogram.record(value)

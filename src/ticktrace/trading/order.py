"""An order: prepared, sent, answered, filled, possibly long after its block has ended."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from ticktrace import semconv
from ticktrace.engine import contained
from ticktrace.trading._stage import Stage
from ticktrace.trading._time import Timestamp, unix_seconds
from ticktrace.trading._words import known
from ticktrace.trading.checks import Number, attribute_number
from ticktrace.trading.rejects import reason_of

if TYPE_CHECKING:
    from ticktrace.trading.signal import Signal

__all__ = ["Order"]

Status_ = semconv.OrderStatus

_NEWS = {Status_.CANCELED: semconv.EVENT_ORDER_CANCELED, Status_.EXPIRED: semconv.EVENT_ORDER_EXPIRED}


def exact(number: Number) -> Decimal:
    """A number as the Decimal that prints the same; a float 0.1 is 0.1 and not its binary neighbour."""
    return number if isinstance(number, Decimal) else Decimal(str(number))


class Order(Stage):
    """One order on its way to the venue and back; made by `Signal.order`.

    The block is preparation and submission. Fills, rejections and cancellations may come inside it, or later from any
    task or thread: then they get a span of their own, linked to the order's.

    Records ``trading.order.prepare.duration``, ``trading.tick_to_trade.duration``, ``trading.orders.submitted``,
    ``trading.order.submit.duration``, ``trading.trade.execution.duration``, ``trading.order.fills``,
    ``trading.order.fill.duration``, ``trading.slippage.amount``, ``trading.slippage.bps``, ``trading.trades.executed``,
    ``trading.orders.rejected``, ``trading.trades.rejected`` and ``trading.order.reject.ratio``.

    Attributes:
        order_id: the venue's id, once acknowledged.
        client_id: the bot's own id.
        status: where the order stands (FIX OrdStatus 39); None until it was sent.
        filled_quantity: how much of the quantity was filled, exact.
    """

    __slots__ = (
        "_acknowledged_at",
        "_expected_price",
        "_labels",
        "_lock",
        "_submitted_at",
        "client_id",
        "filled_quantity",
        "order_id",
        "quantity",
        "side",
        "signal",
        "status",
        "type",
    )

    found_by_decorators = True

    def __init__(
        self,
        signal: Signal,
        *,
        side: str,
        type: str,  # noqa: A002  FIX calls it so (OrdType 40)
        quantity: Number,
        expected_price: Number | None,
        client_id: str | None,
    ) -> None:
        super().__init__(signal._recorder)  # noqa: SLF001  the room shares its recorder
        self.signal: Signal = signal
        self.side: str = side
        self.type: str = type
        self.quantity: Number = quantity
        self.client_id: str | None = client_id
        self.order_id: str | None = None
        self.status: semconv.OrderStatus | None = None
        self.filled_quantity: Decimal = Decimal(0)
        self._expected_price = expected_price
        self._submitted_at = 0
        self._acknowledged_at = 0
        self._labels: dict[str, Any] = {}
        self._lock = threading.RLock()  # fills come from whichever thread reads the venue's stream

    def _open(self) -> None:
        signal = self.signal
        self.side = known(semconv.Side, self.side, semconv.Side.BUY).value
        self.type = known(semconv.OrderType, self.type, semconv.OrderType.MARKET).value
        self._labels = {**signal.labels, semconv.ORDER_SIDE: self.side, semconv.ORDER_TYPE: self.type}
        self._offset = signal._offset or self._recorder.clock.offset()  # noqa: SLF001  one offset a trace
        attributes = {
            **signal.market.span_attributes,
            semconv.STRATEGY_NAME: signal.strategy,
            semconv.ORDER_SIDE: self.side,
            semconv.ORDER_TYPE: self.type,
            semconv.ORDER_QUANTITY: attribute_number(self.quantity),
        }
        if self._expected_price is not None:
            attributes[semconv.ORDER_EXPECTED_PRICE] = attribute_number(self._expected_price)
        if self.client_id is not None:
            attributes[semconv.ORDER_CLIENT_ID] = self.client_id
            self._open_orders.add(self.client_id, self)
        # The signal is the parent even when its block has ended: design, "candle → signal → order".
        self._start(
            f"{semconv.SPAN_ORDER} {self.side}",
            attributes,
            kind=SpanKind.PRODUCER,
            context=set_span_in_context(signal.span) if signal.started else None,
        )

    @property
    def _open_orders(self) -> Any:
        return self.signal.market.trading.open_orders

    def _fail(self, error: BaseException) -> None:
        super()._fail(error)
        if self.status in (None, Status_.NEW) and not self._acknowledged_at:
            self._reject(reason_of(error), str(error), type(error).__qualname__)

    def _close(self) -> None:
        self._submit()

    # What the bot tells of the order.

    @contained(None)
    def submitting(self) -> None:
        """Preparation is over and the request leaves now. Said implicitly by whatever comes first after it."""
        if self._recorder.enabled:
            self._submit()

    def _submit(self) -> None:
        with self._lock:
            if self._submitted_at:
                return
            recorder = self._recorder
            self._submitted_at = now = recorder.clock.now()
            self.status = Status_.NEW
            labels = self._labels
            recorder.histogram("order.prepare.duration", labels).record((now - self.started) * 1e-9)
            tick_at = self.signal.candle.started
            if tick_at:
                recorder.histogram("tick_to_trade.duration", labels).record((now - tick_at) * 1e-9)
            recorder.counter("orders.submitted", labels).add(1)
            self.span.add_event(semconv.EVENT_ORDER_SUBMITTED, timestamp=self._offset + now)

    @contained(None)
    def acknowledged(self, order_id: str | None = None) -> None:
        """The venue has accepted the order.

        Args:
            order_id: the venue's id, under which later events will find it.
        """
        if not self._recorder.enabled:
            return
        with self._lock:
            self._submit()
            if self._acknowledged_at:
                return
            recorder = self._recorder
            self._acknowledged_at = now = recorder.clock.now()
            labels = self._labels
            recorder.histogram("order.submit.duration", labels).record((now - self._submitted_at) * 1e-9)
            since = self.signal.emitted_at or self.signal.started
            if since:
                recorder.histogram("trade.execution.duration", labels).record((now - since) * 1e-9)
            self._answered(rejected=False)
            if order_id is not None:
                self.order_id = str(order_id)
                self.span.set_attribute(semconv.ORDER_ID, self.order_id)
                if self.status not in (Status_.FILLED, Status_.REJECTED, Status_.CANCELED, Status_.EXPIRED):
                    self._open_orders.add(self.order_id, self)
            self.span.add_event(semconv.EVENT_ORDER_ACKNOWLEDGED, timestamp=self._offset + now)

    @contained(None)
    def filled(
        self, *, price: Number, quantity: Number, fee: Number | None = None, at: Timestamp | None = None
    ) -> None:
        """A fill: all of the order or a part of it. The order is filled when its quantity is reached.

        Args:
            price: what was paid or received for a unit.
            quantity: how much was filled now.
            fee: what the venue took, in its currency.
            at: when it happened on the venue.
        """
        if not self._recorder.enabled:
            return
        with self._lock:
            self._submit()
            self.filled_quantity += exact(quantity)
            done = self.filled_quantity >= exact(self.quantity)
            self.status = Status_.FILLED if done else Status_.PARTIALLY_FILLED
            self._record_fill(price, quantity, fee, at, done=done)
            if done:
                self._open_orders.discard(self)

    def _record_fill(
        self, price: Number, quantity: Number, fee: Number | None, at: Timestamp | None, *, done: bool
    ) -> None:
        recorder = self._recorder
        labels = self._labels
        status = Status_.FILLED if done else Status_.PARTIALLY_FILLED
        attributes: dict[str, Any] = {
            semconv.FILL_PRICE: attribute_number(price),
            semconv.FILL_QUANTITY: attribute_number(quantity),
            semconv.ORDER_STATUS: status.value,
        }
        if fee is not None:
            attributes[semconv.FILL_FEE] = attribute_number(fee)
        if at is not None:
            attributes[semconv.EVENT_TIME] = round(unix_seconds(at) * 1e9)
        with _Update(self, semconv.SPAN_FILL, attributes):
            recorder.counter("order.fills", {**labels, semconv.ORDER_STATUS: status.value}).add(1)
            if self._expected_price is not None:
                expected = exact(self._expected_price)
                worse = exact(price) - expected if self.side == semconv.Side.BUY else expected - exact(price)
                recorder.histogram("slippage.amount", labels).record(float(worse))
                if expected:
                    recorder.histogram("slippage.bps", labels).record(float(worse / abs(expected) * 10_000))
            if done:
                seconds = (recorder.clock.now() - self._submitted_at) * 1e-9
                recorder.histogram("order.fill.duration", labels).record(seconds)
                recorder.counter("trades.executed", labels).add(1)

    @contained(None)
    def rejected(self, reason: str, message: str = "") -> None:
        """The order was refused, by the venue or on the way to it.

        Args:
            reason: insufficient_funds, invalid_order, rate_limited, risk_denied, market_closed, duplicate, network or
                other (FIX OrdRejReason 103).
            message: what the venue said, on the span only.
        """
        if self._recorder.enabled:
            self._reject(reason, message, None)

    def _reject(self, reason: str, message: str, error_type: str | None) -> None:
        with self._lock:
            if self.status is Status_.REJECTED:
                return
            self._submit()
            self.status = Status_.REJECTED
            recorder = self._recorder
            cause = known(semconv.OrderRejectReason, reason, semconv.OrderRejectReason.OTHER).value
            labels = {**self._labels, semconv.ORDER_REJECT_REASON: cause}
            attributes = {semconv.ORDER_STATUS: Status_.REJECTED.value, semconv.ORDER_REJECT_REASON: cause}
            if message:
                attributes[semconv.REJECT_MESSAGE] = message
            if error_type:
                attributes[semconv.ERROR_TYPE] = error_type
            with _Update(self, semconv.EVENT_ORDER_REJECTED, attributes) as span:
                recorder.counter("orders.rejected", labels).add(1)
                recorder.counter("trades.rejected", labels).add(1)
                span.set_status(Status(StatusCode.ERROR, f"order rejected: {cause}"))
            if not self._acknowledged_at:
                self._answered(rejected=True)
            self._open_orders.discard(self)

    @contained(None)
    def canceled(self, message: str = "") -> None:
        """The order was taken back before it was filled."""
        self._finish(Status_.CANCELED, message)

    @contained(None)
    def expired(self, message: str = "") -> None:
        """The order's time ran out before it was filled."""
        self._finish(Status_.EXPIRED, message)

    def _finish(self, status: semconv.OrderStatus, message: str) -> None:
        if not self._recorder.enabled:
            return
        with self._lock:
            self._submit()
            self.status = status
            attributes: dict[str, Any] = {semconv.ORDER_STATUS: status.value}
            if message:
                attributes[semconv.REJECT_MESSAGE] = message
            with _Update(self, _NEWS[status], attributes):
                pass
            self._open_orders.discard(self)

    def _answered(self, *, rejected: bool) -> None:
        market = self.signal.market
        ratio = market.trading.reject_ratio(market.venue).answered(rejected=rejected)
        self._recorder.gauge("order.reject.ratio", {semconv.VENUE: market.venue}).set(ratio)


class _Update(Stage):
    """What became of an order: a fill has always a span of its own, other news only once the order's has ended.

    The span is a child of whatever is current where the news arrived, a root where nothing is, and linked to the order.
    """

    __slots__ = ("_attributes", "_name", "_order")

    def __init__(self, order: Order, name: str, attributes: dict[str, Any]) -> None:
        super().__init__(order._recorder)  # noqa: SLF001  one mechanism with the order
        self._order = order
        self._name = name
        self._attributes = attributes

    def _open(self) -> None:
        order = self._order
        if self._name != semconv.SPAN_FILL and order.span.is_recording():
            order.span.set_attributes(self._attributes)
            order.span.add_event(self._name, self._attributes)
            return
        self._offset = self._recorder.clock.offset()
        link = order.span.get_span_context()
        self._start(
            self._name
            if self._name == semconv.SPAN_FILL
            else f"{semconv.SPAN_ORDER} {self._attributes[semconv.ORDER_STATUS]}",
            {
                **order._labels,  # noqa: SLF001
                **({semconv.ORDER_ID: order.order_id} if order.order_id else {}),
                **self._attributes,
            },
            kind=SpanKind.CONSUMER,
            links=[Link(link)] if link.is_valid else None,
        )

    def set_status(self, status: Status) -> None:
        """Mark the update's span, or the order's where it serves."""
        (self.span if self.span.is_recording() else self._order.span).set_status(status)

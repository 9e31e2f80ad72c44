"""What becomes of an order after it was sent: a fill always, other news once the order's span has ended, as a span.

Such a span is a child of whatever is current where the news arrives, a root where nothing is, and linked to the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Link, SpanKind, Status

from ticktrace import semconv
from ticktrace.diagnostics import Line
from ticktrace.engine import Happened, contained
from ticktrace.trading._lines import ids, number, order_line, wall
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage
from ticktrace.trading._time import Timestamp, usable_seconds
from ticktrace.trading.checks import Number, attribute_number, exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading.order import Order

__all__ = ["Fill", "News"]


class News(Stage):
    """A span about an order, linked to it."""

    written_down = True

    def __init__(self, order: Order, name: str, attributes: dict[str, Any], status: Status | None) -> None:
        super().__init__(order.recorder)
        self.order: Order = order
        self._name = name
        self._attributes = attributes
        self._status = status
        self._order_id = order.order_id  # as it is known now

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return self._name

    def span_start(self) -> SpanStart:
        """The span, with the order's labels and a link to it."""
        order = self.order
        attributes = {**order.span_attributes, **self._attributes}
        if self._order_id is not None:
            attributes[semconv.ORDER_ID] = self._order_id
        context = order.span.get_span_context()
        links = [Link(context)] if context.is_valid else None
        return SpanStart(self._name, attributes, SpanKind.CONSUMER, links)

    def span_end(self) -> SpanEnd:
        """The status that the news gives."""
        return SpanEnd(status=self._status)

    def place(self) -> dict[str, Any]:
        """Its order's."""
        return self.order.place()

    def lines(self) -> Iterator[Line]:
        """One: how the order has ended."""
        told = {"later": True, "side": self.order.side, "order_id": self._order_id}
        ts = wall(self.recorder, self.started, self.offset)
        yield order_line(ts, {**self.place(), **ids(self)}, told, self._attributes)

    def happened(self) -> int:
        """A rejection, if it is one."""
        return Happened.REJECTION | Happened.ERROR if self._status is not None else Happened.NOTHING


class Fill(News):
    """One fill of an order."""

    def __init__(
        self,
        order: Order,
        *,
        price: Number,
        quantity: Number,
        fee: Number | None,
        at: Timestamp | None,
        status: semconv.OrderStatus,
        seconds: float | None,
    ) -> None:
        attributes: dict[str, Any] = {
            semconv.FILL_PRICE: attribute_number(price),
            semconv.FILL_QUANTITY: attribute_number(quantity),
            semconv.ORDER_STATUS: status.value,
        }
        if fee is not None:
            attributes[semconv.FILL_FEE] = attribute_number(fee)
        happened = usable_seconds(at)
        if happened is not None:
            attributes[semconv.EVENT_TIME] = round(happened * 1e9)
        super().__init__(order, semconv.SPAN_FILL, attributes, None)
        self._price = price
        self._status_after = status
        self._done_seconds = seconds  # from submission to here, when this fill completes the order

    def happened(self) -> int:
        """A fill."""
        return Happened.FILL

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record the fill, its slippage, and the trade when it is complete."""
        recorder, labels = self.recorder, self.order.labels
        recorder.counter("order.fills", {**labels, semconv.ORDER_STATUS: self._status_after.value}).add(1)
        if self._done_seconds is not None:
            recorder.counter("trades.executed", labels).add(1)
            observe(recorder.histogram("order.fill.duration", labels), self._done_seconds)
        self._measure_slippage(observe, labels)

    def lines(self) -> Iterator[Line]:
        """One: the fill."""
        payload = {
            "price": number(self._price),
            "quantity": self._attributes[semconv.FILL_QUANTITY],
            "side": self.order.side,
            "complete": self._done_seconds is not None,
        }
        if self._order_id is not None:
            payload["order_id"] = self._order_id
        yield Line(
            ts=wall(self.recorder, self.started, self.offset),
            component="execution",
            stage="fill",
            passed=True,
            payload=payload,
            **self.place(),
            **ids(self),
        )

    @contained(None)
    def _measure_slippage(
        self, observe: Callable[[BoundHistogram, float], None], labels: dict[str, Any]
    ) -> None:
        order = self.order
        if order.expected_price is None or order.side == semconv.OTHER:
            return
        expected, price = exact(order.expected_price), exact(self._price)
        worse = price - expected if order.side == semconv.Side.BUY else expected - price
        observe(self.recorder.histogram("slippage.amount", labels), float(worse))
        if expected:
            observe(self.recorder.histogram("slippage.bps", labels), float(worse / abs(expected) * 10_000))

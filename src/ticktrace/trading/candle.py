"""A candle: the root of what the bot did with one closed bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import report
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent
from ticktrace.trading._time import Timestamp, iso_utc, usable_seconds
from ticktrace.trading.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading.market import Market

__all__ = ["Candle"]


class Candle(Stage):
    """The processing of one bar of a market; made by `Market.candle`.

    Records ``trading.candle.processing.duration``, ``trading.candle.delay``, ``trading.candle.gaps``,
    ``trading.candle.last_close.timestamp`` and ``trading.candles.processed``.
    """

    __slots__ = ("_context", "_events", "_received", "_step", "_times", "close_time", "market", "open_time")

    found_by_decorators = True

    def __init__(
        self,
        market: Market,
        open_time: Timestamp | None,
        close_time: Timestamp | None,
        context: Context | None,
    ) -> None:
        super().__init__(market.recorder)
        self.market: Market = market
        self.open_time: Timestamp | None = open_time
        self.close_time: Timestamp | None = close_time
        self._context = context
        self._received: float | None = None
        self._step = 0
        self._times: tuple[float | None, float | None] | None = None
        self._events: list[StageEvent] | None = None

    def signal(self, strategy: str) -> Signal:
        """A stage in which `strategy` looks at this candle; see `Signal`."""
        return Signal(self, strategy)

    def tell(self, event: StageEvent) -> None:
        """Add an event to the candle's span."""
        if self._events is None:
            self._events = [event]
        else:
            self._events.append(event)

    def entering(self) -> None:
        """Note the market's present and the bar's place in the queue: both are only known now."""
        self.market.arrivals.append(self)
        now = self.recorder.market_now
        if now is not None:
            try:
                self._received = now()
            except Exception as error:  # noqa: BLE001  a clock of the application's
                report("market clock", error)

    def times(self) -> tuple[float | None, float | None]:
        """When the bar opened and closed, Unix seconds; each follows from the other by the timeframe.

        A time that names no moment (a naive datetime, a text) is said and left out.
        """
        if self._times is None:
            opened, closed = usable_seconds(self.open_time), usable_seconds(self.close_time)
            period = self.market.seconds
            if period is not None:
                if opened is None and closed is not None:
                    opened = closed - period
                elif closed is None and opened is not None:
                    closed = opened + period
            self._times = opened, closed
        return self._times

    def arrived(self, step: int) -> None:
        """The market says how many bars are missing before this one; -1 for one that is not newer than the last."""
        self._step = step

    def parent_context(self) -> Context | None:
        """What was given to `Market.candle`, else whatever is current: usually nothing."""
        return self._context

    def span_start(self) -> SpanStart:
        """The span, with its market and its times."""
        attributes: dict[str, Any] = dict(self.market.span_attributes)
        opened, closed = self.times()
        if opened is not None:
            attributes[semconv.CANDLE_OPEN_TIME] = iso_utc(opened)
        if closed is not None:
            attributes[semconv.CANDLE_CLOSE_TIME] = iso_utc(closed)
            attributes[semconv.EVENT_TIME] = round(closed * 1e9)
        return SpanStart(self.market.candle_span_name, attributes)

    def span_end(self) -> SpanEnd:
        """Gaps, and what was told later."""
        self.market.settle_arrivals()
        events = self._events or []
        if self._step > 0:
            gap = StageEvent(semconv.EVENT_CANDLE_GAP, {semconv.CANDLE_GAP_COUNT: self._step}, self.started)
            events = [gap, *events]
        elif self._step < 0:
            events = [StageEvent(semconv.EVENT_CANDLE_OUT_OF_ORDER, {}, self.started), *events]
        return SpanEnd(events=events)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record the candle's instruments."""
        handles = self.market.handles
        self.market.settle_arrivals()
        if self._step > 0:
            handles.gaps.add(1)
        if self._received is not None:
            _, closed = self.times()
            if closed is not None:
                # A clock behind the venue's would make it negative, which no histogram of durations takes.
                observe(handles.delay, max(0.0, self._received - closed))
        processing = handles.processing
        if self.failed is not None:
            labels = self.with_error(self.market.labels)
            processing = self.recorder.histogram("candle.processing.duration", labels)
        observe(processing, (self.ended - self.started) * 1e-9)
        handles.processed.add(1)

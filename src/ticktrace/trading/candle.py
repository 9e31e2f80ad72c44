"""A candle: the root of what the bot did with one closed bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.diagnostics import Line
from ticktrace.engine import NOTHING_MORE, Happened, report, text_of
from ticktrace.trading._lines import ids, milliseconds, wall
from ticktrace.trading._recorder import WALL
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent
from ticktrace.trading._time import Timestamp, iso_utc, usable_seconds
from ticktrace.trading.signal import Signal

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from opentelemetry.context import Context

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.market import Market

__all__ = ["Candle"]


_new = object.__new__

_ELSEWHERE = object()  # stands above a candle that was given a context, so that it is asked for its parent


def _read(clock: Callable[[], float]) -> float | None:
    try:
        return clock()
    except Exception as error:  # noqa: BLE001  a clock of the application's
        report("market clock", error)
        return None


class Candle(Stage):
    """The processing of one bar of a market; made by `Market.candle`.

    Records ``trading.candle.processing.duration``, ``trading.candle.delay``, ``trading.candle.gaps``,
    ``trading.candle.last_close.timestamp`` and ``trading.candles.processed``.
    """

    found_by_decorators = True
    written_down = True

    _context: Context | None = None
    _received: float | None = None
    _step: int = 0
    _times: tuple[float | None, float | None] | None = None

    queue: deque[Any] | None
    recorder: Recorder
    market: Market
    open_time: Timestamp | None
    close_time: Timestamp | None

    def __init__(
        self,
        market: Market,
        open_time: Timestamp | None,
        close_time: Timestamp | None,
        context: Context | None,
    ) -> None:
        # `Market.candle` does the usual part of this itself: a call of the class would be felt.
        self.recorder = market.recorder
        self.market = market
        self.above = None
        self.queue = market.arrivals
        self.started = 0
        self.hooked = False
        self.open_time = open_time
        self.close_time = close_time
        now = self.recorder.market_now
        if now is not None and now is not WALL:
            self._received = _read(now)
        if context is not None:
            self._context = context
            self.above = _ELSEWHERE

    def signal(self, strategy: str) -> Signal:
        """A stage in which `strategy` looks at this candle; see `Signal`."""
        signal = _new(Signal)  # as in `Market.candle`
        signal.recorder = self.recorder
        signal.candle = signal.above = self
        signal.queue = None
        signal.started = signal.ended = signal.emitted_at = 0
        signal.hooked = False
        signal.checks = None
        signal.strategy = strategy if strategy.__class__ is str else text_of(strategy)
        return signal

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

    def place(self) -> dict[str, Any]:
        """The symbol, and when the bar closed."""
        _, closed = self.times()
        return (
            {"symbol": self.market.symbol}
            if closed is None
            else {"symbol": self.market.symbol, "candle": closed}
        )

    def lines(self) -> Iterator[Line]:
        """One: that it was processed."""
        payload: dict[str, Any] = {
            "venue": self.market.venue,
            "timeframe": self.market.timeframe,
            "ms": milliseconds(self),
        }
        if self._step:
            payload["gap"] = self._step
        yield Line(
            ts=wall(self.recorder, self.ended, self.offset),
            component="market",
            stage="candle",
            passed=self.failed is None,
            reason=None if self.failed is None else f"error:{self.failed}",
            payload=payload,
            **self.place(),
            **ids(self),
        )
        yield from super().lines()

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return self.market.candle_span_name

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
        """Gaps."""
        self.market.settle_arrivals()
        if self._step > 0:
            gap = StageEvent(semconv.EVENT_CANDLE_GAP, {semconv.CANDLE_GAP_COUNT: self._step}, self.started)
            return SpanEnd(events=(gap,))
        if self._step < 0:
            return SpanEnd(events=(StageEvent(semconv.EVENT_CANDLE_OUT_OF_ORDER, {}, self.started),))
        return NOTHING_MORE

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record the candle's instruments."""
        market = self.market
        handles = market.handles
        market.settle_arrivals()
        if self._step > 0:
            handles.gaps.add(1)
        received = self._received
        if received is None and self.recorder.market_now is WALL:
            received = (self.started + (self.offset or self.recorder.clock.offset())) * 1e-9
        if received is not None:
            _, closed = self.times()
            if closed is not None:
                # A clock behind the venue's would make it negative, which no histogram of durations takes.
                observe(handles.delay, max(0.0, received - closed))
        processing = handles.processing
        if self.failed is not None:
            labels = self.with_error(market.labels)
            self.recorder.reasons.count("error", self.failed)
            processing = self.recorder.histogram("candle.processing.duration", labels)
        observe(processing, (self.ended - self.started) * 1e-9)
        handles.processed.add(1)

    def happened(self) -> int:
        """Whether it failed."""
        return Happened.ERROR if self.failed else Happened.NOTHING

"""A candle: the root of what the bot did with one closed bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.trading._stage import Stage
from ticktrace.trading._time import Timestamp, iso_utc, unix_seconds
from ticktrace.trading.signal import Signal

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ticktrace.trading.market import Market

__all__ = ["Candle"]


class Candle(Stage):
    """The processing of one bar of a market; made by `Market.candle`.

    Records ``trading.candle.processing.duration``, ``trading.candle.delay``, ``trading.candle.gaps``,
    ``trading.candle.last_close.timestamp`` and ``trading.candles.processed``.
    """

    __slots__ = ("_context", "close_time", "market", "open_time")

    found_by_decorators = True

    def __init__(
        self,
        market: Market,
        open_time: Timestamp | None,
        close_time: Timestamp | None,
        context: Context | None,
    ) -> None:
        super().__init__(market._recorder)  # noqa: SLF001  the room shares its recorder
        self.market: Market = market
        self.open_time: Timestamp | None = open_time
        self.close_time: Timestamp | None = close_time
        self._context = context

    def signal(self, strategy: str) -> Signal:
        """A stage in which `strategy` looks at this candle; see `Signal`."""
        return Signal(self._recorder, self.market, strategy, self)

    def _open(self) -> None:
        market = self.market
        self._offset = self._recorder.clock.offset()
        attributes = dict(market.span_attributes)
        period = market.seconds
        opened = None if self.open_time is None else unix_seconds(self.open_time)
        closed = None if self.close_time is None else unix_seconds(self.close_time)
        if opened is None and closed is not None and period is not None:
            opened = closed - period
        if closed is None and opened is not None and period is not None:
            closed = opened + period
        if opened is not None:
            attributes[semconv.CANDLE_OPEN_TIME] = iso_utc(opened)
        if closed is not None:
            attributes[semconv.CANDLE_CLOSE_TIME] = iso_utc(closed)
            attributes[semconv.EVENT_TIME] = round(closed * 1e9)
        self._start(market.candle_span_name, attributes, context=self._context)
        if closed is not None:
            self._observe_time(closed)

    def _observe_time(self, closed: float) -> None:
        market = self.market
        handles = market.handles
        now = self._recorder.market_now
        if now is not None:
            handles.delay.record(max(0.0, now() - closed))
        missing = market.step_to(closed)
        if missing > 0:
            handles.gaps.add(1)
            self.span.add_event(semconv.EVENT_CANDLE_GAP, {semconv.CANDLE_GAP_COUNT: missing})
        elif missing < 0:
            self.span.add_event(semconv.EVENT_CANDLE_OUT_OF_ORDER)

    def _close(self) -> None:
        handles = self.market.handles
        handles.processing.record((self.ended - self.started) * 1e-9)
        handles.processed.add(1)

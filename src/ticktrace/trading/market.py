"""A market: one symbol on one venue in one timeframe, with its labels resolved once, off the hot path."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast, overload

from ticktrace import semconv
from ticktrace.engine import contained, warn_once
from ticktrace.trading._decorate import staged
from ticktrace.trading._handles import SignalHandles
from ticktrace.trading._recorder import WALL
from ticktrace.trading._stage import SpanStart, Stage
from ticktrace.trading._time import Timestamp, timeframe_seconds, unix_seconds
from ticktrace.trading._words import known
from ticktrace.trading.candle import Candle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context

    from ticktrace.engine import BoundCounter, BoundGauge, BoundHistogram
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.trading import Trading

__all__ = ["Market"]

P = ParamSpec("P")
R = TypeVar("R")

_new = object.__new__

# Only bars whose blocks never end could pile up; then the oldest are forgotten, and their gaps with them.
_MOST_ARRIVALS = 1_000

# One bar with a time in the future must not turn every later one into a latecomer.
_BARS_THAT_CORRECT = 3


class _Handles(NamedTuple):
    processing: BoundHistogram
    delay: BoundHistogram
    gaps: BoundCounter
    last_close: BoundGauge
    processed: BoundCounter
    buffer_update: BoundHistogram
    messages: BoundCounter
    last_message: BoundGauge


class BufferUpdate(Stage):
    """The time in which a bar or book is merged into the bot's own buffer; made by `Market.buffer_update`."""

    def __init__(self, market: Market) -> None:
        super().__init__(market.recorder)
        self._market = market

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return semconv.SPAN_BUFFER_UPDATE

    def span_start(self) -> SpanStart:
        """The span, with its market."""
        return SpanStart(self.span_name, self._market.span_attributes)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record how long it took."""
        observe(self._market.handles.buffer_update, (self.ended - self.started) * 1e-9)


class Market:
    """One symbol on one venue in one timeframe; made by `Trading.market`.

    Attributes:
        venue: exchange id, as on the metrics.
        symbol: the symbol as the bot names it. Metrics carry it only within the limit of the settings.
        timeframe: as ccxt writes it: ``1m``, ``4h``, ``1d``.
        seconds: the timeframe in seconds; None for a timeframe that is none, which turns gap detection off.
    """

    def __init__(self, trading: Trading, recorder: Recorder, venue: str, symbol: str, timeframe: str) -> None:
        self.trading = trading
        self.venue = venue
        self.symbol = symbol
        self.timeframe = timeframe
        self.seconds: int | None = timeframe_seconds(timeframe)
        self.recorder: Recorder = recorder
        self._last_close: float | None = None
        self._behind: deque[float] = deque(maxlen=_BARS_THAT_CORRECT)
        self._strategies: dict[str, SignalHandles] = {}
        self._settling = threading.Lock()
        # Bars in the order in which they came; whichever of them ends first settles what they mean for each other.
        self.arrivals: deque[Candle] = deque(maxlen=_MOST_ARRIVALS)
        if self.seconds is None:
            warn_once(
                "market.timeframe",
                "ticktrace: timeframe %r of %s is not like 1m, 4h or 1d; its gaps are not counted",
                timeframe,
                symbol,
            )
        self.labels: dict[str, Any] = {
            semconv.VENUE: recorder.words.venues.label(venue),
            semconv.SYMBOL: recorder.words.symbols.label(symbol),
            semconv.TIMEFRAME: recorder.words.timeframes.label(timeframe),
        }
        self.span_attributes: dict[str, Any] = {
            **recorder.labels,
            **self.labels,
            semconv.VENUE: venue,
            semconv.SYMBOL: symbol,
            semconv.TIMEFRAME: timeframe,
        }
        self.candle_span_name: str = f"{semconv.SPAN_CANDLE} {timeframe}"
        self.handles: _Handles = _Handles(
            processing=recorder.histogram("candle.processing.duration", self.labels),
            delay=recorder.histogram("candle.delay", self.labels),
            gaps=recorder.counter("candle.gaps", self.labels),
            last_close=recorder.gauge("candle.last_close.timestamp", self.labels),
            processed=recorder.counter("candles.processed", self.labels),
            buffer_update=recorder.histogram("buffer.update.duration", self.labels),
            messages=recorder.counter("stream.messages", self.labels),
            last_message=recorder.gauge("stream.last_message.timestamp", self.labels),
        )

    def strategy_labels(self, strategy: str) -> dict[str, Any]:
        """The labels of a strategy's instruments in this market."""
        return self.signal_handles(strategy).labels

    def signal_handles(self, strategy: str) -> SignalHandles:
        """A strategy's instruments in this market, bound once."""
        handles = self._strategies.get(strategy)
        if handles is None:
            named = self.recorder.words.strategies.label(strategy)
            handles = self._strategies.get(named)  # beyond the limit all share those of "other"
            if handles is None:
                labels = {**self.labels, semconv.STRATEGY_NAME: named}
                handles = SignalHandles(self.recorder, labels, self.trading.strategy(named))
                self._strategies[named] = handles
        return handles

    def candle(
        self,
        *,
        open_time: Timestamp | None = None,
        close_time: Timestamp | None = None,
        context: Context | None = None,
    ) -> Candle:
        """A stage for the processing of one closed bar.

        Args:
            open_time: when the bar opened; an aware datetime or Unix s, ms, µs or ns.
            close_time: when it closed; each follows from the other by the timeframe.
            context: the OTel context to continue, instead of the current one.
        """
        recorder = self.recorder
        if context is not None or recorder.market_now is not WALL:
            return Candle(self, open_time, close_time, context)
        candle = _new(Candle)  # field by field: a call of the class would cost as much again
        candle.recorder = recorder
        candle.market = self
        candle.above = None
        candle.queue = self.arrivals
        candle.started = 0
        candle.hooked = False
        candle.open_time = open_time
        candle.close_time = close_time
        return candle

    def buffer_update(self) -> BufferUpdate:
        """A stage for merging data into the bot's own buffer (``trading.buffer.update.duration``)."""
        return BufferUpdate(self)

    @contained(None)
    def message(self) -> None:
        """The stream of this market delivered something: it is alive."""
        handles = self.handles
        handles.messages.add(1)
        handles.last_message.set(self.recorder.clock.wall() * 1e-9)

    @contained(None)
    def disconnected(self, reason: str = "closed") -> None:
        """The stream of this market broke.

        Args:
            reason: closed, timeout, stale, network, shutdown or other.
        """
        cause = known(semconv.DisconnectReason, reason)
        labels = {**self.labels, semconv.DISCONNECT_REASON: cause}
        self.recorder.counter("stream.disconnects", labels).add(1)

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._settling = threading.Lock()

    def settle_arrivals(self) -> None:
        """Tell each bar that has come what is missing before it, in the order in which they came.

        Bars of one market may be processed side by side and end in any order, so the order of their ends says nothing.
        """
        if not self.arrivals:
            return
        with self._settling:
            while self.arrivals:
                candle = self.arrivals.popleft()
                _, closed = candle.times()
                if closed is not None:
                    candle.arrived(self._step_to(closed))

    def _step_to(self, closed: float) -> int:
        last = self._last_close
        if last is not None and closed <= last and not self._is_behind_for_good(closed, last):
            return -1
        self._behind.clear()
        self._last_close = closed
        self.handles.last_close.set(closed)
        if last is None or self.seconds is None:
            return 0
        return max(0, round((closed - last) / self.seconds) - 1)

    def _is_behind_for_good(self, closed: float, last: float) -> bool:
        """Whether the newest bar was a mistake: bars that are older than it, but follow each other, keep coming."""
        behind = self._behind
        if closed == last or (behind and closed <= behind[-1]):
            return False
        behind.append(closed)
        return len(behind) == behind.maxlen

    @overload
    def on_candle(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def on_candle(
        self, *, open_time: str = ..., close_time: str = ...
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def on_candle(  # type: ignore[misc]  # nothing in the second overload binds its ParamSpec
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        open_time: str = "open_time",
        close_time: str = "close_time",
    ) -> Any:
        """Decorate a handler, sync or async, so that each call of it is a `Candle`.

        The times are read from the first argument that has one of them, as an attribute or a key.

        Args:
            function: the handler, when the decorator is used without parentheses.
            open_time: the name under which the bar carries its opening time.
            close_time: the name under which it carries its closing time.
        """

        def stage(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Candle:
            opened = closed = None
            for argument in (*args, *kwargs.values()):
                opened = _field(argument, open_time)
                closed = _field(argument, close_time)
                if opened is not None or closed is not None:
                    break
            return self.candle(open_time=opened, close_time=closed)

        def decorate(handler: Callable[P, R]) -> Callable[P, R]:
            return staged(handler, stage)

        return decorate if function is None else decorate(function)


def _field(holder: object, name: str) -> Timestamp | None:
    try:
        value = holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)
        if value is not None:
            unix_seconds(value)
    except Exception:  # noqa: BLE001  an argument may be anything; one without usable times is no candle
        return None
    return cast("Timestamp | None", value)

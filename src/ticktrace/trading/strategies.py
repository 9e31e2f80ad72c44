"""Strategies: how long they think, how often they speak, and which of them are in use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from ticktrace import semconv
from ticktrace.engine import contained, report, text_of
from ticktrace.trading._decorate import staged
from ticktrace.trading._figures import whole
from ticktrace.trading.checks import finite
from ticktrace.trading.current import current_candle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.candle import Candle
    from ticktrace.trading.signal import Signal

__all__ = ["Evaluation", "Strategies", "Strategy"]

P = ParamSpec("P")
R = TypeVar("R")

_MINUTES = 60


class _Hour:
    """How many signals the last sixty minutes had: one number a minute, however many there are."""

    def __init__(self) -> None:
        self._counts = [0] * _MINUTES
        self._minute: int | None = None

    def add(self, minute: int, signals: int) -> int:
        """Count `signals` in a minute since 1970; returns how many the hour that ends with it had."""
        if self._minute is not None and self._minute - _MINUTES < minute < self._minute:
            # Told late, as the deferred engine does: it still belongs to its minute.
            self._counts[minute % _MINUTES] += signals
            return sum(self._counts)
        if self._minute is None or minute < self._minute:
            # A replay has begun again: what came after that time has not happened yet.
            self._counts = [0] * _MINUTES
        else:
            for passed in range(self._minute + 1, min(minute, self._minute + _MINUTES) + 1):
                self._counts[passed % _MINUTES] = 0
        self._minute = minute
        self._counts[minute % _MINUTES] += signals
        return sum(self._counts)


class _Use:
    """What is known of a strategy, or of all that share the label ``other``."""

    def __init__(self, recorder: Recorder, label: str) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._hour: _Hour | None = None
        self.labels: dict[str, Any] = {semconv.STRATEGY_NAME: label}
        self.active: bool | None = None

    def evaluated(self, seconds: float, labels: Mapping[str, Any], failed: str | None) -> None:
        self.noticed()
        recorder = self._recorder
        if not recorder.enabled:
            return
        try:
            if failed is not None:
                labels = {**labels, semconv.ERROR_TYPE: recorder.words.errors.label(failed)}
            recorder.histogram("strategy.evaluation.duration", labels).record(seconds)
            recorder.counter("strategy.evaluations", labels).add(1)
        except Exception as error:  # noqa: BLE001  the barrier
            report("strategy.evaluated", error)

    def noticed(self) -> None:
        if self.active is None:
            self.show(active=True)
        if self._hour is None:
            self.signaled(0)  # a strategy that has said nothing yet has the rate 0, not none

    @contained(None)
    def signaled(self, signals: int, at: float | None = None) -> None:
        recorder = self._recorder
        if not recorder.enabled:
            return
        now = recorder.market_seconds() if at is None else at
        with self._lock:
            if self._hour is None:
                self._hour = _Hour()
            within_hour = self._hour.add(int(now // 60), signals)
            recorder.gauge("strategy.signals.per_hour", self.labels).set(within_hour)

    def refresh(self) -> None:
        if self._hour is not None:
            self.signaled(0)

    @contained(None)
    def show(self, *, active: bool) -> None:
        self.active = active
        self._recorder.gauge("strategy.active", self.labels).set(int(active))

    def reset_lock(self) -> None:
        self._lock = threading.Lock()


class Evaluation:
    """One evaluation of a strategy; made by `Strategy.evaluation`. Use it in ``with`` or ``async with``.

    It has no span: the signal has. Inside a candle, write ``with strategy.signal(candle) as signal`` instead.
    """

    __slots__ = ("_labels", "_signals", "_started", "_strategy")

    def __init__(self, strategy: Strategy, labels: Mapping[str, Any]) -> None:
        self._strategy = strategy
        self._labels = labels
        self._started = 0
        self._signals = 0

    def emit(self, signals: int = 1) -> None:
        """The strategy wants to trade; the evaluation gave so many signals."""
        self._signals += whole(signals)

    def __enter__(self) -> Self:
        self._started, self._signals = self._strategy.now(), 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = (self._strategy.now() - self._started) * 1e-9
        failed = type(error).__qualname__ if isinstance(error, Exception) else None
        self._strategy.tell(seconds, self._labels, self._signals, failed)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class Strategy:
    """One strategy; made by `Trading.strategy`. Thread-safe.

    As a decorator of a function, sync or async, it makes an evaluation of each call, and a `Signal` where a candle is
    current. The function finds its signal with `ticktrace.trading.current_signal`.

    Records ``trading.strategy.evaluation.duration``, ``trading.strategy.evaluations``,
    ``trading.strategy.signals.per_hour`` and ``trading.strategy.active``.

    Attributes:
        name: as the bot calls it.
        now: the monotonic clock, ns.
    """

    def __init__(self, recorder: Recorder, name: str, use: _Use) -> None:
        self._recorder = recorder
        self._use = use
        self.name: str = name
        self.now: Callable[[], int] = recorder.clock.now

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, so that each call is an evaluation, and a signal of the current candle.

        Raises:
            TypeError: it is a generator, whose body runs long after the call has returned.
        """

        def stage(_args: Sequence[Any], _kwargs: Mapping[str, Any]) -> Signal | Evaluation:
            candle = current_candle()
            return self.evaluation() if candle is None else self.signal(candle)

        return staged(function, stage)

    def signal(self, candle: Candle) -> Signal:
        """An evaluation of a candle: ``with strategy.signal(candle) as signal``, the same as `Candle.signal`."""
        return candle.signal(self.name)

    def evaluation(self, *, symbol: str | None = None, timeframe: str | None = None) -> Evaluation:
        """An evaluation of whatever the strategy looks at, timed.

        Args:
            symbol: what it looks at, if it is one symbol; on metrics within the limit of the settings.
            timeframe: of the bars it looks at.
        """
        return Evaluation(self, self._labels(symbol, timeframe))

    def _labels(self, symbol: str | None, timeframe: str | None) -> dict[str, Any]:
        words, labels = self._recorder.words, dict(self._use.labels)
        if symbol is not None:
            labels[semconv.SYMBOL] = words.symbols.label(symbol)
        if timeframe is not None:
            labels[semconv.TIMEFRAME] = words.timeframes.label(timeframe)
        return labels

    def tell(self, seconds: float, labels: Mapping[str, Any], signals: int, failed: str | None) -> None:
        """An evaluation has ended. The first one puts the strategy in use, unless the bot has said otherwise."""
        self._use.evaluated(seconds, labels, failed)
        if signals:
            self._use.signaled(signals)

    @contained(None)
    def evaluated(
        self,
        seconds: float,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        signals: int = 0,
        failed: str | None = None,
    ) -> None:
        """An evaluation that the bot has timed itself has ended.

        Args:
            seconds: how long it took.
            symbol: what it looked at.
            timeframe: of the bars it looked at.
            signals: how many signals it gave.
            failed: the class of the exception that ended it.
        """
        took = finite(seconds)
        if took is not None:
            self.tell(max(0.0, took), self._labels(symbol, timeframe), whole(signals), failed)

    def noticed(self) -> None:
        """It was evaluated, and whoever says so has measured that. See `tell`."""
        self._use.noticed()

    def emitted(self, signals: int = 1, *, at: float | None = None) -> None:
        """The strategy gave so many signals.

        Args:
            signals: how many.
            at: when, Unix s of the market; its present by default, which a replay's clock tells.
        """
        self._use.signaled(whole(signals), at)

    def activate(self) -> None:
        """The strategy trades from now on."""
        self._use.show(active=True)

    def deactivate(self) -> None:
        """The strategy does not trade any more, even if it is still evaluated."""
        self._use.show(active=False)

    @property
    def active(self) -> bool:
        """Whether it trades: since its first evaluation, or as the bot has said."""
        return self._use.active is True


class Strategies:
    """What is known of the bot's strategies, by name. At most as many are kept as may have series of their own."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._uses: dict[str, _Use] = {}
        self._watching = False

    def get(self, name: str) -> Strategy:
        """The strategy of that name; those beyond the limit share what is known of ``other``."""
        name = text_of(name)
        label = self._recorder.words.strategies.label(name)
        use = self._uses.get(label)
        if use is None:
            use = self._uses.setdefault(label, _Use(self._recorder, label))
            self._watch()
        return Strategy(self._recorder, name, use)

    @contained(None)
    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._recorder.before_collection(self._refresh)

    def _refresh(self) -> None:
        """Time has passed: let the rates of strategies that fell silent fall."""
        for use in list(self._uses.values()):
            use.refresh()

    def reset_locks(self) -> None:
        """In a forked child, where a thread that held one does not exist."""
        for use in self._uses.values():
            use.reset_lock()

"""A cycle: one turn of the bot's main loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ticktrace import semconv
from ticktrace.engine import attempt, warn_once
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent
from ticktrace.trading._tell import tell
from ticktrace.trading.checks import finite

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.engine import EngineMonitor

__all__ = ["Cycle"]


class Cycle(Stage):
    """One turn of the bot's main loop; made by `EngineMonitor.cycle`. Use it in ``with`` or ``async with``.

    It has a span only where that was asked for: the candles in it are traces of their own, and a loop that polls all
    day is none.

    Records ``trading.engine.cycle.duration``, ``trading.engine.cycle.overruns``, and what the bot says of its
    positions, orders and signals.

    Attributes:
        state: the state it began in.
        budget: seconds it may take, or None.
    """

    started: int
    ended: int

    def __init__(
        self, engine: EngineMonitor, recorder: Recorder, *, budget: float | None, traced: bool
    ) -> None:
        super().__init__(recorder)
        self._engine = engine
        self._traced = traced
        self._signals: int | None = None
        self.budget: float | None = finite(budget)
        self.state: str = ""

    # What the bot says.

    def signals(self, count: int) -> None:
        """How many signals this turn had to work on; 0 counts as a cycle without one."""
        number = finite(count)
        self._signals = None if number is None else int(number)

    def positions(self, count: int) -> None:
        """How many positions are open."""
        self._engine.positions_open(count)

    def orders(self, count: int) -> None:
        """How many orders are open."""
        self._engine.orders_open(count)

    @property
    def overran(self) -> bool:
        """Whether it takes, or took, longer than its budget."""
        return self.budget is not None and self.seconds > self.budget

    # What follows from it.

    def __enter__(self) -> Self:
        if self._traced:
            if not self.started:
                self.state = self._engine.state
            return super().__enter__()
        # Without a span one object may serve every turn of a loop.
        self.state, self._signals, self.failed, self.ended = self._engine.state, None, None, 0
        self.started = self.recorder.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._traced:
            super().__exit__(kind, error, traceback)
            if not self.recorder.enabled:
                self._engine.heartbeat()  # its age is told while telemetry is off, too
            return
        self.ended = self.recorder.now()
        if isinstance(error, Exception):
            self.failed = type(error).__qualname__
        self.record()

    def tell_past(self, state: str, seconds: float) -> None:
        """It was timed by the bot: it began in `state`, took so long, and has just ended."""
        self.state = state
        self.ended = self.recorder.now()
        self.started = self.ended - round(seconds * 1e9)

    def record(self) -> None:
        """Record a turn without a span, which has just ended."""
        attempt("cycle", lambda: self.leaving(None))
        if self.recorder.enabled:
            attempt("cycle", lambda: self.measure(_record))
            overrun = self._overrun()
            if overrun is not None:
                attempt("cycle", lambda: tell(overrun.name, overrun.attributes))

    def leaving(self, error: BaseException | None) -> None:  # noqa: ARG002  the hook of a stage
        """The engine is alive now, not when the drain gets to it."""
        self._engine.heartbeat()

    def span_start(self) -> SpanStart:
        """The span, with the state."""
        label = self._engine.label(self.state)
        attributes = {**self.recorder.labels, semconv.ENGINE_STATE: label}
        return SpanStart(f"{semconv.SPAN_CYCLE} {label}", attributes)

    def span_end(self) -> SpanEnd:
        """The overrun, where it was one."""
        overrun = self._overrun()
        return SpanEnd(events=() if overrun is None else (overrun,))

    def _overrun(self) -> StageEvent | None:
        if not self.overran:
            return None
        attributes = {
            semconv.ENGINE_STATE: self._engine.label(self.state),
            semconv.ELAPSED: self.seconds,
            semconv.ELAPSED_LIMIT: float(self.budget or 0.0),
        }
        return StageEvent(semconv.EVENT_CYCLE_OVERRUN, attributes, self.ended)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record how long it took, whether that was too long, and how many signals it had."""
        labels: dict[str, Any] = {semconv.ENGINE_STATE: self._engine.label(self.state)}
        recorder = self.recorder
        observe(recorder.histogram("engine.cycle.duration", self.with_error(labels)), max(0.0, self.seconds))
        if self.overran:
            recorder.counter("engine.cycle.overruns", labels).add(1)
            warn_once(
                f"cycle.overrun.{self.state:.40}",
                "ticktrace: a cycle in state %r took %.3f s; its budget is %s s",
                self.state,
                self.seconds,
                self.budget,
            )
        if self._signals is not None:
            self._engine.signals_active(self._signals)


def _record(histogram: BoundHistogram, value: float) -> None:
    histogram.record(value)

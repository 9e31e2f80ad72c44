"""The bot's engine: its state, its cycles and its heartbeat."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.engine import contained, text_of, warn_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ticktrace.engine import Clock
    from ticktrace.trading._recorder import Recorder

__all__ = ["Cycle", "EngineMonitor"]


class Cycle:
    """One turn of the bot's main loop; made by `EngineMonitor.cycle`. Use it in ``with`` or ``async with``.

    It has no span: the candles in it are traces of their own, and a loop that polls all day is none.
    """

    __slots__ = ("_engine", "_started", "_state")

    def __init__(self, engine: EngineMonitor) -> None:
        self._engine = engine
        self._started = 0
        self._state = ""

    def __enter__(self) -> Self:
        self._state = self._engine.state
        self._started = self._engine.clock.now()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.cycle_ended(self._state, (self._engine.clock.now() - self._started) * 1e-9)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class EngineMonitor:
    """Watches the bot's state machine; made by `Trading.engine`. Thread-safe.

    Records ``trading.engine.state`` (one series a state, 0 or 1), ``trading.engine.state.transitions``,
    ``trading.engine.cycle.duration``, ``trading.engine.uptime``, ``trading.engine.heartbeat.timestamp``,
    ``trading.engine.positions.open`` and ``trading.engine.orders.open``.

    Attributes:
        state: the state in force.
        states: all states that were declared.
        clock: the clock that cycles are timed with.
    """

    def __init__(
        self,
        recorder: Recorder,
        states: Sequence[str],
        initial: str,
        transitions: Mapping[str, Sequence[str]] | None,
    ) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self.clock: Clock = recorder.clock
        self._started = self.clock.now()
        self._legal = (
            None
            if transitions is None
            else {
                text_of(state): frozenset(map(text_of, following)) for state, following in transitions.items()
            }
        )
        self.state: str = text_of(initial)
        self.states: tuple[str, ...] = tuple(dict.fromkeys((*map(text_of, states), self.state)))
        self._gauges = {
            state: recorder.gauge("engine.state", {semconv.ENGINE_STATE: state}) for state in self.states
        }
        self._show()

    @contained(None)
    def _show(self) -> None:
        for state, gauge in self._gauges.items():
            gauge.set(int(state == self.state))
        self.heartbeat()

    def transition(self, to: str, reason: str = "") -> None:
        """The engine enters another state.

        A state that was not declared, or a step that is not among the declared transitions, is followed all the same,
        because the bot decides what it is; it is said in the log and marked on the span.

        Args:
            to: the state entered.
            reason: free text, on the span only.
        """
        to = text_of(to)
        with self._lock:
            before, self.state = self.state, to
            if self._recorder.enabled:
                self._show()  # under the lock, lest two transitions at once leave two states at 1
        if self._recorder.enabled:
            self._record_transition(before, to, reason)

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()

    @contained(None)
    def _record_transition(self, before: str, to: str, reason: str) -> None:
        legal = to in self._gauges and (self._legal is None or to in self._legal.get(before, ()))
        if to not in self._gauges:
            warn_once(f"engine.state.{to!s:.40}", "ticktrace: engine state %r was not declared", to)
        elif not legal:
            warn_once(
                f"engine.transition.{before!s:.40}.{to!s:.40}",
                "ticktrace: the engine went from %r to %r, which is not a declared transition",
                before,
                to,
            )
        # Only declared states become label values: whatever an application passes here must not make series.
        labels = {
            semconv.ENGINE_TRANSITION_FROM: before if before in self._gauges else semconv.OTHER,
            semconv.ENGINE_TRANSITION_TO: to if to in self._gauges else semconv.OTHER,
        }
        self._recorder.counter("engine.state.transitions", labels).add(1)
        attributes: dict[str, str | bool] = {**labels, semconv.ENGINE_TRANSITION_LEGAL: legal}
        if reason:
            attributes[semconv.ENGINE_TRANSITION_REASON] = reason
        get_current_span().add_event(semconv.EVENT_ENGINE_TRANSITION, attributes)

    def cycle(self) -> Cycle:
        """One turn of the main loop, timed. A heartbeat is recorded at its end."""
        return Cycle(self)

    @contained(None)
    def cycle_ended(self, state: str, seconds: float) -> None:
        """A turn of the main loop that began in `state` took so long."""
        if self._recorder.enabled:
            labels = {semconv.ENGINE_STATE: state if state in self._gauges else semconv.OTHER}
            self._recorder.histogram("engine.cycle.duration", labels).record(seconds)
            self.heartbeat()

    @contained(None)
    def heartbeat(self) -> None:
        """The engine is alive: sets the time of the last heartbeat and the uptime."""
        recorder = self._recorder
        if not recorder.enabled:
            return
        recorder.gauge("engine.heartbeat.timestamp", {}).set(recorder.clock.wall() * 1e-9)
        recorder.gauge("engine.uptime", {}).set((recorder.clock.now() - self._started) * 1e-9)

    @contained(None)
    def positions_open(self, count: int) -> None:
        """How many positions are open now."""
        self._recorder.gauge("engine.positions.open", {}).set(count)

    @contained(None)
    def orders_open(self, count: int) -> None:
        """How many orders are open now."""
        self._recorder.gauge("engine.orders.open", {}).set(count)

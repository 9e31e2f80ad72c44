"""The bot's engine: its state, its cycles and its heartbeat."""

from __future__ import annotations

import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import contained, text_of, warn_once
from ticktrace.trading._figures import result_labels
from ticktrace.trading._tell import tell
from ticktrace.trading.checks import finite
from ticktrace.trading.cycle import Cycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.engine import Clock
    from ticktrace.trading._recorder import Recorder

__all__ = ["EngineMonitor", "State"]

State = str | Enum
"""A state as the bot has it: its name, or a member of an enumeration."""


def _word(state: State) -> str:
    """The name of a state: itself, or a member's value where that is text, else the member's name."""
    if isinstance(state, Enum):
        return state.value if isinstance(state.value, str) else state.name
    return text_of(state)


class EngineMonitor:
    """Watches the bot's state machine; made by `Trading.engine`. Thread-safe.

    Records ``trading.engine.state`` (one series a state, 0 or 1), ``trading.engine.state.transitions``,
    ``trading.engine.state.illegal_transitions``, ``trading.engine.state.duration``, ``trading.engine.cycle.duration``,
    ``trading.engine.cycle.overruns``, ``trading.engine.uptime``, ``trading.engine.heartbeat.timestamp``,
    ``trading.engine.positions.open``, ``trading.engine.orders.open``, ``trading.engine.signals.active`` and
    ``trading.engine.cycles.without_signal``.

    Attributes:
        state: the state in force, as the bot named it.
        states: all states that were declared.
        cycle_budget: seconds that a cycle may take; None for as long as it likes.
        clock: the clock that cycles are timed with.
    """

    def __init__(
        self,
        recorder: Recorder,
        states: Iterable[State],
        initial: State,
        transitions: Mapping[Any, Iterable[State]] | None,
        *,
        cycle_budget: float | None = None,
    ) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self.clock: Clock = recorder.clock
        self._started = self._entered = self._beat = self.clock.now()
        self._quiet_cycles = 0
        self.cycle_budget: float | None = cycle_budget
        self.state: str = _word(initial)
        self.states: tuple[str, ...] = tuple(dict.fromkeys((*map(_word, states), self.state)))
        self._declared = {state.casefold(): state for state in reversed(self.states)}
        self._legal = None if transitions is None else self._legal_steps(transitions)
        self._gauges = {
            state: recorder.gauge("engine.state", {semconv.ENGINE_STATE: state}) for state in self.states
        }
        self._show()

    def _legal_steps(self, transitions: Mapping[Any, Iterable[State]]) -> dict[str, frozenset[str]]:
        steps: dict[str, frozenset[str]] = {}
        for state, following in transitions.items():
            words = [_word(state), *map(_word, following)]
            for word in words:
                if self.label(word) == semconv.OTHER and word != semconv.OTHER:
                    warn_once(
                        f"engine.transitions.{word:.40}",
                        "ticktrace: the transitions name the engine state %r, which is none of %s",
                        word,
                        ", ".join(self.states),
                    )
            labels = list(map(self.label, words))
            steps[labels[0]] = frozenset(labels[1:])
        return steps

    def label(self, state: str) -> str:
        """What stands for `state` on metrics: the declared state of that name, in whatever case, else ``other``."""
        return state if state in self.states else self._declared.get(state.casefold(), semconv.OTHER)

    @contained(None)
    def _show(self) -> None:
        present = self.label(self.state)
        for state, gauge in self._gauges.items():
            gauge.set(int(state == present))
        self.heartbeat()

    # --- states ------------------------------------------------------------------------------------------------------

    def transition(self, to: State, reason: str = "") -> bool:
        """The engine enters another state; to stay in the present one is no transition, unless it was declared as one.

        A state that was not declared, or a step that is not among the declared transitions, is followed all the same,
        because the bot decides what it is. It is counted, said in the log once a minute, and marked on the span.

        Args:
            to: the state entered.
            reason: free text, on the span only.

        Returns:
            Whether the step was declared; also while telemetry is off.
        """
        state = _word(to)
        with self._lock:
            before, left = self.state, self.label(self.state)
            entered = self.label(state)
            legal = entered in self._gauges and (
                self._legal is None or entered in self._legal.get(left, frozenset())
            )
            if state.casefold() == before.casefold() and (self._legal is None or not legal):
                return entered in self._gauges
            now = self.clock.now()
            seconds, self._entered = (now - self._entered) * 1e-9, now
            self.state = state
            if self._recorder.enabled:
                self._show()  # under the lock, lest two transitions at once leave two states at 1
        if self._recorder.enabled:
            self._record_transition(before, state, legal=legal, seconds=seconds, reason=reason)
        return legal

    @property
    def state_seconds(self) -> float:
        """How long the engine has been in its present state."""
        return (self.clock.now() - self._entered) * 1e-9

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()

    @contained(None)
    def _record_transition(self, before: str, to: str, *, legal: bool, seconds: float, reason: str) -> None:
        # Only declared states become label values: whatever an application passes here must not make series.
        left, entered = self.label(before), self.label(to)
        labels = {semconv.ENGINE_TRANSITION_FROM: left, semconv.ENGINE_TRANSITION_TO: entered}
        recorder = self._recorder
        recorder.counter("engine.state.transitions", labels).add(1)
        recorder.histogram("engine.state.duration", {semconv.ENGINE_STATE: left}).record(seconds)
        if not legal:
            recorder.counter("engine.state.illegal_transitions", labels).add(1)
            self._say_illegal(before, to)
        attributes: dict[str, str | bool | float] = {
            **labels,
            semconv.ENGINE_TRANSITION_LEGAL: legal,
            semconv.ELAPSED: seconds,
        }
        if reason:
            attributes[semconv.ENGINE_TRANSITION_REASON] = text_of(reason)
        tell(semconv.EVENT_ENGINE_TRANSITION, attributes)

    def _say_illegal(self, before: str, to: str) -> None:
        if self.label(to) not in self._gauges:
            warn_once(f"engine.state.{to:.40}", "ticktrace: engine state %r was not declared", to)
        else:
            warn_once(
                f"engine.transition.{before:.40}.{to:.40}",
                "ticktrace: the engine went from %r to %r, which is not a declared transition",
                before,
                to,
            )

    # --- cycles ------------------------------------------------------------------------------------------------------

    def cycle(self, *, budget: float | None = None, span: bool = False) -> Cycle:
        """One turn of the main loop, timed. A heartbeat is recorded at its end.

        Args:
            budget: seconds it may take; what is longer is counted, and said. The engine's `cycle_budget` by default.
            span: whether it is a span ``cycle {state}``, the root of all that the turn sets off. Candles are traces
                of their own otherwise, which suits bots that wait for bars; bots that poll want their turns.
        """
        return Cycle(
            self, self._recorder, budget=self.cycle_budget if budget is None else budget, traced=span
        )

    @contained(None)
    def record_cycle(
        self,
        seconds: float,
        *,
        state: State | None = None,
        positions: int | None = None,
        signals: int | None = None,
        orders: int | None = None,
    ) -> None:
        """A turn of the main loop that the bot has timed itself is over; a heartbeat, too.

        Args:
            seconds: how long it took.
            state: the state it began in; the present one by default.
            positions: how many positions are open.
            signals: how many signals it had to work on.
            orders: how many orders are open.
        """
        cycle = Cycle(self, self._recorder, budget=self.cycle_budget, traced=False)
        took = finite(seconds)
        if took is None:
            return
        cycle.tell_past(self.state if state is None else _word(state), took)
        if positions is not None:
            cycle.positions(positions)
        if signals is not None:
            cycle.signals(signals)
        if orders is not None:
            cycle.orders(orders)
        cycle.record()

    @contained(None)
    def heartbeat(self) -> None:
        """The engine is alive: sets the time of the last heartbeat and the uptime."""
        recorder = self._recorder
        self._beat = self.clock.now()
        if not recorder.enabled:
            return
        recorder.gauge("engine.heartbeat.timestamp", {}).set(self.clock.wall() * 1e-9)
        recorder.gauge("engine.uptime", {}).set((self._beat - self._started) * 1e-9)

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the last heartbeat, also while telemetry is off."""
        return (self.clock.now() - self._beat) * 1e-9

    def is_stale(self, after: float = 60.0) -> bool:
        """Whether the last heartbeat is longer ago than `after` seconds; for a health page, say."""
        return self.heartbeat_age > after

    # --- what it has to do -------------------------------------------------------------------------------------------

    @contained(None)
    def positions_open(self, count: int, *, venue: str | None = None) -> None:
        """How many positions are open now, in all or at one venue."""
        self._set("engine.positions.open", count, venue)

    @contained(None)
    def orders_open(self, count: int, *, venue: str | None = None) -> None:
        """How many orders are open now, in all or at one venue."""
        self._set("engine.orders.open", count, venue)

    def _set(self, name: str, count: int, venue: str | None) -> None:
        number = finite(count)
        if number is not None:
            self._recorder.gauge(name, result_labels(self._recorder.words, venue=venue)).set(number)

    @contained(None)
    def signals_active(self, count: int) -> None:
        """How many signals the engine had to work on in the cycle that has just ended."""
        with self._lock:
            self._quiet_cycles = 0 if count > 0 else self._quiet_cycles + 1
            quiet = self._quiet_cycles
        self._recorder.gauge("engine.signals.active", {}).set(count)
        self._recorder.gauge("engine.cycles.without_signal", {}).set(quiet)

"""The bot's own machinery: its engine, scanners, strategies, risk, positions, and the buses between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ticktrace.engine import text_of
from ticktrace.trading.bus import EventBus, ObservedBus, ThreadedEventBus
from ticktrace.trading.compliance import Compliance
from ticktrace.trading.engine import EngineMonitor
from ticktrace.trading.positions import Positions
from ticktrace.trading.risk import Risk
from ticktrace.trading.scanner import Scanner
from ticktrace.trading.strategies import Strategies, Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ticktrace.propagation import Relation
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.bus import OnError, Overflow
    from ticktrace.trading.engine import State

__all__ = ["Machinery"]

B = TypeVar("B", EventBus, ThreadedEventBus, ObservedBus)

_SLOW_HANDLER = 0.1
_BUS_CAPACITY = 10_000


class Machinery:
    """The part of `Trading` that is about how the bot works.

    Attributes:
        risk: checks and their verdicts, limits, stops and targets, sizes.
        positions: open positions, exposure, and what the venue has.
        compliance: day trades and cash accounts.
        strategies: what is known of the bot's strategies.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._monitors: WeakSet[EngineMonitor] = WeakSet()
        self._buses: WeakSet[EventBus | ThreadedEventBus | ObservedBus] = WeakSet()
        self._watching_buses = False
        self.risk: Risk = Risk(recorder)
        self.positions: Positions = Positions(recorder)
        self.compliance: Compliance = Compliance(recorder, self.risk)
        self.strategies: Strategies = Strategies(recorder)

    def engine(
        self,
        *,
        states: Iterable[State] = ("idle", "scanning", "signal_wait", "managing"),
        initial: State = "idle",
        transitions: Mapping[Any, Iterable[State]] | None = None,
        cycle_budget: float | None = None,
    ) -> EngineMonitor:
        """Watch the bot's state machine.

        Args:
            states: every state it can be in: names, or an enumeration.
            initial: the one it starts in.
            transitions: from each state to which; every step is legal when left out.
            cycle_budget: seconds that one turn of its main loop may take; those that take longer are counted.
        """
        monitor = EngineMonitor(self._recorder, states, initial, transitions, cycle_budget=cycle_budget)
        self._monitors.add(monitor)
        return monitor

    def scanner(self, name: str, *, venue: str | None = None) -> Scanner:
        """Watch a scanner; `name` is one of few, `venue` where its symbols are traded."""
        return Scanner(self._recorder, text_of(name), venue)

    def strategy(self, name: str) -> Strategy:
        """Watch a strategy: decorate its function with the result, or write blocks with `Strategy.signal`."""
        return self.strategies.get(name)

    def event_bus(
        self,
        name: str = "events",
        *,
        capacity: int = _BUS_CAPACITY,
        overflow: Overflow = "wait",
        workers: int = 1,
        slow_after: float | None = _SLOW_HANDLER,
        relation: Relation = "parent",
        spans: bool = False,
        on_error: OnError | None = None,
    ) -> EventBus:
        """An event bus on the asyncio loop, observed.

        Args:
            name: of the bus, and of the queue that handlers share unless they ask for another.
            capacity: how many events may wait in a queue.
            overflow: what happens when one is full: ``wait`` (the publisher), ``drop_newest`` or ``drop_oldest``.
            workers: how many events of a queue are handled side by side; with 1 they keep their order.
            slow_after: seconds after which a handler's call counts as slow; None for never.
            relation: ``parent`` lets handlers work below the span under which their event was published, ``link`` in
                traces of their own that link to it.
            spans: whether each call of a handler is a span ``handle {event type}``. One that fails or is slow always is.
            on_error: is told what handlers raise: the exception, the event and the handler's name. By default that is
                logged, once a minute for each handler.

        Raises:
            ValueError: `capacity` or `workers` is below 1, or `overflow` or `relation` is none of the above.
        """
        return self._watched(
            EventBus(
                self._recorder,
                name,
                capacity=capacity,
                overflow=overflow,
                workers=workers,
                slow_after=slow_after,
                relation=relation,
                spans=spans,
                on_error=on_error,
            )
        )

    def threaded_event_bus(
        self,
        name: str = "events",
        *,
        capacity: int = _BUS_CAPACITY,
        overflow: Overflow = "wait",
        workers: int = 1,
        slow_after: float | None = _SLOW_HANDLER,
        relation: Relation = "parent",
        spans: bool = False,
        on_error: OnError | None = None,
    ) -> ThreadedEventBus:
        """An event bus on threads, observed; everything as for `event_bus`, with `workers` threads for each queue."""
        return self._watched(
            ThreadedEventBus(
                self._recorder,
                name,
                capacity=capacity,
                overflow=overflow,
                workers=workers,
                slow_after=slow_after,
                relation=relation,
                spans=spans,
                on_error=on_error,
            )
        )

    def observe_bus(
        self,
        bus: object | None = None,
        *,
        publish: str | Sequence[str] = "publish",
        subscribe: str | Sequence[str] = "subscribe",
        unsubscribe: str | Sequence[str] = "unsubscribe",
        name: str = "events",
        event_type: Callable[[Any], str] | None = None,
        depth: Callable[[], int] | None = None,
        slow_after: float | None = _SLOW_HANDLER,
        relation: Relation = "parent",
        spans: bool = False,
    ) -> ObservedBus:
        """Observe a bus that the bot has already. Call this before handlers subscribe.

        Args:
            bus: the bus, whose methods are wrapped, on this object alone. Without one nothing is, and you wrap what
                publishes and what handles with the result's `publishing` and `handling`.
            publish: the method, or methods, that publish; their last argument is the event.
            subscribe: those that subscribe a handler, in whatever place; the handler's last argument is the event.
            unsubscribe: those that end that; left alone where the bus has none.
            name: of the queue, on metrics.
            event_type: what an event is called, one of few; its class by default, or its topic where it is a plain
                dict, text or number.
            depth: how many events wait; asked when metrics are read, on another thread. Not measured by default.
            slow_after: seconds after which a handler's call counts as slow; None for never.
            relation: as for `event_bus`.
            spans: as for `event_bus`.

        Raises:
            TypeError: the bus lacks such a method, or does not let its methods be replaced.
        """
        observed = ObservedBus(
            self._recorder,
            name,
            event_type=event_type,
            depth=depth,
            slow_after=slow_after,
            relation=relation,
            spans=spans,
        )
        if bus is not None:
            observed.patch(bus, _names(publish), _names(subscribe), _names(unsubscribe))
        return self._watched(observed)

    def _watched(self, bus: B) -> B:
        self._buses.add(bus)
        if not self._watching_buses:
            self._watching_buses = True
            self._recorder.before_collection(self._refresh_buses)
        return bus

    def _refresh_buses(self) -> None:
        for bus in list(self._buses):
            bus.refresh()

    def _restart_machinery(self) -> None:
        """In a forked child: the parent's threads do not exist there, and its locks may be held for ever."""
        for monitor in self._monitors:
            monitor.reset_lock()
        self.risk.reset_lock()
        self.positions.reset_lock()
        self.strategies.reset_locks()
        for bus in self._buses:
            bus.after_fork()


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)

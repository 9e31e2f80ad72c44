"""A collector of declared events: `record_start`, `record_end`, counters, gauges, histograms, and their statistics."""

from __future__ import annotations

from enum import Enum, StrEnum
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from ticktrace import measuring
from ticktrace.catalog import CATALOG, InstrumentSpec, Kind
from ticktrace.engine import report, text_of, warn_once
from ticktrace.measuring import NAMES, Measure, current_target, duration_of, is_duration, keys_of, site_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping

    from ticktrace.measuring import Duration, Stats

__all__ = ["EventID", "MetricsCollector", "measure", "measure_async"]

R = TypeVar("R")

_MEASURED: Final = CATALOG["ticktrace.measure.duration"]
_NS: Final = 1e9


class EventID(StrEnum):
    """The events of earlier collectors, each with the instrument that records it."""

    CANDLE_PROCESSING = "trading.candle.processing.duration"
    BUFFER_UPDATE = "trading.buffer.update.duration"
    SIGNAL_GENERATION = "trading.signal.generation.duration"
    ORDER_EXECUTION = "trading.trade.execution.duration"
    ORDER_PREP = "trading.order.prepare.duration"
    ORDER_SUBMIT = "trading.order.submit.duration"
    ORDER_FILL = "trading.order.fill.duration"
    ORDERS_SUBMITTED = "trading.orders.submitted"
    EVENT_BUS_PUBLISH = "trading.event_bus.publish.duration"
    EVENT_BUS_HANDLE = "trading.event_bus.handle.duration"
    QUEUE_BACKLOG = "trading.event_bus.queue.depth"
    GC_PAUSE = "python.gc.pause.duration"


def _name_of(event: object) -> str:
    """What to record an event as: an instrument, where its value or its name is known as one, else a name of its own."""
    if not isinstance(event, Enum):
        text = text_of(event)
        return EventID[text].value if text in EventID.__members__ else text
    if isinstance(event.value, str) and NAMES.get(event.value) is not None:
        return event.value
    if event.name in EventID.__members__:
        return EventID[event.name].value
    return event.name.lower()


class MetricsCollector:
    """Records events that were declared beforehand, in nanoseconds as `time.perf_counter_ns` counts them.

    It holds no data, so any number of them may be made: what one records, all of them tell. Nothing in it raises once it is
    made.

    Args:
        events: the declared events, an enumeration. A member whose value is the name of an instrument, by any of its names,
            is recorded there; one that is called like a member of `EventID`, as that; any other is a duration of a piece of
            code with the member's name in lower case (``ticktrace.measure.duration``).
    """

    def __init__(self, events: type[Enum] = EventID) -> None:
        self._events: dict[object, str] = {}
        self._names: dict[str, str] = {}
        for event in events:
            name = _name_of(event)
            self._names[event.name] = name
            for known in (event, event.name, event.value):
                self._events.setdefault(known, name)
        self._durations: dict[str, Duration] = {}

    def record_start(self, event: object) -> int:  # noqa: ARG002  as the styles that it stands for have it
        """An event begins.

        Returns:
            The clock, ns; to be given to `record_end`. Nothing is held meanwhile.
        """
        return perf_counter_ns()

    def record_end(
        self, event: object, started: int, error: BaseException | None = None, /, **labels: Any
    ) -> None:
        """An event has ended.

        Args:
            event: a declared event: the member, its name or its value.
            started: what `record_start` returned; 0 records nothing, as for one that was not sampled.
            error: the exception that ended it, for ``error.type``.
            labels: see `ticktrace.measure`.
        """
        ended = perf_counter_ns()
        if not started:
            return
        try:
            name = self._declared(event)
            if name is None:
                return
            duration = self._durations.get(name) if not labels else None
            if duration is None:
                duration = duration_of(name, labels)
                if not labels:
                    self._durations[name] = duration
            seconds = (ended - started) * 1e-9
            if error is None:
                duration.write(seconds)
            else:
                duration.failed(seconds, error)
        except Exception as fault:  # noqa: BLE001  the barrier
            report("collector.end", fault)

    def record_counter(self, event: object, amount: float = 1, /, **labels: Any) -> None:
        """Add to a counter."""
        self._write(event, amount, labels, (Kind.COUNTER, Kind.UP_DOWN_COUNTER))

    def record_gauge(self, event: object, value: float, /, **labels: Any) -> None:
        """Set a gauge."""
        self._write(event, value, labels, (Kind.GAUGE,))

    def record_histogram(self, event: object, value: float, /, **labels: Any) -> None:
        """Record a value on a histogram: a duration in nanoseconds, anything else in the instrument's unit."""
        self._write(event, value, labels, (Kind.HISTOGRAM,))

    def get_statistics(self, window: float | None = None) -> dict[str, dict[str, float]]:
        """What was recorded lately, by the name of the event; events without values are left out.

        Args:
            window: only the last so many seconds; all values that are kept by default.

        Returns:
            For each histogram ``count``, ``mean``, ``min``, ``max``, ``latest``, ``p50``, ``p95``, ``p99`` and ``p99.9``; of
            durations in nanoseconds, with ``_ns`` behind the name.
        """
        target = current_target()
        if target is None:
            return {}
        found: dict[str, dict[str, float]] = {}
        for event, name in self._names.items():
            spec = self._spec(name)
            if spec.kind is Kind.HISTOGRAM:
                stats = target.statistics.of(name, window=window, settle=not found)
                if stats.count:
                    found[event] = _figures(stats, in_nanoseconds=spec.unit == "s")
        return found

    def _declared(self, event: object) -> str | None:
        try:
            return self._events[event]
        except (KeyError, TypeError):
            warn_once(
                f"collector.{event!s:.40}",
                "ticktrace: event %r is not declared and not recorded; declared: %s",
                event,
                ", ".join(self._names),
            )
            target = current_target()
            if target is not None:
                target.dropped("undeclared_event")
            return None

    @staticmethod
    def _spec(name: str) -> InstrumentSpec:
        return NAMES.get(name) or _MEASURED

    def _write(self, event: object, value: float, labels: Mapping[str, Any], kinds: tuple[Kind, ...]) -> None:
        try:
            name = self._declared(event)
            if name is None:
                return
            spec = self._spec(name)
            if spec.kind not in kinds:
                warn_once(
                    f"collector.{name}.{kinds[0]}",
                    "ticktrace: %s is recorded on %s, a %s, and not as a %s; declare the event with another instrument",
                    name,
                    spec.name,
                    spec.kind.value.replace("_", "-"),
                    kinds[0].value,
                )
                return
            if is_duration(spec):
                duration_of(name, labels).write(value / _NS)
            else:
                site_of(spec, keys_of(spec, labels, "collector")).write(value)
        except Exception as fault:  # noqa: BLE001  the barrier; a value may be any object
            report("collector.write", fault)


def _figures(stats: Stats, *, in_nanoseconds: bool) -> dict[str, float]:
    figures = {
        "mean": stats.mean,
        "min": stats.min,
        "max": stats.max,
        "latest": stats.latest,
        **{f"p{percent:g}": value for percent, value in stats.percentiles.items()},
    }
    if in_nanoseconds:
        figures = {f"{name}_ns": value * _NS for name, value in figures.items()}
    return {"count": stats.count, **figures}


def measure(event: str | Enum, /, **attributes: Any) -> Measure:
    """As `ticktrace.measure`, also for events of any enumeration.

    Example:
        >>> from ticktrace.compat import EventID, measure
        >>> with measure(EventID.ORDER_EXECUTION):
        ...     pass
    """
    return measuring.measure(event if type(event) is str else _name_of(event), **attributes)


@overload
def measure_async(
    event: str | Enum, awaitable: Awaitable[R], /, **attributes: Any
) -> Coroutine[Any, Any, R]: ...
@overload
def measure_async(event: str | Enum, /, **attributes: Any) -> Measure: ...
def measure_async(
    event: str | Enum, awaitable: Awaitable[R] | None = None, /, **attributes: Any
) -> Coroutine[Any, Any, R] | Measure:
    """As `ticktrace.measure_async`: ``@measure_async(EventID.CANDLE_PROCESSING)`` above a coroutine function."""
    name = _name_of(event)
    if awaitable is None:
        return measuring.measure(name, **attributes)
    return measuring.measure_async(name, awaitable, **attributes)

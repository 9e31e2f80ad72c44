"""What ticktrace tells of itself: what waits, what it costs, and how many series there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.catalog import CATALOG, Kind
from ticktrace.engine import DeferredEngine, Overhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions

    from ticktrace.engine import Instruments, SdkEngine

__all__ = ["watch"]


def watch(engine: SdkEngine, instruments: Instruments) -> None:
    """Have the readers of an engine ask how it is, and the drain say how long its passes take."""
    meter = engine.meter_provider.get_meter("ticktrace", __version__)

    def observe(name: str, ask: Callable[[], Iterable[Observation]]) -> None:
        spec = CATALOG[name]
        create = (
            meter.create_observable_counter if spec.kind is Kind.COUNTER else meter.create_observable_gauge
        )

        def answer(_: CallbackOptions) -> Iterable[Observation]:
            return ask()

        create(spec.name, [answer], spec.unit, spec.description)

    def backlog() -> Iterable[Observation]:
        return _by(semconv.TELEMETRY_BUFFER_NAME, engine.backlog())

    def series() -> Iterable[Observation]:
        return _by(semconv.TELEMETRY_INSTRUMENT_NAME, engine.series_count())

    observe("ticktrace.backlog", backlog)
    observe("ticktrace.series", series)
    if not isinstance(engine, DeferredEngine):
        overhead = Overhead(lambda: 0.0, lambda: 0.0)
        observe("ticktrace.overhead.ratio", lambda: [Observation(overhead.ratio())])
        return
    drain = engine.drain
    overhead = Overhead(lambda: drain.inline_cpu_seconds, lambda: drain.cpu_seconds)

    def overflow() -> Iterable[Observation]:
        return _by(semconv.TELEMETRY_INSTRUMENT_NAME, engine.overflow_count())

    observe("ticktrace.overhead.ratio", lambda: [Observation(overhead.ratio())])
    observe("ticktrace.drain.cpu.time", lambda: [Observation(drain.cpu_seconds)])
    observe("ticktrace.series.overflow", overflow)
    drain.on_pass = instruments.histogram("ticktrace.drain.duration", {}).record


def _by(attribute: str, numbers: Mapping[str, int]) -> Iterable[Observation]:
    return [Observation(number, {attribute: name}) for name, number in numbers.items()]

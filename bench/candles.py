"""The candle pipeline through ticktrace.trading: dropped and kept, hot and cold, and what the domain API adds."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.interleaved import calling, compare, compare_cold
from bench.ours import candle_of, started
from bench.rivals import rivals
from bench.rivals.plain_sdk import by_hand
from bench.workload import BOUNDS, CHECKED, LABELS, SPAN_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.interleaved import Pace, Row
    from bench.ours import Ours

__all__ = ["domain", "dropped", "journaled", "kept", "other_engines"]


def dropped(pace: Pace) -> Iterator[Row]:
    """Recorded, judged and not kept: the usual candle."""
    with started(keep="nothing") as ours:
        mine = ours.traced(candle_of(ours.telemetry))
        yield compare("candle.dropped.hot", mine, rivals("candle"), pace)
        yield compare("candle.dropped.total", mine, rivals("candle"), pace, total=True)
        yield compare_cold("candle.dropped.cold", mine, rivals("candle"), pace)


def kept(pace: Pace) -> Iterator[Row]:
    """Recorded, kept and exported."""
    with started() as ours:
        mine = ours.traced(candle_of(ours.telemetry))
        yield compare("candle.kept", mine, rivals("candle"), pace)
        yield compare("candle.kept.total", mine, rivals("candle"), pace, total=True)


def journaled(pace: Pace) -> Iterator[Row]:
    """Not kept, and written down: four lines a candle."""
    with TemporaryDirectory() as directory:
        journal = {"directory": directory, "keep_bytes": 200_000_000}
        with started(keep="nothing", diagnostics={"journal": journal}) as ours:
            mine = ours.traced(candle_of(ours.telemetry))
            yield compare("candle.journaled", mine, rivals("candle"), pace)
            yield compare("candle.journaled.total", mine, rivals("candle"), pace, total=True)


def other_engines(pace: Pace) -> Iterator[Row]:
    """The same trading code on OTel's SDK, and with telemetry switched off."""
    with started(engine="sdk") as ours:
        yield compare("candle.engine_sdk", ours.traced(candle_of(ours.telemetry)), rivals("candle"), pace)
    with started(engine="off") as ours:
        yield compare("candle.off", calling(candle_of(ours.telemetry)), rivals("candle"), pace)


def _bound(ours: Ours, *, spans: bool) -> Callable[[], None]:
    """What the pipeline records, by hand on the same engine: bound instruments, with or without OTel's spans."""
    meter = ours.telemetry.meter_provider.get_meter("bench")
    span = ours.telemetry.tracer_provider.get_tracer("bench").start_as_current_span

    def histogram(name: str) -> Callable[[float], None]:
        made: Any = meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=list(BOUNDS))
        record: Callable[[float], None] = made.bind(LABELS).record
        return record

    def counter(name: str) -> Callable[[float], None]:
        made: Any = meter.create_counter(name)
        add: Callable[[float], None] = made.bind(LABELS).add
        return add

    processing, generation, prepare = map(histogram, ("candle.duration", "signal.duration", "order.duration"))
    processed, evaluated, submitted = map(counter, ("candles", "evaluations", "orders"))

    def metrics() -> None:
        began = perf_counter()
        looked = perf_counter()
        evaluated(1)
        ordered = perf_counter()
        prepare(perf_counter() - ordered)
        submitted(1)
        generation(perf_counter() - looked)
        processing(perf_counter() - began)
        processed(1)

    def metrics_and_spans() -> None:
        began = perf_counter()
        with span("candle 1m", attributes=SPAN_ATTRIBUTES):
            looked = perf_counter()
            with span("signal momentum", attributes=SPAN_ATTRIBUTES) as signal:
                signal.add_event("trading.filter.evaluated", CHECKED)
                evaluated(1)
                ordered = perf_counter()
                with span("order buy", attributes=SPAN_ATTRIBUTES):
                    pass
                prepare(perf_counter() - ordered)
                submitted(1)
            generation(perf_counter() - looked)
        processing(perf_counter() - began)
        processed(1)

    return metrics_and_spans if spans else metrics


def domain(pace: Pace) -> Iterator[Row]:
    """What ticktrace.trading adds over doing the same by hand on the same engine; the caller's cost."""
    with started(keep="nothing") as ours:
        tracer = ours.telemetry.tracer_provider.get_tracer("by hand")
        meter = ours.telemetry.meter_provider.get_meter("by hand")
        theirs = {
            "bound instruments": ours.measured("function()", {"function": _bound(ours, spans=False)}),
            "bound, with spans": ours.traced(_bound(ours, spans=True)),
            "OTel API": ours.traced(by_hand(tracer, meter)),
        }
        yield compare("candle.domain", ours.traced(candle_of(ours.telemetry)), theirs, pace)

"""Single operations: counters, histograms, a current span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.interleaved import Contestant, compare
from bench.ours import started
from bench.rivals import rivals
from bench.workload import BOUNDS, DRAW, LABELS, SPAN_ATTRIBUTES, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.interleaved import Pace, Row
    from bench.ours import Ours

__all__ = ["diagnostics", "metrics", "spans", "unbounded"]


def _names(ours: Ours) -> dict[str, Any]:
    meter = ours.telemetry.meter_provider.get_meter("bench")
    histogram: Any = meter.create_histogram(
        "histogram", "s", explicit_bucket_boundaries_advisory=list(BOUNDS)
    )
    counter: Any = meter.create_counter("counter")
    return {
        "bound_add": counter.bind(LABELS).add,
        "bound_record": histogram.bind(LABELS).record,
        "add": counter.add,
        "record": histogram.record,
        "labels": LABELS,
        "draw": draw,
    }


def metrics(pace: Pace) -> Iterator[Row]:
    """Counters and histograms, bound and as OTel has them; total with drain."""
    with started(keep="nothing") as ours:
        names = _names(ours)
        for name, statement, operation, loop in (
            ("histogram.record.bound", "bound_record(draw())", "histogram.bound", DRAW),
            ("counter.add.bound", "bound_add(1)", "counter.bound", None),
            ("histogram.record", "record(draw(), labels)", "histogram", DRAW),
            ("counter.add", "add(1, labels)", "counter", None),
        ):
            mine = ours.measured(statement, names)
            yield compare(name, mine, rivals(operation), pace, total=True, loop=loop)


def unbounded(pace: Pace) -> Iterator[Row]:
    """The bound histogram whose buffer may grow without a limit; total with drain."""
    with started(keep="nothing", metrics={"unbounded": True}) as ours:
        mine = ours.measured("bound_record(draw())", _names(ours))
        name = "histogram.record.bound.unbounded"
        yield compare(name, mine, rivals("histogram.bound"), pace, total=True, loop=DRAW)


def spans(pace: Pace) -> Iterator[Row]:
    """A current span with five attributes, kept and exported; the caller's cost."""
    with started() as ours:
        tracer = ours.telemetry.tracer_provider.get_tracer("bench")
        names = {"span": tracer.start_as_current_span, "attributes": SPAN_ATTRIBUTES}
        mine = ours.measured('with span("candle", attributes=attributes): pass', names, traces=True)
        yield compare("span.current", mine, rivals("span"), pace)


def diagnostics(pace: Pace) -> Iterator[Row]:
    """One decision with five facts, inside a span; the caller's cost. The SDK adds an event to a span."""
    rival = rivals("event", ("sdk",))
    with started() as ours:
        market = ours.telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
        record = ours.telemetry.diagnostics.record_filter
        with market.candle() as candle, candle.signal("momentum") as signal:

            def rest() -> None:
                # As each signal begins; else everything would be kept for this endless one.
                signal.checks = None
                if signal.notes:
                    signal.notes.clear()
                ours.settle()

            for name, statement, names in (
                ("diagnostics.check", 'check("volume", value=2.5, threshold=1.0)', {"check": signal.check}),
                (
                    "diagnostics.record_filter",
                    'record("filter", "BTC/USDT", "atr", 2.5, 1.0)',
                    {"record": record},
                ),
            ):
                mine = Contestant(statement, names, rest=rest, elsewhere=ours.threads, most=500)
                yield compare(name, mine, rival, pace)
            ours.telemetry.diagnostics.enabled = False
            statement = 'record("filter", "BTC/USDT", "atr", 2.5, 1.0, True)'
            mine = Contestant(statement, {"record": record}, rest=rest, elsewhere=ours.threads)
            yield compare("diagnostics.off", mine, rival, pace)

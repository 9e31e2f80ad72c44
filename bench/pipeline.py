"""A candle with a signal, a check and an order through ticktrace.trading, beside the same by hand on the plain SDK.

Both sample every span into a batch processor whose exporter does nothing. By hand means: three nested spans with their
attributes, three histograms, four counters and one event, without gaps, delays, freshness, rejections or late fills.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Counter, Histogram

from bench.interleaved import Row, compare
from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["rows"]

LABELS = {"trading.venue": "binance", "trading.symbol": "BTC/USDT", "trading.strategy.name": "momentum"}


class Discard(SpanExporter):
    """Takes everything and keeps nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  the protocol has it
        """Succeed."""
        return SpanExportResult.SUCCESS


def _ours(market: Any) -> Callable[[], None]:
    close = 1_700_000_040

    def candle() -> None:
        nonlocal close
        close += 60
        with market.candle(close_time=close) as bar, bar.signal("momentum") as signal:
            signal.check("volume", value=2, threshold=1)
            with signal.order(side="buy", quantity=1):
                pass

    return candle


def _by_hand() -> Callable[[], None]:
    tracers = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(Discard()))
    meters = MeterProvider([InMemoryMetricReader()], resource=Resource({}), shutdown_on_exit=False)
    span = tracers.get_tracer("by hand").start_as_current_span
    meter = meters.get_meter("by hand")
    processing, generation, prepare = (meter.create_histogram(name, "s").record for name in ("p", "g", "o"))
    processed, evaluated, submitted, generated = (
        meter.create_counter(name).add for name in ("c", "e", "s", "n")
    )

    def candle() -> None:
        began = perf_counter()
        with span("candle 1m", attributes=LABELS):
            with span("signal momentum", attributes=LABELS) as signal:
                evaluated(1, LABELS)
                signal.add_event("checked", {"name": "volume", "value": 2, "threshold": 1})
                with span("order buy", attributes=LABELS):
                    submitted(1, LABELS)
                    prepare(perf_counter() - began, LABELS)
                generated(1, LABELS)
                generation(perf_counter() - began, LABELS)
            processing(perf_counter() - began, LABELS)
            processed(1, LABELS)

    return candle


def _prometheus_client() -> Callable[[], None]:
    registry = CollectorRegistry()
    histograms = [
        Histogram(name, name, list(map(str.lower, ("venue", "symbol", "strategy"))), registry=registry)
        .labels("binance", "BTC/USDT", "momentum")
        .observe
        for name in ("p", "g", "o")
    ]
    counters = [
        Counter(name, name, ["venue", "symbol", "strategy"], registry=registry)
        .labels("binance", "BTC/USDT", "momentum")
        .inc
        for name in ("c", "e", "s", "n")
    ]

    def candle() -> None:
        began = perf_counter()
        for observe in histograms:
            observe(perf_counter() - began)
        for increment in counters:
            increment()

    return candle


def rows(*, quick: bool) -> list[Row]:
    """The rows of this benchmark."""
    rounds, calls = (5, 200) if quick else (15, 1_000)
    theirs = {"sdk by hand": _by_hand(), "prometheus_client": _prometheus_client()}
    measured = []
    for name, settings in (
        ("candle pipeline, engine sdk", {"exporters": {"traces": ["none"], "metrics": ["memory"]}}),
        ("candle pipeline, telemetry off", {"enabled": False}),
    ):
        with setup_telemetry("bench", mode="backtest", **settings) as telemetry:
            if telemetry.enabled:
                provider: Any = telemetry.tracer_provider
                provider.add_span_processor(BatchSpanProcessor(Discard()))
            market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
            measured.append(compare(name, _ours(market), theirs, rounds=rounds, calls=calls))
    return measured

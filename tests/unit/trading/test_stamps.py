"""On the deferred engine a stage is a stamp: complete to whoever looks, and nothing but an append to whoever does not."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from support.captured import Captured
from ticktrace import Telemetry, current_candle, setup_telemetry
from ticktrace.trading import Candle, Market

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace.engine import SpanStart
    from ticktrace.trading._stage import Stage

MEMORY = {"traces": ["memory"], "metrics": ["memory"], "logs": ["memory"]}
NOTHING_KEPT = {"keep": {"head": False, "outcomes": [], "slower_than_p99": False}}
CLOSE = 1_700_000_040


@pytest.fixture
def boring() -> Iterator[Telemetry]:
    """Telemetry that keeps no trace."""
    with setup_telemetry("bot", engine="deferred", exporters=MEMORY, traces=NOTHING_KEPT) as telemetry:
        yield telemetry


@pytest.fixture
def keeping() -> Iterator[Telemetry]:
    """Telemetry that keeps every trace."""
    with setup_telemetry("bot", engine="deferred", exporters=MEMORY) as telemetry:
        yield telemetry


def market_of(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


def test_a_trace_that_is_not_kept_is_measured_and_never_described(
    boring: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[str] = []
    whole = Candle.span_start

    def told(candle: Candle) -> SpanStart:
        described.append("candle")
        return whole(candle)

    monkeypatch.setattr(Candle, "span_start", told)
    market = market_of(boring)
    with market.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.check("volume", value=1, threshold=2)
        signal.emit("long")
    captured = Captured(boring)
    assert captured.value("trading.candles.processed") == 1
    assert captured.value("trading.signals.generated") == 1
    assert captured.count("trading.signal.generation.duration") == 1
    assert captured.spans == ()
    assert described == []


def test_what_is_measured_can_be_read_while_the_candle_goes_on(boring: Telemetry) -> None:
    market = market_of(boring)
    with market.candle(close_time=CLOSE) as candle:
        with candle.signal("momentum"):
            pass
        assert Captured(boring).count("trading.signal.generation.duration") == 1
    assert Captured(boring).count("trading.signal.generation.duration") == 1


class TestContext:
    def test_it_is_a_context_like_any_other(self, keeping: Telemetry) -> None:
        token = otel_context.attach(baggage.set_baggage("who", "me"))
        try:
            with market_of(keeping).candle(close_time=CLOSE) as candle:
                inside = otel_context.get_current()
                assert isinstance(inside, Context)
                assert trace.get_current_span(inside) is candle.span
                assert current_candle() is candle
                assert baggage.get_baggage("who", inside) == "me"
                plain = dict(inside)
                assert plain == {**inside} == inside.copy() == dict(inside.items())
                assert len(inside) == len(plain) == 3
                assert sorted(inside) == sorted(inside.keys()) == sorted(plain)
                assert set(map(id, inside.values())) == set(map(id, plain.values()))
                assert all(key in inside and inside[key] is plain[key] for key in plain)
                assert inside == plain
                assert (inside != plain) is False
                assert plain == inside
                assert inside | {"more": 1} == plain | {"more": 1} == {"more": 1} | inside
                assert repr(inside) == repr(plain)
                assert bool(inside)
                assert inside.get("absent", 5) == 5
                with pytest.raises(KeyError):
                    inside["absent"]
                with pytest.raises(ValueError, match=r"^$"):
                    inside["new"] = 1
                with_more = otel_context.set_value("mine", 1, inside)
                assert trace.get_current_span(with_more) is candle.span
                assert otel_context.get_value("mine", with_more) == 1
        finally:
            otel_context.detach(token)
        assert trace.get_current_span() is trace.INVALID_SPAN

    def test_what_other_libraries_make_inside_belongs_to_the_trace(self, keeping: Telemetry) -> None:
        tracer = keeping.tracer_provider.get_tracer("library")
        headers: dict[str, str] = {}
        with market_of(keeping).candle(close_time=CLOSE) as candle, candle.signal("momentum"):
            with tracer.start_as_current_span("request"):
                inject(headers)
            with candle.signal("below a foreign span"):
                pass
        captured = Captured(keeping)
        signal, request = captured.span("signal momentum"), captured.span("request")
        assert request.parent is not None
        assert request.parent.span_id == signal.context.span_id
        told = trace.get_current_span(extract(headers)).get_span_context()
        assert (told.trace_id, told.span_id) == (request.context.trace_id, request.context.span_id)
        assert {span.context.trace_id for span in captured.spans} == {request.context.trace_id}

    def test_log_records_carry_the_ids(self) -> None:
        with setup_telemetry(
            "bot", engine="deferred", exporters=MEMORY, logs={"capture": True, "level": "WARNING"}
        ) as telemetry:
            with market_of(telemetry).candle(close_time=CLOSE):
                logging.getLogger("a-bot").warning("inside")
            (record,) = telemetry.memory.logs
            assert record.log_record.trace_id == Captured(telemetry).span("candle 1m").context.trace_id

    def test_a_candle_continues_a_context_it_is_given(self, keeping: Telemetry) -> None:
        remote = SpanContext(7, 9, is_remote=True, trace_flags=TraceFlags(1))
        context = trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
        with (
            market_of(keeping).candle(close_time=CLOSE, context=context) as candle,
            candle.signal("momentum"),
        ):
            pass
        captured = Captured(keeping)
        assert captured.span("candle 1m").parent == remote
        assert {span.context.trace_id for span in captured.spans} == {7}


class TestLooking:
    def test_a_span_that_is_looked_at_tells_what_is_known(self, keeping: Telemetry) -> None:
        with market_of(keeping).candle(close_time=CLOSE) as candle:
            span: Any = trace.get_current_span()
            assert span is candle.span
            seen: Any = span
            assert seen.name == "candle 1m"
            assert seen.attributes["trading.symbol"] == "BTC/USDT"
            assert span.is_recording()
            assert seen.end_time is None
            span.set_attribute("mine", 1)
            span.add_event("looked", {"closely": True})
        assert not span.is_recording()
        read = Captured(keeping).span("candle 1m")
        assert (read.attributes or {})["mine"] == 1
        assert [event.name for event in read.events] == ["looked"]
        assert read.context.span_id == span.get_span_context().span_id

    def test_ids_that_were_told_are_those_that_are_exported(self, keeping: Telemetry) -> None:
        with market_of(keeping).candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
            told = signal.span.get_span_context()
        assert Captured(keeping).span("signal momentum").context == told

    def test_a_span_that_is_ended_early_ends_then(self, keeping: Telemetry) -> None:
        with market_of(keeping).candle(close_time=CLOSE):
            trace.get_current_span().end()
            trace.get_current_span().set_attribute("late", 1)
        (span,) = Captured(keeping).spans
        assert "late" not in (span.attributes or {})

    def test_many_who_look_at_once_see_one_span(self, keeping: Telemetry) -> None:
        for _ in range(50):
            with market_of(keeping).candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
                gate = threading.Barrier(4)
                seen: list[int] = []

                def look(stage: Stage, gate: threading.Barrier = gate, seen: list[int] = seen) -> None:
                    gate.wait()
                    seen.append(stage.span.get_span_context().trace_id)

                lookers = [threading.Thread(target=look, args=(stage,)) for stage in (candle, signal) * 2]
                for looker in lookers:
                    looker.start()
                for looker in lookers:
                    looker.join()
                assert len(set(seen)) == 1

    def test_who_must_see_spans_begin_does(self, keeping: Telemetry) -> None:
        begun: list[str] = []

        class Watching(SpanProcessor):
            def on_start(self, span: Any, parent_context: Context | None = None) -> None:
                begun.append(span.name)

        provider: Any = keeping.tracer_provider
        provider.add_span_processor(Watching())
        with market_of(keeping).candle(close_time=CLOSE) as candle, candle.signal("momentum"):
            assert begun == ["candle 1m", "signal momentum"]
        assert len(Captured(keeping).spans) == 2


def exemplars(telemetry: Telemetry) -> dict[str, list[Any]]:
    """The exemplars of each metric that has some; reading takes them away."""
    data = telemetry.memory.metrics
    assert data is not None
    metrics = [
        m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics
    ]
    found = {m.name: [e for point in m.data.data_points for e in point.exemplars] for m in metrics}
    return {name: some for name, some in found.items() if some}


class TestExemplars:
    def test_they_point_at_spans_that_were_exported(self, keeping: Telemetry) -> None:
        with market_of(keeping).candle(close_time=CLOSE) as candle, candle.signal("momentum"):
            pass
        captured = Captured(keeping)
        exported = {"candle.processing": "candle 1m", "signal.generation": "signal momentum"}
        spans = {name: captured.span(span) for name, span in exported.items()}
        found = exemplars(keeping)
        for name, span in spans.items():
            (exemplar,) = found[f"trading.{name}.duration"]
            assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)
            assert exemplar.time_unix_nano == span.end_time

    def test_there_are_none_of_traces_that_were_not_kept(self, boring: Telemetry) -> None:
        with market_of(boring).candle(close_time=CLOSE):
            pass
        assert Captured(boring).spans == ()
        assert exemplars(boring) == {}


class TestBounds:
    def test_a_drain_that_does_not_come_costs_no_measurement(self, boring: Telemetry) -> None:
        market = market_of(boring)
        engine: Any = boring._pipeline.engine  # type: ignore[union-attr]
        queue = engine._stamps[0]
        queue.limit = queue.mark = 100
        with engine._drain._pass:  # nobody drains meanwhile
            for minute in range(1_000):
                with market.candle(close_time=CLOSE + 60 * minute):
                    pass
                assert len(queue.waiting) <= 101
        assert Captured(boring).value("trading.candles.processed") == 1_000

    def test_what_is_not_kept_is_gone_without_the_garbage_collector(self, boring: Telemetry) -> None:
        market = market_of(boring)
        gc.disable()
        try:
            with market.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
                signal.check("volume", value=1, threshold=2)
            gone = weakref.ref(candle)
            del candle, signal
            boring.flush(5)
            deadline = time.monotonic() + 5
            while gone() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert gone() is None
        finally:
            gc.enable()

    def test_what_is_kept_is_gone_too(self, keeping: Telemetry) -> None:
        market = market_of(keeping)
        gc.disable()
        try:
            with market.candle(close_time=CLOSE) as candle, candle.signal("momentum"):
                pass
            gone = weakref.ref(candle)
            del candle
            keeping.flush(5)
            deadline = time.monotonic() + 5
            while gone() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert gone() is None
        finally:
            gc.enable()


def test_an_exception_is_on_the_span_with_its_stack(keeping: Telemetry) -> None:
    with pytest.raises(ZeroDivisionError), market_of(keeping).candle(close_time=CLOSE):
        _ = 1 / 0
    span: ReadableSpan = Captured(keeping).span("candle 1m")
    assert span.status.description == "ZeroDivisionError: division by zero"
    (event,) = span.events
    assert event.name == "exception"
    assert "_ = 1 / 0" in str((event.attributes or {})["exception.stacktrace"])
    assert event.timestamp == span.end_time


def test_a_stage_that_ends_after_the_shutdown_restores_its_context(keeping: Telemetry) -> None:
    with market_of(keeping).candle(close_time=CLOSE):
        keeping.shutdown()
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_sampler_is_asked_only_for_what_is_looked_at_or_judged() -> None:
    with setup_telemetry(
        "bot",
        engine="deferred",
        exporters=MEMORY,
        traces={"sampler": "parentbased_always_off", "keep": {"slower_than_p99": False}},
    ) as telemetry:
        market = market_of(telemetry)
        with market.candle(close_time=CLOSE) as candle:
            assert not candle.span.get_span_context().trace_flags.sampled
        with market.candle(close_time=CLOSE + 60) as candle, candle.signal("momentum") as signal:
            signal.check("volume", value=99, threshold=100)
        captured = Captured(telemetry)
        assert sorted(span.name for span in captured.spans) == ["candle 1m", "signal momentum"]
        assert (captured.span("candle 1m").attributes or {})["ticktrace.keep.reason"] == "near_miss"

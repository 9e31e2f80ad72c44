"""In a backtest nothing is lost for lack of room: who fills a buffer waits, or empties it. Live, it drops and counts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult

from support import misbehaving
from support.captured import Captured
from support.misbehaving import MisbehavingSpans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

QUEUE = {"max_queue_size": 16, "max_export_batch_size": 8, "schedule_delay": 0.05}


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch, start: Start, tmp_path: Path) -> Iterator[Start]:
    """Start telemetry with small buffers, whose spans leave through an exporter that behaves as told."""
    misbehaving.install(monkeypatch, tmp_path / "installed")

    def setup(behave: Callable[[Any], Any], mode: str = "backtest", **queue: Any) -> Telemetry:
        MisbehavingSpans.behave = staticmethod(behave)
        return start(
            mode=mode,
            exporters={"traces": [misbehaving.NAME], "metrics": ["memory"], "logs": ["none"]},
            traces={"queue": {**QUEUE, **queue}, "keep": {"max_traces": 16}},
        )

    yield setup
    MisbehavingSpans.released.set()


class Slow:
    """An exporter that takes its time, and notes what it got."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.seconds = seconds
        self.names: list[str] = []

    def __call__(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(self.seconds)
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def hang(_: Sequence[ReadableSpan]) -> SpanExportResult:
    MisbehavingSpans.released.wait(60)
    return SpanExportResult.FAILURE


def refuse(_: Sequence[ReadableSpan]) -> SpanExportResult:
    return SpanExportResult.FAILURE


def record(traces: int, name: str = "work") -> None:
    tracer = trace.get_tracer("bot")
    for _ in range(traces):
        with tracer.start_as_current_span(name), tracer.start_as_current_span("part"):
            pass


def lost(telemetry: Telemetry) -> float:
    return Captured(telemetry).value("ticktrace.dropped")


def test_a_backtest_loses_nothing_to_a_slow_exporter(begin: Start) -> None:
    slow = Slow()
    telemetry = begin(slow)
    record(500)
    assert telemetry.shutdown(30) is True
    assert len(slow.names) == 1_000
    assert lost(telemetry) == 0


def test_a_backtest_of_several_threads_loses_nothing(begin: Start) -> None:
    slow = Slow()
    telemetry = begin(slow)
    threads = [threading.Thread(target=record, args=(100, f"thread{number}")) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert telemetry.shutdown(30) is True
    assert {name: slow.names.count(name) for name in set(slow.names)} == {
        "part": 400,
        **{f"thread{number}": 100 for number in range(4)},
    }


def test_live_the_bot_does_not_wait_and_what_is_lost_is_counted(begin: Start) -> None:
    telemetry = begin(hang, "live")
    record(500)
    MisbehavingSpans.released.set()
    telemetry.flush(10)
    assert lost(telemetry) == 1_000


def test_an_exporter_that_hangs_holds_a_backtest_up_once_and_not_for_each_span(begin: Start) -> None:
    telemetry = begin(hang, export_timeout=0.5)
    began = time.monotonic()
    record(500)
    took = time.monotonic() - began
    assert 0.5 <= took < 20  # 500 s, were it for each of them
    assert lost(telemetry) > 0
    MisbehavingSpans.released.set()
    telemetry.flush(10)
    assert lost(telemetry) == 1_000


def test_an_exporter_that_fails_is_not_waited_for_long(begin: Start) -> None:
    telemetry = begin(refuse, export_timeout=3_600.0)
    record(300)
    telemetry.flush(10)
    assert lost(telemetry) == 600


def test_a_flush_and_a_shutdown_keep_their_deadline_in_a_backtest_too(begin: Start) -> None:
    telemetry = begin(hang, export_timeout=3_600.0)
    record(8)  # the queue is full; what is waited for is the exporter
    began = time.monotonic()
    assert telemetry.flush(0.2) is False
    assert telemetry.shutdown(1.0) is False
    assert time.monotonic() - began < 15


def test_a_thread_that_waits_goes_on_when_telemetry_ends(begin: Start) -> None:
    telemetry = begin(hang, export_timeout=3_600.0)
    thread = threading.Thread(target=record, args=(500,))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()  # it waits
    assert telemetry.shutdown(1.0) is False
    thread.join(20)
    assert not thread.is_alive()


class Chatty(SpanProcessor):
    """Ends spans of its own whenever it is called, with a lock that it needs in every call."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tracer = trace.get_tracer("chatty")

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with self.lock:
            if span.name == "work":
                self.tracer.start_span("started").end()

    def on_end(self, span: ReadableSpan) -> None:
        with self.lock:
            if span.name == "work":
                self.tracer.start_span("ended").end()


def test_span_processors_that_end_spans_themselves_lose_none_and_block_nobody(start: Start) -> None:
    telemetry = start(mode="backtest", traces={"keep": {"max_traces": 16}})
    provider: Any = telemetry._pipeline.engine.tracer_provider  # type: ignore[union-attr]
    provider.add_span_processor(Chatty())
    threads = [threading.Thread(target=record, args=(100,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert not any(thread.is_alive() for thread in threads)
    captured = Captured(telemetry)
    assert {
        name: len(captured.named(name)) for name in ("work", "part", "started", "ended")
    } == dict.fromkeys(("work", "part", "started", "ended"), 300)
    assert lost(telemetry) == 0


def test_an_exporter_that_ends_spans_itself_does_not_wait_for_itself(begin: Start) -> None:
    """Only its own thread could make the room that it would wait for."""
    exported: list[str] = []

    def export(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        exported.extend(span.name for span in spans)
        if any(span.name == "work" for span in spans):
            record(20, "echo")
        return SpanExportResult.SUCCESS

    telemetry = begin(export, export_timeout=3_600.0)
    record(50)
    telemetry.shutdown(10)
    assert exported.count("work") == 50
    assert "echo" in exported


def test_trading_itself_loses_nothing_in_a_backtest(begin: Start) -> None:
    slow = Slow()
    telemetry = begin(slow)
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    for number in range(300):
        with market.candle(close_time=1_700_000_040 + 60 * number) as candle, candle.signal("m"):
            pass
    assert telemetry.shutdown(30) is True
    assert (slow.names.count("candle 1m"), slow.names.count("signal m")) == (300, 300)
    assert lost(telemetry) == 0

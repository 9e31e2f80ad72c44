"""What the deferred engine loses when things go wrong: nothing, or what is stated, and counted.

The bounds are those of docs/operations.md. ``TICKTRACE_LONG=1`` has producers run for a minute and the drain starve for
ten seconds; without it both are as short as shows the same.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import SpanProcessor

from support.captured import Captured
from support.journal import journal_lines
from support.otlp_server import attributes, otlp_server
from support.programs import PROGRAMS, environment, run_program, start_program
from ticktrace import setup_telemetry
from ticktrace.engine.deferred.spans import LightSpan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace import Telemetry
    from ticktrace.engine.drain import Drain

LONG = os.environ.get("TICKTRACE_LONG") == "1"  # read before the tests' environment is cleaned
MEMORY = {"traces": ["memory"], "metrics": ["memory"], "logs": ["none"]}
PRODUCERS = 4


def start(**settings: Any) -> Telemetry:
    settings.setdefault("memory", {"max_spans": 1_000_000})
    return setup_telemetry("bot", engine="deferred", exporters=MEMORY, **settings)


@pytest.mark.timeout(240)
def test_four_producer_threads_lose_nothing() -> None:
    """At 400 candles a second, through every way in: trading, the OTel API, and instruments of a library's."""
    telemetry = start()
    seconds, rate = (60.0, 100) if LONG else (2.0, 100)
    made = [0] * PRODUCERS
    counter = metrics.get_meter("library").create_counter("acme.hits")
    histogram = metrics.get_meter("library").create_histogram("acme.sizes")
    tracer = trace.get_tracer("library")

    def produce(number: int) -> None:
        market = telemetry.trading.market(venue="x", symbol=f"S{number}", timeframe="1m")
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with (
                market.candle() as candle,
                candle.signal("m") as signal_,
                tracer.start_as_current_span("library"),
            ):
                signal_.check("volume", value=1, threshold=2)
                counter.add(1, {"thread": number})
                histogram.record(made[number], {"thread": number})
            made[number] += 1
            time.sleep(1 / rate)

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(PRODUCERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    captured = Captured(telemetry)
    spans = Counter(span.name for span in telemetry.memory.spans)
    assert spans == dict.fromkeys(("candle 1m", "signal m", "library"), sum(made))
    for number in range(PRODUCERS):
        assert captured.value("trading.candles.processed", trading__symbol=f"S{number}") == made[number]
        assert (
            captured.count("trading.candle.processing.duration", trading__symbol=f"S{number}") == made[number]
        )
        assert captured.value("acme.hits", thread=number) == made[number]
        assert captured.count("acme.sizes", thread=number) == made[number]
        assert captured.sum("acme.sizes", thread=number) == sum(range(made[number]))
    assert captured.value("ticktrace.dropped") == 0
    assert captured.value("ticktrace.spans.kept") == 3 * sum(made)
    assert telemetry.shutdown() is True


@contextmanager
def starved(drain: Drain) -> Iterator[None]:
    """In this block the drain does not get its turn."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with drain._pass:
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    try:
        yield
    finally:
        release.set()
        thread.join()


def live_spans() -> int:
    return sum(isinstance(found, LightSpan) for found in gc.get_objects())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["trading", "api"])
def test_a_starved_drain_keeps_memory_bounded_and_counts_what_it_drops(way: str) -> None:
    telemetry = start(
        traces={"keep": {"max_traces": 64}},
        metrics={"buffer_size": 256},
        diagnostics={"journal": {"buffer_size": 64}},
    )
    engine: Any = telemetry._pipeline.engine  # type: ignore[union-attr]
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    tracer = trace.get_tracer("bot")
    sizes = metrics.get_meter("bot").create_histogram("acme.sizes")
    made, spans, stamps = 0, 0, 0
    gc.collect()
    before = live_spans()
    with starved(engine.drain):
        ends = time.monotonic() + (10.0 if LONG else 0.5)
        while made < 5_000 or time.monotonic() < ends:
            if way == "trading":
                with market.candle() as candle, candle.signal("m"):
                    pass
            else:
                with tracer.start_as_current_span("root"), tracer.start_as_current_span("part"):
                    pass
            sizes.record(made)
            made += 1
            if not made % 1_000:
                spans = max(spans, live_spans() - before)
                stamps = max(stamps, engine.backlog()["stamps"])
        assert engine.backlog()["traces"] == 64
    assert stamps == (8 * 64 if way == "trading" else 0)  # these wait to be counted; so many may
    # Without the garbage collector's help; 64 wait to be written down.
    assert spans <= 2 * 64 + stamps + 64 + 8
    captured = Captured(telemetry)
    arrived = len(telemetry.memory.spans)
    dropped = captured.value("ticktrace.dropped", ticktrace__buffer__name="traces")
    assert dropped > 0
    assert arrived + dropped == 2 * made
    assert captured.value("ticktrace.spans.kept") == arrived
    assert captured.count("acme.sizes") == made  # measurements are not lost to a starved drain
    assert captured.sum("acme.sizes") == sum(range(made))
    if way == "trading":
        assert captured.value("trading.candles.processed") == made
        written = len(journal_lines(telemetry))
        lost = captured.value("ticktrace.dropped", ticktrace__buffer__name="journal")
        assert lost > 0
        assert written + lost == 2 * made
    assert telemetry.shutdown() is False


class Starving(SpanProcessor):
    """Keeps the drain from getting on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def on_end(self, span: ReadableSpan) -> None:
        self.entered.set()
        self.release.wait(60)


def test_a_drain_that_never_comes_back_is_told_at_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = start()
    starving = Starving()
    engine: Any = telemetry._pipeline.engine  # type: ignore[union-attr]
    engine.tracer_provider.add_span_processor(starving)
    tracer = trace.get_tracer("bot")
    tracer.start_span("first").end()
    engine.drain.wake()
    assert starving.entered.wait(20)
    for _ in range(9):
        tracer.start_span("waits").end()
    began = time.monotonic()
    assert telemetry.shutdown(1.0) is False
    assert time.monotonic() - began < 10
    assert "9 spans found no room to wait for their verdict" in caplog.text
    starving.release.set()


# Sudden ends.


def spans_in(file: Path) -> int:
    """How many spans a file of the OTLP JSON exporter holds; what is not a whole line does not count."""
    count = 0
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        count += sum(
            len(scope["spans"]) for resource in message["resourceSpans"] for scope in resource["scopeSpans"]
        )
    return count


def tell(process: subprocess.Popen[str], command: str) -> int:
    """Give the program a command; how many candles it has recorded by now."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(command + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@pytest.mark.parametrize("exporter", ["otlp_json_file", "otlp"])
def test_kill_9_loses_only_what_was_not_sent_yet(tmp_path: Path, exporter: str) -> None:
    """What was flushed, and what is older than a pass of the drain and a delay of the queue, is safe."""
    file = tmp_path / "traces.jsonl"
    with otlp_server("http") as server:

        def arrived() -> int:
            return spans_in(file) if exporter == "otlp_json_file" else len(server.spans())

        variables = environment(
            OTEL_TRACES_EXPORTER=exporter,
            OTEL_METRICS_EXPORTER="none",
            OTEL_BSP_SCHEDULE_DELAY="100",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            TICKTRACE_JSON_FILE_DIRECTORY=str(tmp_path),
            TICKTRACE_ENGINE="deferred",
        )
        pipe = subprocess.PIPE
        command = [sys.executable, str(PROGRAMS / "killed.py")]
        with subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, text=True) as process:
            assert tell(process, "record 40") == 40
            deadline = time.monotonic() + 30
            while arrived() < 40 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert arrived() == 40  # nobody had to ask
            assert tell(process, "record 60") == 100
            tell(process, "flush")
            made = tell(process, "record 25")
            process.kill()
            process.communicate(timeout=20)
            assert process.returncode == -signal.SIGKILL
        assert 100 <= arrived() <= made == 125


@pytest.mark.parametrize("state", ["usual", "threadless"])
def test_sigterm_loses_nothing_where_that_was_asked_for(state: str) -> None:
    with (
        otlp_server("http") as server,
        start_program(
            "sigterm.py",
            state,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            TICKTRACE_ENGINE="deferred",
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGTERM
        assert len(server.spans()) == 9
        processed = [metric for metric in server.metrics() if metric.name == "trading.candles.processed"]
        assert processed[-1].sum.data_points[0].as_int == 9


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("mode", ["live", "backtest"])
def test_a_fork_while_the_drain_is_in_a_pass_harms_neither_process(mode: str) -> None:
    with otlp_server("http") as server:
        run_program(
            "fork_in_pass.py",
            mode,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            PYTHONWARNINGS="default",  # CPython 3.12 warns of forking with threads, which is what is tested here
        )
        by_instance: dict[str, Counter[str]] = {}
        for request in server.requests:
            for resource in request.message.resource_spans:
                instance = attributes(resource.resource.attributes)["service.instance.id"]
                names = by_instance.setdefault(instance, Counter())
                names.update(span.name for scope in resource.scope_spans for span in scope.spans)
    assert sorted(by_instance.values(), key=len) == [
        {"child's": 6, "candle 1m": 1},
        {"parent's": 1, "parent's, too": 1},
    ]

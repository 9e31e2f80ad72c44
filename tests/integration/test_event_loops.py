"""Telemetry does not care which event loop runs, or whether one does, and never keeps a process alive."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from support.captured import Captured
from support.otlp_server import otlp_server
from support.programs import run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ticktrace import Telemetry

    Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on a loop of its own."""
    if request.param == "asyncio":
        return asyncio.run
    try:
        import uvloop  # noqa: PLC0415  an optional part
    except ImportError:
        message = "uvloop is not installed; pip install uvloop"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    runner: Run = uvloop.run
    return runner


async def trade(telemetry: Telemetry, symbol: str, candles: int) -> None:
    market = telemetry.trading.market(venue="x", symbol=symbol, timeframe="1m")
    tracer = trace.get_tracer("library")
    for _ in range(candles):
        with market.candle() as candle:
            await asyncio.sleep(0)
            with candle.signal("m"), tracer.start_as_current_span("library"):
                await asyncio.sleep(0.001)
    await asyncio.to_thread(lambda: tracer.start_span("thread").end())


def check(telemetry: Telemetry, symbols: int, candles: int) -> None:
    captured = Captured(telemetry)
    each = symbols * candles
    assert Counter(span.name for span in captured.spans) == {
        "candle 1m": each,
        "signal m": each,
        "library": each,
        "thread": symbols,
    }
    roots = {span.context.span_id: span for span in captured.named("candle 1m")}
    signals = {span.context.span_id: span for span in captured.named("signal m")}
    for span in captured.named("library"):
        assert span.parent is not None
        signal = signals[span.parent.span_id]
        assert signal.parent is not None
        root = roots[signal.parent.span_id]
        assert root.context.trace_id == span.context.trace_id
        assert (root.attributes or {})["trading.symbol"] == (signal.attributes or {})["trading.symbol"]
    assert captured.value("trading.candles.processed") == each
    assert captured.value("ticktrace.dropped") == 0


@pytest.mark.parametrize("mode", ["live", "backtest"])
def test_tasks_that_interleave_lose_nothing_and_keep_their_traces_apart(
    start: Callable[..., Telemetry], run: Run, mode: str
) -> None:
    telemetry = start(mode=mode)

    async def bot() -> None:
        await asyncio.gather(*(trade(telemetry, f"S{number}", 10) for number in range(5)))

    run(bot())
    check(telemetry, 5, 10)


def test_one_loop_after_the_other_in_one_process(start: Callable[..., Telemetry], run: Run) -> None:
    telemetry = start()
    for number in range(3):
        run(trade(telemetry, f"S{number}", 5))
    check(telemetry, 3, 5)


def test_several_loops_side_by_side_each_on_its_thread(start: Callable[..., Telemetry], run: Run) -> None:
    telemetry = start()
    threads = [
        threading.Thread(target=run, args=(trade(telemetry, f"S{number}", 10),)) for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    check(telemetry, 3, 10)


def test_a_blocked_loop_does_not_hold_the_drain_up(start: Callable[..., Telemetry], run: Run) -> None:
    telemetry = start()
    arrived: list[int] = []

    async def bot() -> None:
        await trade(telemetry, "S", 5)
        deadline = time.monotonic() + 20
        while len(telemetry.memory._spans) < 16 and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251  this is what is tested
        arrived.append(len(telemetry.memory._spans))  # nobody has asked for them

    run(bot())
    assert arrived == [16]


def test_a_process_without_a_loop_ends_by_itself_and_loses_nothing(engine: str) -> None:
    with otlp_server("http") as server:
        run_program(
            "plain_end.py",
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            TICKTRACE_ENGINE=engine,
        )
        assert Counter(span.name for span in server.spans()) == {"candle 1m": 60, "library": 60}


def test_a_drain_that_is_at_work_keeps_no_process_alive() -> None:
    assert run_program("drain_alone.py", timeout=30).stdout == "end\n"

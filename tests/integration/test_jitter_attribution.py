"""What stopped a stage while it ran stands on its span: with cause, length and name, on any loop and engine."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from support.programs import run_program
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from opentelemetry.sdk.trace import Event, ReadableSpan

    from ticktrace import Telemetry
    from ticktrace.trading import Market

    Run = Callable[[Coroutine[Any, Any, None]], None]

SLOW = 0.01
BLOCK = 0.1
PAUSE = 0.05


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


def market(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="x", symbol="S", timeframe="1m")


def events(span: ReadableSpan, name: str) -> list[Event]:
    return [event for event in span.events if event.name == name]


def told(event: Event) -> dict[str, Any]:
    return dict(event.attributes or {})


def jitter(span: ReadableSpan) -> dict[str, Any]:
    return {key: value for key, value in (span.attributes or {}).items() if key.startswith("trading.jitter")}


def noticed(telemetry: Telemetry) -> bool:
    """Whether the block that goes on was seen; a busy machine may take its time."""
    interruptions = telemetry._recorder.interruptions
    assert interruptions is not None
    return any(ask(time.perf_counter_ns()) for ask in interruptions.unfinished)


def block(telemetry: Telemetry) -> None:
    """Keep the loop from running for a hundred milliseconds."""
    end = time.monotonic() + BLOCK
    assert until(lambda: time.monotonic() >= end and noticed(telemetry))


async def watched(telemetry: Telemetry) -> None:
    """Wait until the loop is known to who watches it."""
    telemetry.watch_event_loop(slow=SLOW)
    await asyncio.sleep(0.01)


def test_a_long_garbage_collection_stands_on_the_candle_that_it_stopped(
    start: Callable[..., Telemetry], run: Run
) -> None:
    telemetry = start()
    measured: list[float] = []

    async def bot() -> None:
        telemetry.watch_process(disks=())
        garbage: list[list[object]] = []
        with market(telemetry).candle():
            await asyncio.sleep(0)
            gc.disable()  # only what is asked for
            try:
                while not measured or (measured[-1] < PAUSE and len(measured) < 20):
                    garbage += [[] for _ in range(500_000)]
                    before = time.perf_counter()
                    gc.collect()
                    measured.append(time.perf_counter() - before)
            finally:
                gc.enable()

    run(bot())
    span = Captured(telemetry).span("candle 1m")
    pauses = [told(event) for event in events(span, "trading.jitter.gc")]
    longest = max(pauses, key=lambda pause: pause["trading.elapsed"])
    assert measured[-1] >= PAUSE
    assert longest["cpython.gc.generation"] == 2
    assert PAUSE / 2 < longest["trading.elapsed"] <= max(measured)
    total = jitter(span)["trading.jitter.gc.duration"]
    assert longest["trading.elapsed"] <= total <= sum(measured) + 0.001
    assert set(jitter(span)) == {"trading.jitter.gc.duration"}


def test_a_callback_that_blocks_the_loop_stands_on_the_candle_that_waited(
    start: Callable[..., Telemetry], run: Run
) -> None:
    telemetry = start()

    def on_book() -> None:
        block(telemetry)

    async def bot() -> None:
        await watched(telemetry)
        with market(telemetry).candle():
            asyncio.get_running_loop().call_soon(on_book)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        with market(telemetry).candle():  # is not to blame, and was not stopped
            await asyncio.sleep(0)

    run(bot())
    stopped, other = Captured(telemetry).named("candle 1m")
    (event,) = events(stopped, "trading.jitter.loop")
    assert told(event)["trading.jitter.callback"].endswith(".<locals>.on_book")
    assert told(event)["trading.jitter.at"].startswith("support.waiting.until:")
    assert SLOW <= told(event)["trading.elapsed"] <= seconds(stopped)
    assert jitter(stopped) == {
        "trading.jitter.loop.duration": told(event)["trading.elapsed"],
        "trading.jitter.callback": told(event)["trading.jitter.callback"],
    }
    assert stopped.start_time is not None
    assert stopped.end_time is not None
    assert stopped.start_time <= event.timestamp <= stopped.end_time
    assert jitter(other) == {}


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) * 1e-9


def test_a_candle_that_blocks_the_loop_itself_says_so_before_the_loop_goes_on(
    start: Callable[..., Telemetry], run: Run
) -> None:
    telemetry = start()

    async def bot() -> None:
        await watched(telemetry)
        with market(telemetry).candle() as candle, candle.signal("m"):
            block(telemetry)
        assert jitter(Captured(telemetry).span("candle 1m"))["trading.jitter.loop.duration"] >= SLOW

    run(bot())
    (event,) = events(Captured(telemetry).span("signal m"), "trading.jitter.loop")
    assert told(event)["trading.jitter.callback"].endswith(".<locals>.bot")


def test_a_blocked_loop_stops_no_candle_of_another_thread(start: Callable[..., Telemetry], run: Run) -> None:
    telemetry = start()
    begun = threading.Event()
    blocked = threading.Event()

    def elsewhere() -> None:
        with market(telemetry).candle():
            begun.set()
            assert blocked.wait(20)

    async def bot() -> None:
        await watched(telemetry)
        work = asyncio.ensure_future(asyncio.to_thread(elsewhere))
        await asyncio.to_thread(begun.wait, 20)
        block(telemetry)
        blocked.set()
        await work

    run(bot())
    assert jitter(Captured(telemetry).span("candle 1m")) == {}


def test_waits_for_a_rate_limit_stand_on_what_waited_and_on_nothing_beside_it(
    start: Callable[..., Telemetry], run: Run
) -> None:
    telemetry = start()
    provider = telemetry.trading.provider("binance")

    async def waits() -> None:
        with market(telemetry).candle() as candle:
            await asyncio.sleep(0.001)
            with candle.signal("m"):
                async with provider.waiting("fetch_ohlcv"):
                    await asyncio.sleep(0.02)

    async def goes_on() -> None:
        with telemetry.trading.market(venue="x", symbol="S", timeframe="5m").candle():
            await asyncio.sleep(0.025)

    async def bot() -> None:
        telemetry.watch_process(disks=(), garbage=False)
        await watched(telemetry)
        await asyncio.gather(waits(), goes_on())

    run(bot())
    captured = Captured(telemetry)
    for name in ("candle 1m", "signal m"):
        span = captured.span(name)
        (event,) = events(span, "trading.jitter.rate_limit")
        assert told(event)["trading.provider.name"] == "binance"
        assert 0.015 < told(event)["trading.elapsed"] <= seconds(span)
        assert jitter(span)["trading.jitter.rate_limit.duration"] == told(event)["trading.elapsed"]
    assert "trading.jitter.rate_limit.duration" not in jitter(captured.span("candle 5m"))


def test_waits_side_by_side_are_counted_once(telemetry: Telemetry) -> None:
    telemetry.watch_process(disks=(), garbage=True)
    provider = telemetry.trading.provider("binance")
    with market(telemetry).candle():
        time.sleep(0.02)
        for _ in range(20):
            provider.waited(10.0)  # longer than the candle has been there
    span = Captured(telemetry).span("candle 1m")
    assert jitter(span)["trading.jitter.rate_limit.duration"] <= seconds(span)
    assert len(events(span, "trading.jitter.rate_limit")) == 8


def test_nobody_who_does_not_watch_is_told(telemetry: Telemetry) -> None:
    with market(telemetry).candle():
        gc.collect()
        telemetry.trading.provider("binance").waited(0.01)
    assert jitter(Captured(telemetry).span("candle 1m")) == {}


def test_the_threads_that_watch_end_with_the_telemetry_and_with_their_loop(
    start: Callable[..., Telemetry], run: Run
) -> None:
    telemetry = start()

    def watching() -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return sorted(name for name in names if name in {"ticktrace-loop", "ticktrace-jitter"})

    before = watching()

    async def bot() -> None:
        await watched(telemetry)
        assert len(watching()) == len(before) + 2

    run(bot())
    assert until(lambda: watching() == before)  # with the loop
    telemetry.watch_process(disks=())
    assert until(lambda: len(watching()) == len(before) + 1)
    telemetry.shutdown()
    assert until(lambda: watching() == before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_is_told_of_its_own_pauses_and_not_of_its_parents_loop(
    engine: str, tmp_path: Path
) -> None:
    done = run_program(
        "watching_fork.py",
        tmp_path / "host.lock",
        TICKTRACE_ENGINE=engine,
        PYTHONWARNINGS="default",  # CPython 3.12 warns of forking with threads, which is what is tested here
    )
    found = json.loads(done.stdout)
    assert found["jitter"] == ["trading.jitter.gc.duration"]
    assert found["said"]
    assert found["process"]
    assert found["host"] == []  # the parent's to tell
    assert found["threads"] == ["ticktrace-jitter"]

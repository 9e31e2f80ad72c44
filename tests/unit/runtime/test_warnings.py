"""Lines in the log about what stopped the bot: of each kind, one a minute."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import TYPE_CHECKING

from support.waiting import until
from ticktrace.engine import Cause, Interruption
from ticktrace.runtime._warnings import Warner

if TYPE_CHECKING:
    import pytest

    from ticktrace import Telemetry


def pause(milliseconds: int, name: str = "2") -> Interruption:
    return Interruption(Cause.GC, 0, milliseconds * 1_000_000, name)


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if word in record.getMessage()]


def test_the_first_is_said_at_once_and_the_longest_of_the_others_a_minute_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warner = Warner(lambda one: f"{one.name} took {1e3 * one.seconds:.0f} ms")
    for at, one in ((0, pause(12)), (1, pause(90, "big")), (59, pause(20)), (61, pause(15)), (62, pause(14))):
        warner._say(one, 1_000.0 + at)
    warner._say(pause(13), 1_200.0)
    warner.close()
    assert lines(caplog, "took") == [
        "ticktrace: 2 took 12 ms",
        "ticktrace: 2 took 15 ms; there were 2 more since the last such line, the longest big took 90 ms",
        "ticktrace: 2 took 13 ms; there were 1 more since the last such line, the longest 2 took 14 ms",
    ]


def test_a_garbage_collection_of_over_ten_milliseconds_is_said(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.watch_process(disks=())
    garbage: list[list[object]] = []
    longest = 0.0
    gc.disable()  # so that the one that is said is the one that is asked for
    try:
        while longest < 0.015 and len(garbage) < 10_000_000:
            garbage += [[] for _ in range(300_000)]
            before = time.perf_counter()
            gc.collect()
            longest = time.perf_counter() - before
    finally:
        gc.enable()
    assert until(lambda: lines(caplog, "garbage collection of generation 2 stopped the process for"))
    assert [record.levelno for record in caplog.records if "garbage" in record.getMessage()] == [
        logging.WARNING
    ]


def test_a_short_garbage_collection_is_not_worth_a_line(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.watch_process(disks=())
    (pauses,) = [one for one in gc.callbacks if type(one).__module__ == "ticktrace.runtime._garbage"]
    pauses("start", {"generation": 0})
    pauses("stop", {"generation": 0})
    assert not until(lambda: lines(caplog, "generation 0"), 0.05)


async def test_the_callback_that_blocked_the_loop_is_named(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    def on_book() -> None:
        interruptions = telemetry._recorder.interruptions
        assert interruptions is not None
        assert until(lambda: any(ask(time.perf_counter_ns()) for ask in interruptions.unfinished))

    telemetry.watch_event_loop(slow=0.01)
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_soon(on_book)
    await asyncio.sleep(0.001)
    assert until(lambda: lines(caplog, "the event loop was blocked for"))
    (line,) = lines(caplog, "the event loop was blocked for")
    assert ".<locals>.on_book (at support.waiting.until:" in line
    telemetry.shutdown()

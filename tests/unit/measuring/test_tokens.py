"""`record_start` and `record_end`: begun here, ended there, bounded, and counted when lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import Telemetry, record_end, record_start
from ticktrace.measuring import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

DURATION = "ticktrace.measure.duration"


def lost(telemetry: Telemetry, reason: str) -> float:
    return Captured(telemetry).value(
        "ticktrace.dropped", ticktrace__buffer__name="measure", ticktrace__drop__reason=reason
    )


def test_what_begins_here_may_end_in_another_thread_and_another_order(telemetry: Telemetry) -> None:
    first = record_start("order", venue="binance")
    second = record_start("order", venue="kraken")
    seconds: list[float | None] = []
    thread = threading.Thread(target=lambda: seconds.append(record_end(first)))
    thread.start()
    thread.join()
    seconds.append(record_end(second, TimeoutError()))
    captured = Captured(telemetry)
    assert captured.sum(DURATION, trading__venue="binance") == seconds[0]
    assert captured.sum(DURATION, trading__venue="kraken", error__type="TimeoutError") == seconds[1]
    assert lost(telemetry, "unknown_token") == 0


def test_a_token_ends_once(telemetry: Telemetry) -> None:
    token = record_start("order")
    assert record_end(token) is not None
    assert record_end(token) is None
    assert Captured(telemetry).count(DURATION) == 1
    assert lost(telemetry, "unknown_token") == 1


@pytest.mark.parametrize("token", [0, -1, "no token", None])
def test_a_token_that_never_was_is_counted(telemetry: Telemetry, token: Any) -> None:
    assert record_end(token) is None
    assert lost(telemetry, "unknown_token") == 1


def test_beyond_the_bound_the_oldest_is_forgotten_and_counted(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_MOST_OPEN", 3)
    tokens._open.clear()
    begun = [record_start("order") for _ in range(5)]
    assert [record_end(token) is not None for token in begun] == [False, False, True, True, True]
    assert lost(telemetry, "full") == 2


def test_what_began_before_telemetry_ends_in_it(start: Callable[..., Telemetry]) -> None:
    token = record_start("warm-up")
    telemetry = start()
    assert record_end(token) is not None
    assert Captured(telemetry).count(DURATION, ticktrace__measure__name="warm-up") == 1


def test_without_telemetry_the_time_is_told_all_the_same() -> None:
    seconds = record_end(record_start("nothing"))
    assert seconds is not None
    assert seconds > 0

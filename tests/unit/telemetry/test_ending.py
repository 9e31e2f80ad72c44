"""However set-up fails and shutdown is called, nothing of it lingers."""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, propagate, trace

from support.captured import Captured
from support.programs import run_program
from ticktrace import MissingExtraError, Telemetry, current_telemetry, setup_telemetry
from ticktrace.errors import UnknownExporterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HUGE = 10**310  # an integer beyond all floats
MEMORY = {"traces": ["memory"], "metrics": ["memory"], "logs": ["memory"]}


def settled(before: set[threading.Thread]) -> bool:
    """Whether all threads that were started since have ended, for which a dismissed one may need a moment."""
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(
    "timeout", [math.inf, math.nan, -1, 0, pytest.param(HUGE, id="huge"), "soon", [], None]
)
def test_any_timeout_flushes_and_shuts_down(
    start: Callable[..., Telemetry], timeout: Any, tmp_path: Path
) -> None:
    threads = set(threading.enumerate())
    before = propagate.get_global_textmap()
    telemetry = start(
        exporters={"traces": ["otlp_json_file"], "metrics": ["otlp_json_file"]},
        json_file={"directory": tmp_path},
    )
    with telemetry.trading.market(venue="x", symbol="Y", timeframe="1m").candle(close_time=1):
        pass
    assert telemetry.flush(timeout) in (True, False)
    assert telemetry.shutdown(timeout) in (True, False)
    assert not telemetry.enabled
    assert current_telemetry() is None
    assert propagate.get_global_textmap() is before
    assert settled(threads)


@pytest.mark.parametrize("timeout", [math.inf, math.nan, "soon", pytest.param(HUGE, id="huge")])
def test_a_timeout_that_is_no_limit_or_no_number_gives_the_exporters_time(
    telemetry: Telemetry, timeout: Any
) -> None:
    assert telemetry.flush(timeout) is True
    assert telemetry.shutdown(timeout) is True


def test_what_fails_at_shutdown_does_not_stop_the_rest_of_it(telemetry: Telemetry) -> None:
    def fails() -> None:
        raise RuntimeError

    undone: list[str] = []
    telemetry.undo_at_shutdown(lambda: undone.append("first"))
    telemetry.undo_at_shutdown(fails)
    telemetry.shutdown()
    assert undone == ["first"]
    assert not telemetry.enabled
    assert not trace.get_tracer("library").start_span("work").is_recording()


def test_a_shutdown_within_a_shutdown_returns(start: Callable[..., Telemetry]) -> None:
    """As a signal handler calls it, on top of the frames of the first."""
    telemetry = start()
    inner: list[bool] = []
    telemetry.undo_at_shutdown(lambda: inner.append(telemetry.shutdown()))
    assert telemetry.shutdown() is True
    assert inner == [False]


def test_log_capture_without_its_package_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set(threading.enumerate())
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.logging.handler", None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    before = propagate.get_global_textmap()
    exporters = {**MEMORY, "metrics": ["prometheus"]}
    prometheus = {"host": "127.0.0.1", "port": port, "serve": "always"}
    with pytest.raises(MissingExtraError):
        setup_telemetry("bot", exporters=exporters, prometheus=prometheus, logs={"capture": True})
    assert current_telemetry() is None
    assert settled(threads)
    assert propagate.get_global_textmap() is before
    assert not trace.get_tracer("library").start_span("work").is_recording()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5).close()


def test_a_reader_that_cannot_be_built_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The span exporter before it runs already by then."""
    threads = set(threading.enumerate())
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    monkeypatch.delitem(sys.modules, "ticktrace.exporters.prometheus", raising=False)
    with pytest.raises((MissingExtraError, UnknownExporterError)):
        setup_telemetry(
            "bot",
            exporters={"traces": ["otlp_json_file"], "metrics": ["prometheus"]},
            json_file={"directory": tmp_path},
        )
    assert settled(threads)


def test_without_the_globals_libraries_keep_theirs() -> None:
    before = propagate.get_global_textmap()
    setup_telemetry("earlier", exporters=MEMORY).shutdown()  # makes our switches the globals
    counter = metrics.get_meter("library").create_counter("things")
    with setup_telemetry("bot", exporters=MEMORY, set_global=False) as telemetry:
        assert propagate.get_global_textmap() is before
        trace.get_tracer("library").start_span("theirs").end()
        counter.add(1)
        telemetry.tracer_provider.get_tracer("bot").start_span("ours").end()
        with telemetry.trading.market(venue="x", symbol="Y", timeframe="1m").candle(close_time=1):
            pass
        captured = Captured(telemetry)
        assert [span.name for span in captured.spans] == ["ours", "candle 1m"]
        assert captured.points("things") == []
    assert propagate.get_global_textmap() is before


def test_a_set_up_that_finds_another_sdk_leaves_nothing_behind() -> None:
    said = run_program("foreign_sdk.py").stdout.splitlines()
    assert "another OpenTelemetry SDK is already set up for traces" in said[0]
    assert said[1:] == ["1 thread", "True"]

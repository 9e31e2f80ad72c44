"""What every test may rely on: a clean environment, and telemetry that is captured in memory and ended afterwards."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from ticktrace import Telemetry, current_telemetry, setup_telemetry
from ticktrace.engine import barrier
from ticktrace.runtime import host_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Behaviour that does not depend on the engine is tested on each of these.
ENGINES = ("sdk", "deferred")

OURS = ("OTEL_", "TICKTRACE_", "METRICS_", "PROMETHEUS_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable and no settings file of the machine reaches a test, and no telemetry outlives one."""
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("TICKTRACE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host_lock, "DIRECTORY", tmp_path)  # else a test beside it may tell of the host
    monkeypatch.setattr(barrier, "_last_said", {})  # else what one test has been told, another is not
    yield
    running = current_telemetry()
    if running is not None:
        running.shutdown(1.0)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where a shell has started the tests in the background, they ignore SIGINT, and so would what they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; a test that takes it runs on every one."""
    name: str = request.param
    return name


@pytest.fixture
def start(engine: str) -> Iterator[Callable[..., Telemetry]]:
    """Start telemetry on an engine, captured in memory unless the test says otherwise; it is ended afterwards."""
    started: list[Telemetry] = []

    def setup(service_name: str = "test-bot", **settings: Any) -> Telemetry:
        settings.setdefault("exporters", {"traces": ["memory"], "metrics": ["memory"], "logs": ["memory"]})
        telemetry = setup_telemetry(service_name, engine=engine, **settings)
        started.append(telemetry)
        return telemetry

    yield setup
    for telemetry in started:
        telemetry.shutdown(1.0)


@pytest.fixture
def telemetry(start: Callable[..., Telemetry]) -> Telemetry:
    """Telemetry captured in memory."""
    return start()

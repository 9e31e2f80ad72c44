from __future__ import annotations

import pytest

from ticktrace.engine import barrier, contained, internal_errors, report, warn_once


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barrier, "_last_said", {})


def test_a_contained_exception_is_counted_and_the_default_returned(caplog: pytest.LogCaptureFixture) -> None:
    @contained("default")
    def fails() -> str:
        raise RuntimeError("inside")

    before = internal_errors()
    assert fails() == "default"
    assert internal_errors() == before + 1
    assert "contained an internal error" in caplog.text
    assert "RuntimeError: inside" in caplog.text


def test_a_fault_in_a_loop_is_logged_once_and_counted_always(caplog: pytest.LogCaptureFixture) -> None:
    before = internal_errors()
    for _ in range(1_000):
        report("loop", RuntimeError("again"))
    assert internal_errors() == before + 1_000
    assert len(caplog.records) == 1


def test_what_is_remembered_of_places_is_bounded() -> None:
    for number in range(5_000):
        warn_once(f"place {number}", "hello")
    assert len(barrier._last_said) <= 1_000


def test_a_broken_log_handler_does_not_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(barrier._log, "error", broken)
    monkeypatch.setattr(barrier._log, "warning", broken)
    report("place", RuntimeError())
    warn_once("other place", "hello")

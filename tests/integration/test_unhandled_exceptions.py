"""The last words of a program that dies reach the exporters, and the interpreter says what it always said."""

from __future__ import annotations

import json

import pytest

from support.programs import start_program


@pytest.mark.parametrize(
    ("where", "status", "severity", "said"),
    [
        ("main", 1, "CRITICAL", "Traceback (most recent call last)"),
        ("thread", 0, "CRITICAL", "Exception in thread"),
        ("asyncio", 0, "ERROR", "Exception in callback feed()"),
    ],
)
def test_an_exception_that_nobody_catches_is_exported_and_still_printed(
    engine: str, where: str, status: int, severity: str, said: str
) -> None:
    program = start_program(
        "dying.py",
        where,
        OTEL_LOGS_EXPORTER="console",
        OTEL_METRICS_EXPORTER="none",
        TICKTRACE_LOGS_CAPTURE="false",
        TICKTRACE_ENGINE=engine,
    )
    out, err = program.communicate(timeout=50)
    assert program.returncode == status
    record = json.loads(out)
    assert (record["body"], record["severity_text"]) == ("the feed is gone", severity)
    assert record["attributes"]["trading.component"] == where
    assert record["attributes"]["exception.type"] == "ConnectionError"
    assert said in err
    assert "the feed is gone" in err

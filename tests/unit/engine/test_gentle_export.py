"""Live, the deferred engine exports in small batches and with pauses; what arrives is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExportResult

from support import misbehaving
from support.misbehaving import MisbehavingSpans
from ticktrace import setup_telemetry
from ticktrace.engine import delivery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan


class Encoding:
    """An exporter that goes through its spans, and notes where there were pauses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.batches: list[int] = []
        self.between: list[int] = []
        self._since = 0
        monkeypatch.setattr(delivery, "sleep", self.pause)

    def pause(self, _seconds: float) -> None:
        self.between.append(self._since)
        self._since = 0

    def __call__(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(len(spans))
        self._since = 0
        for span in spans:
            self.names.append(span.name)
            self._since += 1
        return SpanExportResult.SUCCESS


def record(engine: str, mode: str, **queue: Any) -> None:
    telemetry = setup_telemetry(
        "bot",
        engine=engine,
        mode=mode,
        exporters={"traces": [misbehaving.NAME], "metrics": ["none"]},
        traces={"queue": {"schedule_delay": 3_600.0, **queue}},
    )
    tracer = trace.get_tracer("bot")
    for number in range(300):
        tracer.start_span(f"span{number}").end()
    assert telemetry.shutdown(20)


@pytest.fixture
def encoding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Encoding:
    misbehaving.install(monkeypatch, tmp_path / "installed")
    made = Encoding(monkeypatch)
    MisbehavingSpans.behave = staticmethod(made)
    return made


def test_few_spans_are_encoded_without_a_pause(encoding: Encoding) -> None:
    record("deferred", "live")
    assert encoding.names == [f"span{number}" for number in range(300)]
    assert max(encoding.batches) <= 128
    assert encoding.between
    assert max(encoding.between) <= 8


def test_smaller_batches_are_left_as_they_were_asked_for(encoding: Encoding) -> None:
    record("deferred", "live", max_export_batch_size=10)
    assert max(encoding.batches) == 10


@pytest.mark.parametrize(("engine", "mode"), [("deferred", "backtest"), ("sdk", "live")])
def test_where_nobody_has_to_be_spared_there_are_no_pauses(
    encoding: Encoding, engine: str, mode: str
) -> None:
    record(engine, mode)
    assert sorted(encoding.names) == sorted(f"span{number}" for number in range(300))
    assert encoding.between == []

"""Accounts, guards, attendants and deadlines around exporters that fail, raise, hang or lie."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util._importlib_metadata import EntryPoint

from support.captured import Captured
from ticktrace.engine.attendant import Attendant, Deadline, wait_for_all
from ticktrace.exporters import _registry as registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace import Telemetry


class Misbehaving(SpanExporter):
    """An exporter of somebody else, found by its entry point."""

    behaviour: Callable[[Sequence[ReadableSpan]], SpanExportResult]
    release = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return type(self).behaviour(spans)

    def shutdown(self) -> None:
        self.release.set()


def raises(_: Sequence[ReadableSpan]) -> SpanExportResult:
    raise RuntimeError("exporter bug")


def refuses(_: Sequence[ReadableSpan]) -> SpanExportResult:
    return SpanExportResult.FAILURE


def lies(_: Sequence[ReadableSpan]) -> Any:
    return "fine, thanks"


def hangs(_: Sequence[ReadableSpan]) -> SpanExportResult:
    Misbehaving.release.wait(30)
    return SpanExportResult.FAILURE


@pytest.fixture
def misbehave(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., Telemetry]
) -> Iterator[Callable[..., Telemetry]]:
    """Start telemetry whose spans leave through an exporter that behaves as told."""
    point = EntryPoint("misbehaving", f"{__name__}:Misbehaving", "opentelemetry_traces_exporter")
    original: Any = vars(registry)["entry_points"]

    def entry_points(**selection: str) -> Any:
        found: list[Any] = list(original(**selection))
        if selection.get("group") == "opentelemetry_traces_exporter" and selection.get("name") in (
            None,
            point.name,
        ):
            found.append(point)
        return found

    monkeypatch.setattr(registry, "entry_points", entry_points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Misbehaving if self is point else _load(self))
    Misbehaving.release = threading.Event()

    def begin(behaviour: Callable[[Sequence[ReadableSpan]], Any], **settings: Any) -> Telemetry:
        Misbehaving.behaviour = staticmethod(behaviour)
        exporters = {"traces": ["misbehaving"], "metrics": ["memory"], "logs": ["none"]}
        return start(exporters=exporters, **settings)

    yield begin
    Misbehaving.release.set()


_load = EntryPoint.load


def record(count: int) -> None:
    tracer = trace.get_tracer("bot")
    for _ in range(count):
        with tracer.start_as_current_span("work"):
            pass


@pytest.mark.parametrize("behaviour", [raises, refuses, lies])
def test_what_an_exporter_does_not_deliver_is_counted_and_said_once(
    misbehave: Callable[..., Telemetry],
    behaviour: Callable[[Sequence[ReadableSpan]], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    telemetry = misbehave(behaviour)
    record(10)
    assert telemetry.flush() is False
    assert telemetry.shutdown() is False
    said = [entry.message for entry in caplog.records if entry.name == "ticktrace"]
    assert len([line for line in said if "fails" in line]) == 1
    (loss,) = [line for line in said if "telemetry was lost" in line]
    assert "10 of 10 spans did not reach misbehaving" in loss


def test_a_hanging_exporter_costs_no_more_than_the_deadline(
    misbehave: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = misbehave(hangs)
    record(10)
    began = time.monotonic()
    assert telemetry.flush(0.2) is False
    assert telemetry.flush(0.1) is False
    assert telemetry.shutdown(1.0) is False
    assert (
        time.monotonic() - began < 5.0
    )  # 1.3 s of deadlines, and room for a busy machine; unbounded it is 30 s
    assert "10 of 10 spans did not reach misbehaving" in caplog.text


def test_a_hanging_exporter_does_not_pile_up_threads(misbehave: Callable[..., Telemetry]) -> None:
    telemetry = misbehave(hangs)
    record(1)
    telemetry.flush(0.05)
    threads = threading.active_count()
    for _ in range(20):
        telemetry.flush(0.01)
    assert threading.active_count() == threads
    telemetry.shutdown(0.5)


def test_a_queue_that_overflows_is_counted(
    misbehave: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    delivered: list[int] = []

    def slow(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0.01)
        delivered.append(len(spans))
        return SpanExportResult.SUCCESS

    telemetry = misbehave(
        slow,
        **{"traces.queue": {"max_queue_size": 64, "max_export_batch_size": 64}, "traces.keep.max_traces": 64},
    )
    record(2_000)
    assert telemetry.shutdown() is False
    lost = 2_000 - sum(delivered)
    assert lost > 0
    reason, said = {
        "sdk": ("queue_full", f"{lost} of 2000 spans did not reach misbehaving"),
        "deferred": ("queue", f"{lost} spans found no room to wait for their verdict"),
    }[engine]
    assert Captured(telemetry).value("ticktrace.dropped", ticktrace__drop__reason=reason) == lost
    assert said in caplog.text


def test_an_attendant_hands_back_the_call_that_still_runs() -> None:
    attendant = Attendant("test")
    release = threading.Event()
    first = attendant.ask(lambda: release.wait(10))
    assert attendant.ask(lambda: True) is first
    release.set()
    assert wait_for_all([first], Deadline(5))
    assert wait_for_all([attendant.ask(lambda: True)], Deadline(5))
    attendant.dismiss()


def test_an_attendant_outlives_a_call_that_raises() -> None:
    attendant = Attendant("test")

    def fails() -> bool:
        raise RuntimeError

    assert not wait_for_all([attendant.ask(fails)], Deadline(5))
    assert wait_for_all([attendant.ask(lambda: True)], Deadline(5))
    attendant.dismiss()

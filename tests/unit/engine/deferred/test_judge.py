"""How much the judge does between two of its pauses, and that it accounts for every span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from support.deferred import Deferred
from ticktrace.engine.deferred import judge as module
from ticktrace.engine.deferred.judge import Judge
from ticktrace.engine.deferred.span_reading import ReadableLight
from ticktrace.engine.deferred.spans import LightSpan
from ticktrace.engine.deferred.tail import KeepRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine.deferred.trace_buffer import Trace

BORING = KeepRules(head=False, slower_than_p99=False)
FEW = 8


class Court:
    """A judge over a provider, and what it said."""

    def __init__(self, rules: KeepRules, *, explain: bool = False, **provider: Any) -> None:
        self.deferred = Deferred({}, {"record_unsampled": True, **provider})
        self.verdicts: list[tuple[str, bool, int]] = []
        self.judge = Judge(
            self.deferred.buffer,
            self.deferred.provider,
            rules,
            explain=explain,
            on_verdict=lambda *verdict: self.verdicts.append(verdict),
        )

    def make(self, spans: int, events: int = 0, **attributes: Any) -> None:
        with self.deferred.tracer.start_as_current_span("root", attributes=attributes):
            for _ in range(spans - 1):
                with self.deferred.tracer.start_as_current_span("child", attributes=attributes) as span:
                    for number in range(events):
                        span.add_event("event", {"number": number})

    def drain(self) -> None:
        for _ in self.judge.steps():
            pass


class Counted:
    """How often something was done in each piece of the judge's work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.now = 0

    def calls_of(self, place: Any, name: str) -> None:
        original = getattr(place, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.now += 1
            return original(*args, **kwargs)

        self._monkeypatch.setattr(place, name, call)

    def by_piece(self, court: Court) -> list[int]:
        pieces = []
        self.now = 0
        for _ in court.judge.steps():
            pieces.append(self.now)
            self.now = 0
        return [*pieces, self.now]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.mark.parametrize("rules", [KeepRules(), BORING], ids=["kept", "dropped"])
def test_a_large_trace_is_looked_at_a_few_spans_at_a_time(counted: Counted, rules: KeepRules) -> None:
    court = Court(rules)
    court.make(1_000)
    counted.calls_of(module, "_happened")
    pieces = counted.by_piece(court)
    assert sum(pieces) == 1_000
    assert max(pieces) <= FEW


def test_spans_that_are_dropped_are_let_go_of_a_few_at_a_time(counted: Counted) -> None:
    court = Court(BORING)
    court.make(1_000)
    counted.calls_of(LightSpan, "forget")
    pieces = counted.by_piece(court)
    assert sum(pieces) == 1_000
    assert max(pieces) <= FEW


def test_attribute_rules_are_looked_at_a_few_spans_at_a_time(counted: Counted) -> None:
    court = Court(KeepRules(head=False, slower_than_p99=False, attributes={"a": "1", "b": "2"}))
    court.make(1_000, c="3")
    counted.calls_of(KeepRules, "match")
    pieces = counted.by_piece(court)
    assert sum(pieces) == 1_000
    assert max(pieces) <= FEW


def test_kept_spans_are_delivered_one_by_one(counted: Counted) -> None:
    court = Court(KeepRules())
    court.make(1_000)
    counted.calls_of(court.deferred.provider, "deliver")
    pieces = counted.by_piece(court)
    assert sum(pieces) == 1_000
    assert max(pieces) == 1


def test_the_events_and_links_of_one_span_are_built_a_few_at_a_time(counted: Counted) -> None:
    court = Court(KeepRules())
    other = court.deferred.tracer.start_span("other")
    span = court.deferred.tracer.start_span(
        "large", links=[trace.Link(other.get_span_context(), {"number": number}) for number in range(128)]
    )
    for number in range(128):
        span.add_event("event", {f"key{each}": number for each in range(128)})
    span.end()
    counted.calls_of(ReadableLight, "built_event")
    counted.calls_of(ReadableLight, "built_link")
    pieces = counted.by_piece(court)
    assert sum(pieces) == 256
    assert max(pieces) <= FEW
    (exported,) = court.deferred.exporter.get_finished_spans()
    assert [dict(event.attributes or {})["key0"] for event in exported.events] == list(range(128))
    assert [dict(link.attributes or {})["number"] for link in exported.links] == list(range(128))


def test_a_delivered_span_returns_its_memory_before_the_next_is_built() -> None:
    """Else a thousand spans would be let go of at once, when the last one was."""
    court = Court(KeepRules())
    held: list[int] = []

    class Watching(InMemorySpanExporter):
        def export(self, spans: Any) -> Any:
            held.append(len(court.judge._hand))
            return super().export(spans)

    court.deferred.provider.add_span_processor(SimpleSpanProcessor(Watching()))
    court.make(50)
    court.drain()
    assert held == list(range(49, -1, -1))


def test_traces_that_are_swept_are_looked_at_in_pieces() -> None:
    court = Court(KeepRules())
    for _ in range(1_000):
        root = court.deferred.tracer.start_span("root", trace.set_span_in_context(trace.INVALID_SPAN))
        court.deferred.tracer.start_span("child", trace.set_span_in_context(root)).end()
    assert sum(1 for _ in court.judge.steps()) >= 10
    assert court.verdicts == []


def late_child(court: Court) -> Callable[[], None]:
    root = court.deferred.tracer.start_span("root")
    child = court.deferred.tracer.start_span("late", trace.set_span_in_context(root))
    root.end()
    return child.end


@pytest.mark.parametrize(
    ("rules", "reason", "kept"),
    [(KeepRules(), "head", True), (BORING, "boring", False)],
    ids=["kept", "dropped"],
)
def test_spans_that_end_after_the_verdict_are_told_with_its_reason(
    rules: KeepRules, reason: str, kept: bool
) -> None:
    court = Court(rules)
    end_child = late_child(court)
    court.drain()
    end_child()
    court.drain()
    assert court.verdicts == [(reason, kept, 1), (reason, kept, 1)]
    assert len(court.deferred.exporter.get_finished_spans()) == (2 if kept else 0)


def test_a_span_that_ends_while_its_trace_is_judged_is_told_once() -> None:
    court = Court(KeepRules())
    end_child = late_child(court)
    steps = court.judge.steps()
    next(steps)
    end_child()
    for _ in steps:
        pass
    court.drain()
    assert sum(spans for _, _, spans in court.verdicts) == 2
    assert len(court.deferred.exporter.get_finished_spans()) == 2


def test_what_the_limits_have_cost_is_told_of_spans_that_were_not_sampled_either() -> None:
    court = Court(
        KeepRules(slower_than={"*": 1e-9}),
        sampler=ALWAYS_OFF,
        span_limits=SpanLimits(max_attributes=2, max_events=1),
    )
    with court.deferred.tracer.start_as_current_span("root") as span:
        for number in range(3):
            span.set_attribute(f"key{number}", number)
            span.add_event("event")
    court.drain()
    (exported,) = court.deferred.exporter.get_finished_spans()
    assert exported.context.trace_flags.sampled
    assert (exported.dropped_attributes, exported.dropped_events) == (1, 2)
    assert isinstance(exported._attributes, BoundedAttributes)
    assert not span.get_span_context().trace_flags.sampled  # other services were told so


def test_what_cannot_be_judged_is_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    court = Court(BORING)

    def fail(*_: object) -> int:
        raise RuntimeError("bug")

    monkeypatch.setattr(module, "_happened", fail)
    court.make(2)
    court.drain()
    assert court.verdicts == [("head", True, 2)]
    assert "contained an internal error in judge" in caplog.text


def test_a_processor_that_exits_costs_one_span_of_those_in_hand() -> None:
    court = Court(KeepRules())

    class Exiting(InMemorySpanExporter):
        def export(self, spans: Any) -> Any:
            if spans[0].attributes.get("number") == 2:
                raise SystemExit(1)
            return super().export(spans)

    exporter = Exiting()
    court.deferred.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with court.deferred.tracer.start_as_current_span("root"):
        for number in range(5):
            court.deferred.tracer.start_span("child", attributes={"number": number}).end()
    with pytest.raises(SystemExit):
        court.drain()
    court.drain()
    assert [(span.attributes or {}).get("number") for span in exporter.get_finished_spans()] == [
        0,
        1,
        3,
        4,
        None,
    ]


def test_what_is_abandoned_includes_what_is_in_hand() -> None:
    court = Court(KeepRules())
    court.make(5)
    court.make(3)
    steps = court.judge.steps()
    while not court.deferred.exporter.get_finished_spans():
        next(steps)
    assert court.judge.abandon("shutdown") == 4 + 3
    assert sum(spans for _, spans in court.deferred.dropped) == 7


def test_the_reason_stands_on_the_trace_and_its_root() -> None:
    court = Court(KeepRules(), explain=True)
    noted: list[Trace] = []
    court.make(2)
    noted += court.deferred.buffer.ended
    court.drain()
    assert [each.note for each in noted] == ["head"]
    root = next(span for span in court.deferred.exporter.get_finished_spans() if span.name == "root")
    assert (root.attributes or {})["ticktrace.keep.reason"] == "head"

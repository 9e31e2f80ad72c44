from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context

from ticktrace.engine import NANOSECONDS
from ticktrace.engine.deferred.trace_buffer import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from support.deferred import Deferred


def test_a_trace_waits_as_one_piece_once_its_root_has_ended(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("root"):
        with deferred.tracer.start_as_current_span("child"):
            pass
        assert deferred.buffer.take() == []
    (waiting,) = deferred.buffer.take()
    assert (waiting.closed, waiting.cut, waiting.verdict) == (True, None, Verdict.UNDECIDED)
    assert [span.name for span in waiting.take()] == ["child", "root"]
    assert waiting.take() == []
    assert (len(deferred.buffer), deferred.buffer.live) == (0, {})


def test_a_child_that_ends_after_its_root_shares_the_verdict(deferred: Deferred) -> None:
    for verdict in (Verdict.KEPT, Verdict.DROPPED):
        root = deferred.tracer.start_span("root")
        child = deferred.tracer.start_span("child", trace.set_span_in_context(root))
        root.end()
        (waiting,) = deferred.buffer.take()
        waiting.take()
        waiting.verdict = verdict
        waiting.release()
        child.end()
        late = deferred.buffer.take()
        assert late == ([waiting] if verdict is Verdict.KEPT else [])
        assert len(waiting.take()) == (verdict is Verdict.KEPT)


def test_a_flush_exports_the_ended_children_of_a_root_that_still_runs(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("root"):
        with deferred.tracer.start_as_current_span("child"):
            pass
        assert deferred.names() == ["child"]
    assert deferred.names() == ["child", "root"]


def test_a_root_that_nobody_ends_does_not_keep_its_children_for_ever(make: Callable[..., Deferred]) -> None:
    deferred = make({"max_age_seconds": 60.0})
    root = deferred.tracer.start_span("abandoned")
    deferred.tracer.start_span("child", trace.set_span_in_context(root)).end()
    assert deferred.buffer.sweep() == 0
    now = deferred.buffer.now() + 61 * NANOSECONDS
    deferred.buffer.now = lambda: now
    assert deferred.buffer.sweep() == 1
    (waiting,) = deferred.buffer.take()
    assert (waiting.cut, len(waiting.spans), deferred.buffer.live) == ("age", 1, {})


def test_a_trace_with_many_spans_is_handed_over_in_parts(make: Callable[..., Deferred]) -> None:
    deferred = make({"max_spans_per_trace": 10})
    with deferred.tracer.start_as_current_span("root"):
        for _ in range(25):
            deferred.tracer.start_span("child").end()
            deferred.provider.drain()
    assert len(deferred.exported()) == 26
    assert deferred.dropped == []


def test_late_spans_beyond_the_bound_are_dropped_and_counted(make: Callable[..., Deferred]) -> None:
    deferred = make({"max_spans_per_trace": 10})
    with deferred.tracer.start_as_current_span("root"):
        for _ in range(25):
            deferred.tracer.start_span("child").end()
    assert len(deferred.exported()) == 10
    assert sum(spans for _, spans in deferred.dropped) == 16
    assert {reason for reason, _ in deferred.dropped} == {"spans"}


def test_traces_beyond_the_bound_are_dropped_and_counted(make: Callable[..., Deferred]) -> None:
    woken: list[int] = []
    deferred = make({"max_traces": 4, "wake": lambda: woken.append(1)})
    for i in range(7):
        with deferred.tracer.start_as_current_span(f"root{i}"):
            deferred.tracer.start_span("child").end()
    assert woken == [1]
    assert deferred.dropped == [("queue", 2)] * 3
    assert len(deferred.exported()) == 8


def test_unfinished_traces_beyond_the_bound_are_cut_oldest_first(make: Callable[..., Deferred]) -> None:
    deferred = make({"max_traces": 3})
    roots = []
    for i in range(5):
        root = deferred.tracer.start_span(f"root{i}", Context())
        deferred.tracer.start_span(f"child{i}", trace.set_span_in_context(root)).end()
        roots.append(root)
    waiting = deferred.buffer.take()
    assert [(each.cut, each.spans[0].name) for each in waiting] == [("count", "child0"), ("count", "child1")]
    assert len(deferred.buffer.live) == 3


def test_nothing_is_lost_between_threads_that_end_spans_and_one_that_drains(deferred: Deferred) -> None:
    ended = threading.Event()
    counts = [0, 0]

    def drain() -> None:
        while not ended.is_set() or len(deferred.buffer):
            for waiting in deferred.buffer.take():
                waiting.verdict = Verdict.KEPT
                counts[0] += len(waiting.take())

    def child(root: trace.Span) -> None:
        deferred.tracer.start_span("child", trace.set_span_in_context(root)).end()

    drainer = threading.Thread(target=drain)
    drainer.start()
    for _ in range(200):
        root = deferred.tracer.start_span("root", Context())
        threads = [threading.Thread(target=child, args=(root,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        root.end()
        for thread in threads:
            thread.join()
    ended.set()
    drainer.join()
    assert counts[0] == 800


def test_an_account_that_fails_does_not_reach_the_application(make: Callable[..., Deferred]) -> None:
    def fail(reason: str, spans: int) -> None:
        raise RuntimeError(reason, spans)

    deferred = make({"max_traces": 1, "on_dropped": fail})
    for _ in range(2):
        deferred.tracer.start_span("root").end()
    assert deferred.names() == ["root"]


def test_children_that_end_after_their_trace_was_dropped_for_lack_of_room_are_counted_too(
    make: Callable[..., Deferred],
) -> None:
    deferred = make({"max_traces": 1})
    deferred.tracer.start_span("first").end()
    root = deferred.tracer.start_span("second")
    child = deferred.tracer.start_span("child", trace.set_span_in_context(root))
    root.end()
    assert deferred.dropped == [("queue", 1)]
    child.end()
    assert deferred.dropped == [("queue", 1)] * 2
    assert deferred.names() == ["first"]


def test_children_that_end_after_their_trace_was_decided_against_are_told(deferred: Deferred) -> None:
    told: list[tuple[bool, int]] = []
    deferred.buffer.on_late_discard = lambda _, kept, spans: told.append((kept, spans))
    root = deferred.tracer.start_span("root")
    child = deferred.tracer.start_span("child", trace.set_span_in_context(root))
    root.end()
    (waiting,) = deferred.buffer.take()
    waiting.verdict = Verdict.DROPPED
    waiting.take()
    child.end()
    assert (told, len(waiting.spans)) == ([(False, 1)], 0)


def test_traces_are_taken_one_by_one_and_what_comes_meanwhile_waits(deferred: Deferred) -> None:
    for _ in range(3):
        deferred.tracer.start_span("root").end()
    left = []
    for _ in deferred.buffer.taking():
        left.append(len(deferred.buffer))
        deferred.tracer.start_span("root").end()
    assert left == [2, 2, 2]
    assert len(deferred.buffer) == 3


def test_where_room_is_made_nothing_is_dropped(make: Callable[..., Deferred]) -> None:
    """For traces, for late spans, and for traces with late spans."""
    deferred = make({"max_traces": 3, "max_spans_per_trace": 4})

    def relieve(has_room: Callable[[], bool]) -> bool:
        assert not has_room()
        for _ in deferred.provider.steps():
            pass
        return has_room()

    deferred.buffer.relieve = relieve
    for _ in range(10):
        deferred.tracer.start_span("root").end()
    roots = [deferred.tracer.start_span("parent", Context()) for _ in range(5)]
    children = [
        deferred.tracer.start_span("child", trace.set_span_in_context(root))
        for root in roots
        for _ in range(10)
    ]
    for span in (*roots, *children):
        span.end()
    assert len(deferred.exported()) == 65
    assert deferred.dropped == []


def test_where_room_cannot_be_made_the_drop_is_counted(
    make: Callable[..., Deferred], caplog: pytest.LogCaptureFixture
) -> None:
    deferred = make({"max_traces": 1})
    for fails in (False, True):

        def relieve(has_room: Callable[[], bool], fails: bool = fails) -> bool:
            if fails:
                raise RuntimeError("bug")
            return has_room()

        deferred.buffer.relieve = relieve
        deferred.tracer.start_span("root").end()
        deferred.tracer.start_span("root").end()
    assert deferred.dropped == [("queue", 1)] * 3
    assert "trace_buffer.relieve" in caplog.text


def test_sweeping_looks_at_few_traces_at_a_time(deferred: Deferred) -> None:
    roots = [deferred.tracer.start_span("root", Context()) for _ in range(1_000)]
    for root in roots:
        deferred.tracer.start_span("child", trace.set_span_in_context(root)).end()
    cut = list(deferred.buffer.sweeping(everything=True))
    assert sum(cut) == 1_000
    assert max(cut) <= 100


def test_what_is_abandoned_is_counted(deferred: Deferred) -> None:
    for _ in range(3):
        with deferred.tracer.start_as_current_span("root"):
            deferred.tracer.start_span("child").end()
    assert deferred.buffer.abandon("shutdown", 4) == 10
    assert sum(spans for _, spans in deferred.dropped) == 10
    assert {reason for reason, _ in deferred.dropped} == {"shutdown"}
    assert deferred.names() == []

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import SpanKind, StatusCode

from ticktrace.engine import internal_errors
from ticktrace.engine.deferred.spans import LightSpan

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.deferred import Deferred


# What the SDK documents, and people rely on.


def test_a_block_makes_its_span_current_and_restores_the_one_before(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("outer") as outer:
        with deferred.tracer.start_as_current_span("inner") as inner:
            assert trace.get_current_span() is inner
        assert trace.get_current_span() is outer
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_other_values_of_the_context_stay_beside_the_current_span(deferred: Deferred) -> None:
    token = otel_context.attach(otel_context.set_value("key", "kept"))
    with deferred.tracer.start_as_current_span("a"), deferred.tracer.start_as_current_span("b"):
        assert otel_context.get_value("key") == "kept"
    otel_context.detach(token)


def test_start_as_current_span_starts_nothing_before_the_block(deferred: Deferred) -> None:
    deferred.tracer.start_as_current_span("never entered")
    assert deferred.names() == []


def test_an_exception_is_recorded_and_sets_the_status_of_its_span_and_those_above(deferred: Deferred) -> None:
    start = deferred.tracer.start_as_current_span
    with pytest.raises(ValueError, match="no fill"), start("outer"), start("inner", record_exception=False):
        raise ValueError("no fill")
    inner, outer = deferred.exported()
    assert (inner.events, inner.status.status_code) == ((), StatusCode.ERROR)
    assert outer.status.description == "ValueError: no fill"
    (event,) = outer.events
    attributes = dict(event.attributes or {})
    stack = attributes.pop("exception.stacktrace")
    assert attributes == {
        "exception.type": "ValueError",
        "exception.message": "no fill",
        "exception.escaped": "False",
    }
    assert 'raise ValueError("no fill")' in str(stack)


def test_a_cancelled_task_is_no_error_of_a_current_span(deferred: Deferred) -> None:
    with pytest.raises(asyncio.CancelledError), deferred.tracer.start_as_current_span("a"):
        raise asyncio.CancelledError
    (span,) = deferred.exported()
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())


def test_a_plain_span_as_a_block_records_every_exception_as_escaped(deferred: Deferred) -> None:
    with pytest.raises(KeyboardInterrupt), deferred.tracer.start_span("a"):
        raise KeyboardInterrupt
    (span,) = deferred.exported()
    assert (span.events[0].attributes or {})["exception.escaped"] == "True"


async def test_a_decorated_coroutine_is_one_span_for_each_call(deferred: Deferred) -> None:
    @deferred.tracer.start_as_current_span("call", kind=SpanKind.CLIENT)
    async def call() -> trace.Span:
        await asyncio.sleep(0)
        return trace.get_current_span()

    first, second = await asyncio.gather(call(), call())
    assert first is not second
    assert [span.kind for span in deferred.exported()] == [SpanKind.CLIENT] * 2


def test_a_decorated_function_keeps_its_name_and_its_result(deferred: Deferred) -> None:
    @deferred.tracer.start_as_current_span("call")
    def add(a: int, *, b: int) -> int:
        return a + b

    assert (add.__name__, add(1, b=2), add(3, b=4)) == ("add", 3, 7)
    assert deferred.names() == ["call", "call"]


def test_ok_is_final_and_unset_is_ignored(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("a") as span:
        span.set_status(StatusCode.ERROR, "first")
        span.set_status(StatusCode.UNSET)
        span.set_status(StatusCode.OK)
        span.set_status(StatusCode.ERROR, "too late")
    assert deferred.exported()[0].status.status_code is StatusCode.OK


def test_what_comes_after_the_end_is_ignored_with_the_sdks_warning(
    deferred: Deferred, caplog: pytest.LogCaptureFixture
) -> None:
    span = deferred.tracer.start_span("a")
    span.end()
    assert not span.is_recording()
    span.set_attribute("late", 1)
    span.set_attributes({"late": 1})
    span.add_event("late")
    span.add_link(span.get_span_context())
    span.record_exception(ValueError())
    span.update_name("late")
    span.set_status(StatusCode.ERROR)
    span.end()
    said = [record.getMessage() for record in caplog.records if record.name == "opentelemetry.sdk.trace"]
    assert said == [
        "Setting attribute on ended span.",
        "Setting attribute on ended span.",
        "Tried calling _add_event on an ended span.",
        "Tried calling _add_link on an ended span.",
        "Tried calling _add_event on an ended span.",
        "Tried calling update_name on an ended span.",
        "Tried calling set_status on an ended span.",
        "Calling end() on an ended span.",
    ]
    (exported,) = deferred.exported()
    assert (exported.name, dict(exported.attributes or {}), exported.events) == ("a", {}, ())


def test_leaving_a_block_in_another_context_is_logged_and_does_not_raise(
    deferred: Deferred, caplog: pytest.LogCaptureFixture
) -> None:
    block = deferred.tracer.start_as_current_span("a")
    contextvars.copy_context().run(block.__enter__)
    with caplog.at_level(logging.ERROR, "opentelemetry.context"):
        block.__exit__(None, None, None)
    assert "Failed to detach context" in caplog.text
    assert deferred.names() == ["a"]


def test_durations_follow_the_monotonic_clock_and_explicit_times_are_kept(
    make: Callable[..., Deferred],
) -> None:
    deferred = make()
    buffer = deferred.buffer
    buffer.now, buffer.wall = (
        itertools.chain((100, 107, 115, 130), itertools.repeat(0)).__next__,
        lambda: 5_000,
    )
    with deferred.tracer.start_as_current_span("root"):
        with deferred.tracer.start_as_current_span("child"):
            pass
        deferred.tracer.start_span("explicit", start_time=1).end(2)
    spans = [(span.name, span.start_time, span.end_time) for span in deferred.exported()]
    assert spans == [("child", 5_007, 5_015), ("explicit", 1, 2), ("root", 5_000, 5_030)]


@pytest.mark.parametrize("several", [True, False])
def test_an_attribute_that_is_set_again_is_the_last_to_be_dropped(
    make: Callable[..., Deferred], several: bool
) -> None:
    deferred = make(span_limits=SpanLimits(max_span_attributes=2))
    with deferred.tracer.start_as_current_span("a", attributes={"old": 1, "older": 1}) as span:
        for key in ("old", "new"):
            if several:
                span.set_attributes({key: 2})
            else:
                span.set_attribute(key, 2)
    assert list((deferred.exported()[0].attributes or {}).items()) == [("old", 2), ("new", 2)]


# What is our own.


def test_ids_are_drawn_when_somebody_asks_and_hold_together_whoever_is_asked_first(
    deferred: Deferred,
) -> None:
    start = deferred.tracer.start_as_current_span
    with start("root") as root, start("child") as child:
        assert isinstance(root, LightSpan)
        assert root.made_context is None
        asked = child.get_span_context()
        assert root.made_context is None
    told_child, told_root = deferred.exported()
    assert told_child.context == asked
    assert told_child.parent == told_root.context
    assert told_root.context is not None
    assert told_root.context.trace_id == asked.trace_id


def test_threads_that_ask_at_once_are_told_the_same_ids(deferred: Deferred) -> None:
    for _ in range(50):
        root = deferred.tracer.start_span("root")
        inside = trace.set_span_in_context(root)
        spans = [root, *(deferred.tracer.start_span("child", inside) for _ in range(3))]
        told: list[trace.SpanContext] = []
        gate = threading.Barrier(8)

        def ask(span: trace.Span, gate: threading.Barrier = gate, told: list[Any] = told) -> None:
            gate.wait()
            told.append(span.get_span_context())

        threads = [threading.Thread(target=ask, args=(span,)) for span in spans * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({ids.span_id for ids in told}) == 4
        assert len({ids.trace_id for ids in told}) == 1


def test_two_threads_that_end_a_span_export_it_once(deferred: Deferred) -> None:
    for _ in range(100):
        span = deferred.tracer.start_span("a")
        threads = [threading.Thread(target=span.end) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert deferred.names() == ["a"] * 100


def test_the_caller_may_change_what_he_gave(deferred: Deferred) -> None:
    given: dict[str, Any] = {"levels": [1, 2], "plain": 1}
    with deferred.tracer.start_as_current_span("a", attributes=given) as span:
        span.set_attribute("single", given["levels"])
        span.set_attributes({"several": given["levels"]})
        span.add_event("event", given)
        given["levels"].append(3)
        given["plain"] = 2
    (exported,) = deferred.exported()
    assert exported.attributes == {"levels": (1, 2), "plain": 1, "single": (1, 2), "several": (1, 2)}
    assert exported.events[0].attributes == {"levels": (1, 2), "plain": 1}


def test_values_and_exceptions_that_cannot_be_shown_do_not_reach_the_application(deferred: Deferred) -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    before = internal_errors()
    with (  # noqa: PT012  all of it belongs to the span
        pytest.raises(BrokenError),
        deferred.tracer.start_as_current_span("a") as span,
    ):
        span.set_attribute("broken", BrokenError())  # type: ignore[arg-type]
        span.set_attributes({"broken": BrokenError()})  # type: ignore[dict-item]
        span.add_event("event", {"broken": BrokenError()})  # type: ignore[dict-item]
        raise BrokenError
    assert internal_errors() - before == 5
    assert deferred.names() == ["a"]


def test_a_started_span_can_be_read_like_the_sdks(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("root", kind=SpanKind.SERVER, attributes={"a": 1}) as span:
        span.add_event("event", {"b": 2}, timestamp=7)
        reading: Any = span
        assert (reading.name, reading.kind, reading.parent) == ("root", SpanKind.SERVER, None)
        assert (reading.context, dict(reading.attributes)) == (span.get_span_context(), {"a": 1})
        assert [(event.name, event.timestamp) for event in reading.events] == [("event", 7)]
        assert (reading.end_time, reading.status.status_code, reading.links) == (None, StatusCode.UNSET, ())
        assert (reading.instrumentation_scope.name, reading.dropped_attributes) == ("tests", 0)


class Late(LightSpan):
    __slots__ = ()
    asked = 0

    def describe(self) -> None:
        type(self).asked += 1
        self.raw_name = "told late"
        self.tell({"from": "describe", "mine": 1})
        self.tell_event("told", {"x": 1}, self.start_time)


def test_a_subclass_describes_itself_once_and_only_when_read(deferred: Deferred) -> None:
    tracer: Any = deferred.tracer
    Late.asked = 0
    for _ in range(2):
        new = deferred.buffer.begin(tracer.provider.sampled_flags)
        new.root = span = Late(tracer, new, "", None, SpanKind.INTERNAL, {}, new.created + new.offset)
        span.set_attribute("from", "the application")
        span.end()
    assert Late.asked == 0
    for trace_ in deferred.buffer.take()[:1]:
        trace_.take()
    first = span
    assert (first.name, first.name) == ("told late", "told late")
    assert Late.asked == 1
    assert dict(first.attributes) == {"from": "the application", "mine": 1}
    assert [event.name for event in first.events] == ["told"]


def test_a_subclass_that_fails_to_describe_itself_is_exported_as_it_was(deferred: Deferred) -> None:
    class Failing(LightSpan):
        __slots__ = ()

        def describe(self) -> None:
            raise RuntimeError

    tracer: Any = deferred.tracer
    new = deferred.buffer.begin(tracer.provider.sampled_flags)
    new.root = Failing(tracer, new, "kept", None, SpanKind.INTERNAL, {"a": 1}, 5)
    new.root.end()
    (exported,) = deferred.exported()
    assert (exported.name, exported.attributes) == ("kept", {"a": 1})


def test_a_link_to_a_light_span_asks_for_no_ids_until_it_is_read(deferred: Deferred) -> None:
    order = deferred.tracer.start_span("order")
    fill = deferred.tracer.start_span("fill")
    assert isinstance(order, LightSpan)
    assert isinstance(fill, LightSpan)
    fill.link_to(order, {"why": "filled"})
    assert order.made_context is None
    fill.end()
    (exported,) = deferred.exported()
    assert exported.links[0].context == order.get_span_context()
    assert exported.links[0].attributes == {"why": "filled"}


def test_a_span_that_sets_one_attribute_for_ever_stays_small(make: Callable[..., Deferred]) -> None:
    deferred = make(span_limits=SpanLimits(max_span_attributes=4, max_events=3))
    with deferred.tracer.start_as_current_span("a") as span:
        for i in range(10_000):
            span.set_attribute(f"key{i}", i)
            span.add_event(f"event{i}")
        assert isinstance(span, LightSpan)
        assert (len(span.raw_attributes), len(span.raw_events or ())) == (4, 3)
    (exported,) = deferred.exported()
    assert (exported.dropped_attributes, exported.dropped_events) == (9_996, 9_997)


def test_a_judged_trace_is_freed_without_the_garbage_collector(deferred: Deferred) -> None:
    gc.disable()
    try:
        with (
            deferred.tracer.start_as_current_span("root"),
            deferred.tracer.start_as_current_span("child") as child,
        ):
            seen = weakref.ref(child)
        del child
        deferred.exported()
        deferred.exporter.clear()
        assert seen() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_and_its_parent_agree_on_the_ids_of_the_current_span(deferred: Deferred) -> None:
    with deferred.tracer.start_as_current_span("a") as span:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, span.get_span_context().span_id.to_bytes(8, "big"))
            os._exit(0)
        os.waitpid(child, 0)
        assert int.from_bytes(os.read(reading, 8), "big") == span.get_span_context().span_id
        os.close(reading)
        os.close(writing)

from __future__ import annotations

import queue as stdlib
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import Tracer, get_current_span

from ticktrace.propagation import TracedThreadQueue, current_links

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def test_a_span_started_in_the_consuming_thread_is_a_child_of_the_producers(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    queue: TracedThreadQueue[int | None] = TracedThreadQueue()

    def consume() -> None:
        with queue.receive(timeout=10, task_done=True) as item:
            assert item is None
            tracer.start_span("consume").end()
        assert not get_current_span().get_span_context().is_valid

    thread = threading.Thread(target=consume)
    thread.start()
    with tracer.start_as_current_span("produce"):
        queue.put(None)
    thread.join()
    queue.join()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["consume"].parent == spans["produce"].context


def test_by_link_the_consumer_begins_a_trace_of_its_own(tracer: Tracer) -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue()
    with tracer.start_as_current_span("produce") as span:
        queue.put(1)
    with queue.receive(relation="link"):
        assert not get_current_span().get_span_context().is_valid
        assert [link.context for link in current_links()] == [span.get_span_context()]


def test_a_batch_links_to_each_producer_and_stops_at_its_limit(tracer: Tracer) -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue()
    for number in range(3):
        with tracer.start_as_current_span("produce"):
            queue.put(number)
    with queue.receive_many(2, task_done=True) as items:
        assert (items, len(current_links())) == ([0, 1], 2)
    with queue.receive_many(9, task_done=True) as items:
        assert (items, len(current_links())) == ([2], 1)
    queue.join()
    with pytest.raises(ValueError, match="at least 1"):
        queue.receive_many(0)


def test_the_wait_is_reported_in_the_consumer() -> None:
    now = 5.0
    waits: list[float] = []
    queue: TracedThreadQueue[int] = TracedThreadQueue(on_wait=waits.append, clock=lambda: now)
    queue.put_nowait(1)
    now = 5.5
    assert queue.get() == 1
    assert waits == [0.5]


def test_full_and_empty_and_timeouts_are_those_of_the_standard_library() -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue(1)
    with pytest.raises(stdlib.Empty):
        queue.get_nowait()
    with pytest.raises(stdlib.Empty):
        queue.get(timeout=0.001)
    with pytest.raises(stdlib.Empty), queue.receive(block=False):
        pytest.fail("there was nothing to receive")
    queue.put(1)
    assert (queue.full(), queue.empty(), queue.qsize(), queue.depth, queue.maxsize) == (True, False, 1, 1, 1)
    with pytest.raises(stdlib.Full):
        queue.put_nowait(2)
    with pytest.raises(stdlib.Full):
        queue.put(2, timeout=0.001)
    queue.get()
    queue.task_done()
    with pytest.raises(ValueError, match="too many"):
        queue.task_done()


@pytest.mark.parametrize("kind", [stdlib.LifoQueue, stdlib.PriorityQueue, stdlib.SimpleQueue])
def test_an_existing_queue_keeps_its_order(kind: type[stdlib.Queue[int]]) -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue(queue=kind())
    bare = kind()
    for number in (2, 3, 1):
        queue.put(number)
        bare.put(number)
    assert [queue.get() for _ in range(3)] == [bare.get() for _ in range(3)]
    with pytest.raises(ValueError, match="maxsize"):
        TracedThreadQueue(3, queue=bare)


def test_four_producers_and_two_consumers_lose_nothing(tracer: Tracer) -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue(8)
    seen: list[int] = []

    def produce(start: int) -> None:
        for number in range(start, start + 250):
            with tracer.start_as_current_span("produce"):
                queue.put(number)

    def consume() -> None:
        while True:
            with queue.receive(task_done=True) as item:
                if item < 0:
                    return
                seen.append(item)

    consumers = [threading.Thread(target=consume) for _ in range(2)]
    producers = [threading.Thread(target=produce, args=(start,)) for start in (0, 250, 500, 750)]
    for thread in consumers + producers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        queue.put(-1)
    for thread in consumers:
        thread.join()
    queue.join()
    assert sorted(seen) == list(range(1000))


def test_every_public_method_of_the_standard_queue_is_forwarded() -> None:
    """A method that only the base class had would work on state that was never set up."""
    public = {name for name in dir(stdlib.Queue) if not name.startswith("_")}
    assert public <= set(vars(TracedThreadQueue))
    queue: TracedThreadQueue[int] = TracedThreadQueue()
    queue.put(1)
    assert isinstance(queue, stdlib.Queue)
    assert queue.unfinished_tasks == 1
    with queue.mutex:
        assert len(queue.queue) == 1


@pytest.mark.skipif(sys.version_info < (3, 13), reason="queue.Queue.shutdown is new in Python 3.13")
def test_shutdown_lets_the_rest_out_and_then_says_so() -> None:
    queue: TracedThreadQueue[int] = TracedThreadQueue()
    queue.put(1)
    queue.shutdown()  # type: ignore[attr-defined]  # Python 3.13
    with pytest.raises(stdlib.ShutDown):  # type: ignore[attr-defined]  # Python 3.13
        queue.put(2)
    with queue.receive_many(5) as items:
        assert items == [1]
    with pytest.raises(stdlib.ShutDown):  # type: ignore[attr-defined]  # Python 3.13
        queue.get()

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage
from opentelemetry.trace import Tracer, get_current_span

from ticktrace.propagation import TracedQueue, attached, current_links

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


async def test_a_span_started_in_the_consumer_is_a_child_of_the_producers(tracer: Tracer) -> None:
    queue: TracedQueue[str] = TracedQueue()

    async def consume() -> None:
        async with queue.receive() as item:
            assert item == "tick"
            span = tracer.start_span("consume")
            assert span.parent is not None  # type: ignore[attr-defined]  # the SDK's span
            parents.append(span.parent.span_id)  # type: ignore[attr-defined]  # the SDK's span
        assert not get_current_span().get_span_context().is_valid

    parents: list[int] = []
    consumer = asyncio.create_task(consume())
    with tracer.start_as_current_span("produce") as producer:
        await queue.put("tick")
    await consumer
    assert parents == [producer.get_span_context().span_id]


async def test_baggage_travels_with_the_item() -> None:
    queue: TracedQueue[int] = TracedQueue()
    with attached(baggage.set_baggage("strategy", "momentum")):
        queue.put_nowait(1)
    async with queue.receive():
        assert baggage.get_baggage("strategy") == "momentum"
    assert baggage.get_baggage("strategy") is None


async def test_by_link_the_consumer_begins_a_trace_of_its_own(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    queue: TracedQueue[int] = TracedQueue(relation="link")
    with tracer.start_as_current_span("produce"):
        queue.put_nowait(1)
    async with queue.receive():
        tracer.start_span("consume", links=current_links()).end()
    assert current_links() == ()
    produced, consumed = exporter.get_finished_spans()
    assert consumed.parent is None
    assert [link.context for link in consumed.links] == [produced.context]


async def test_links_of_one_hop_do_not_follow_to_the_next(tracer: Tracer) -> None:
    first: TracedQueue[int] = TracedQueue(relation="link")
    second: TracedQueue[int] = TracedQueue()
    with tracer.start_as_current_span("produce"):
        first.put_nowait(1)
    async with first.receive() as item:
        with tracer.start_as_current_span("forward"):
            second.put_nowait(item)
    async with second.receive():
        assert current_links() == ()


async def test_a_batch_links_to_each_producer_once(tracer: Tracer) -> None:
    queue: TracedQueue[int] = TracedQueue()
    with tracer.start_as_current_span("a") as a:
        queue.put_nowait(1)
        queue.put_nowait(2)
    with tracer.start_as_current_span("b") as b:
        queue.put_nowait(3)
    queue.put_nowait(4)
    async with queue.receive_many(10, task_done=True) as items:
        assert items == [1, 2, 3, 4]
        assert not get_current_span().get_span_context().is_valid
        assert [link.context for link in current_links()] == [a.get_span_context(), b.get_span_context()]
    await queue.join()


async def test_a_batch_takes_at_most_its_limit() -> None:
    queue: TracedQueue[int] = TracedQueue()
    for number in range(5):
        queue.put_nowait(number)
    async with queue.receive_many(3) as items:
        assert items == [0, 1, 2]
    assert queue.depth == 2
    with pytest.raises(ValueError, match="at least 1"):
        queue.receive_many(0)


async def test_get_hands_out_the_bare_item_and_leaves_the_context_alone(tracer: Tracer) -> None:
    queue: TracedQueue[object] = TracedQueue()
    with tracer.start_as_current_span("produce"):
        for item in (None, 0, "", b"x", {"a": 1}):
            await queue.put(item)
    assert [await queue.get(), await queue.get()] == [None, 0]
    assert [queue.get_nowait() for _ in range(3)] == ["", b"x", {"a": 1}]
    assert not get_current_span().get_span_context().is_valid


async def test_the_wait_is_reported_in_seconds() -> None:
    now = 100.0
    waits: list[float] = []
    queue: TracedQueue[int] = TracedQueue(on_wait=waits.append, clock=lambda: now)
    queue.put_nowait(1)
    now = 100.25
    assert (await queue.take()).waited == 0.25
    queue.put_nowait(2)
    now = 99.0
    await queue.get()
    assert waits == [0.25, 0.0]


async def test_a_callback_or_clock_that_raises_costs_no_item(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_wait: float) -> None:
        raise ZeroDivisionError

    def no_clock() -> float:
        raise OSError

    queue: TracedQueue[int] = TracedQueue(on_wait=broken)
    queue.put_nowait(1)
    assert await queue.get() == 1
    without_clock: TracedQueue[int] = TracedQueue(clock=no_clock)
    without_clock.put_nowait(2)
    delivery = await without_clock.take()
    assert (delivery.item, delivery.waited) == (2, None)


async def test_full_and_empty_are_those_of_asyncio() -> None:
    queue: TracedQueue[int] = TracedQueue(1)
    assert (queue.maxsize, queue.empty(), queue.full()) == (1, True, False)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(1)
    assert (queue.qsize(), queue.depth, queue.full()) == (1, 1, True)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(2)
    putting = asyncio.create_task(queue.put(2))
    await asyncio.sleep(0)
    assert not putting.done()
    assert [await queue.get(), await queue.get()] == [1, 2]
    await putting


async def test_join_waits_for_task_done() -> None:
    queue: TracedQueue[int] = TracedQueue()
    queue.put_nowait(1)
    joining = asyncio.create_task(queue.join())
    async with queue.receive():
        pass
    await asyncio.sleep(0)
    assert not joining.done()
    queue.task_done()
    await joining
    with pytest.raises(ValueError, match="too many"):
        queue.task_done()


async def test_receive_marks_the_task_done_even_when_the_block_raises() -> None:
    queue: TracedQueue[int] = TracedQueue()
    queue.put_nowait(1)
    with pytest.raises(KeyError):
        async with queue.receive(task_done=True):
            raise KeyError
    await queue.join()
    assert not get_current_span().get_span_context().is_valid


async def test_cancelling_a_waiting_consumer_loses_nothing() -> None:
    queue: TracedQueue[int] = TracedQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    queue.put_nowait(1)
    assert await queue.get() == 1


async def test_an_existing_queue_keeps_its_order_and_its_items() -> None:
    inner: asyncio.PriorityQueue[tuple[int, str]] = asyncio.PriorityQueue(9)
    inner.put_nowait((2, "put past the wrapper"))
    queue: TracedQueue[tuple[int, str]] = TracedQueue(queue=inner)
    for item in ((3, "c"), (1, "a")):
        queue.put_nowait(item)
    assert queue.maxsize == 9
    assert [(await queue.get())[0] for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ValueError, match="maxsize"):
        TracedQueue(3, queue=inner)


async def test_an_item_put_past_the_wrapper_changes_no_context(tracer: Tracer) -> None:
    inner: asyncio.Queue[int] = asyncio.Queue()
    queue: TracedQueue[int] = TracedQueue(queue=inner)
    inner.put_nowait(1)
    with tracer.start_as_current_span("consumer") as span:
        async with queue.receive() as item:
            assert (item, get_current_span()) == (1, span)
    inner.put_nowait(2)
    delivery = queue.take_nowait()
    assert (delivery.handoff, delivery.waited) == (None, None)


def test_every_public_method_of_asyncios_queue_is_forwarded() -> None:
    """A method that only the base class had would work on an empty queue that nobody uses."""
    public = {name for name in dir(asyncio.Queue) if not name.startswith("_")}
    assert public <= set(vars(TracedQueue))
    assert isinstance(TracedQueue(), asyncio.Queue)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio.Queue.shutdown is new in Python 3.13")
async def test_shutdown_wakes_consumers_and_refuses_producers() -> None:
    queue: TracedQueue[int] = TracedQueue()
    queue.put_nowait(1)
    queue.shutdown()  # type: ignore[attr-defined]  # Python 3.13
    with pytest.raises(asyncio.QueueShutDown):  # type: ignore[attr-defined]  # Python 3.13
        queue.put_nowait(2)
    async with queue.receive_many(5) as items:
        assert items == [1]
    with pytest.raises(asyncio.QueueShutDown):  # type: ignore[attr-defined]  # Python 3.13
        await queue.get()

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import Span, Tracer, get_current_span, set_span_in_context

from ticktrace.propagation import (
    ContextExecutor,
    ContextThread,
    Handoff,
    attached,
    carry,
    current_links,
    detached,
    link_to,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def current() -> Span:
    return get_current_span()


def test_a_carried_function_sees_the_span_in_any_thread_and_any_number_of_times(tracer: Tracer) -> None:
    with tracer.start_as_current_span("a") as span:
        carried = carry(current)
    with ThreadPoolExecutor(2) as pool:
        assert [pool.submit(carried).result() for _ in range(4)] == [span] * 4
    assert current() is not span
    assert carried.__name__ == "current"


def test_a_carried_function_passes_arguments_results_and_errors_through() -> None:
    assert carry(divmod)(7, 2) == (3, 1)
    assert carry(partial(pow, 2))(5) == 32
    with pytest.raises(ZeroDivisionError):
        carry(divmod)(1, 0)


async def test_a_carried_coroutine_function_keeps_the_span_over_awaits(tracer: Tracer) -> None:
    class Handler:
        async def __call__(self) -> Span:
            await asyncio.sleep(0)
            return current()

    async def handle() -> Span:
        return await Handler()()

    with tracer.start_as_current_span("a") as span:
        carried, carried_object = carry(handle), carry(Handler())
    assert await asyncio.create_task(asyncio.wait_for(carried(), 5)) is span
    assert await carried_object() is span
    assert current() is not span


async def test_carried_generators_see_the_span_at_every_step(tracer: Tracer) -> None:
    def steps() -> Iterator[Span]:
        yield current()
        yield current()

    async def async_steps() -> AsyncIterator[Span]:
        yield current()
        await asyncio.sleep(0)
        yield current()

    with tracer.start_as_current_span("a") as span:
        carried, carried_async = carry(steps), carry(async_steps)
    assert list(carried()) == [span, span]
    assert [step async for step in carried_async()] == [span, span]


async def test_loop_and_future_callbacks(tracer: Tracer) -> None:
    loop = asyncio.get_running_loop()
    seen: asyncio.Queue[Span] = asyncio.Queue()
    pending: Future[int] = Future()
    with tracer.start_as_current_span("a") as span:
        note = carry(lambda *_args: seen.put_nowait(current()))
        pending.add_done_callback(lambda _future: loop.call_soon_threadsafe(note))
    empty = contextvars.Context()
    loop.call_soon(note, context=empty)
    loop.call_later(0, note, context=empty)
    thread = threading.Thread(target=pending.set_result, args=(1,))
    thread.start()
    assert [await seen.get() for _ in range(3)] == [span] * 3
    thread.join()


def test_a_signal_handler(tracer: Tracer) -> None:
    seen: list[Span] = []
    with tracer.start_as_current_span("a") as span:
        before = signal.signal(signal.SIGUSR1, carry(lambda _number, _frame: seen.append(current())))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [span]


def test_the_wait_of_a_callback_is_reported_and_its_failure_swallowed() -> None:
    waits: list[float] = []
    assert carry(abs, on_wait=waits.append)(-1) == 1
    assert len(waits) == 1
    assert 0 <= waits[0] < 60

    def broken(_wait: float) -> None:
        raise KeyError

    assert carry(abs, on_wait=broken)(-2) == 2


def test_carried_by_link_the_function_begins_a_trace_of_its_own(tracer: Tracer) -> None:
    def links() -> tuple[bool, list[object]]:
        return current().get_span_context().is_valid, [link.context for link in current_links()]

    with tracer.start_as_current_span("a") as span:
        assert carry(links, relation="link")() == (False, [span.get_span_context()])
        assert carry(links, otel_context.Context())() == (False, [])


def test_a_thread_runs_under_the_context_of_its_start(tracer: Tracer) -> None:
    seen: list[Span] = []

    class Worker(ContextThread):
        def run(self) -> None:
            seen.append(current())

    threads = [ContextThread(target=lambda: seen.append(current())), Worker()]
    with tracer.start_as_current_span("a") as span:
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
        assert "run" not in vars(thread)
        with pytest.raises(RuntimeError):
            thread.start()
    assert seen == [span, span]


async def test_an_executor_runs_calls_under_the_context_of_their_submission(tracer: Tracer) -> None:
    waits: list[float] = []
    with ContextExecutor(1, on_wait=waits.append, thread_name_prefix="pool") as pool:
        with tracer.start_as_current_span("a") as span:
            submitted = pool.submit(current)
            mapped = pool.map(lambda _number: current(), range(2))
            in_loop = asyncio.get_running_loop().run_in_executor(pool, current)
        assert [submitted.result(), *mapped, await in_loop] == [span] * 4
        assert pool.submit(current).result() is not span
        assert pool.depth == 0
    assert len(waits) == 5


async def test_an_executor_may_be_the_loops_default(tracer: Tracer) -> None:
    asyncio.get_running_loop().set_default_executor(ContextExecutor(1))
    with tracer.start_as_current_span("a") as span:
        assert await asyncio.get_running_loop().run_in_executor(None, current) is span


def test_an_executor_hands_on_exceptions() -> None:
    with ContextExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()


def test_detached_work_begins_a_trace_of_its_own(tracer: Tracer) -> None:
    with tracer.start_as_current_span("first caller") as span:
        with detached():
            assert not current().get_span_context().is_valid
            assert [link.context for link in current_links()] == [span.get_span_context()]
        with detached(link=False):
            assert current_links() == ()
        assert current() is span


def test_a_handoff_kept_beside_an_event_attaches_in_the_handler(tracer: Tracer) -> None:
    with tracer.start_as_current_span("put") as span:
        handoff = Handoff.capture()
    with handoff.attached():
        assert current() is span
    link = handoff.link()
    assert link is not None
    assert link.context == span.get_span_context()
    assert handoff.waited() >= 0
    assert link_to(otel_context.Context()) is None


def test_a_block_that_ends_in_another_context_changes_nothing_there(tracer: Tracer) -> None:
    block = attached(set_span_in_context(tracer.start_span("a")))
    elsewhere = contextvars.copy_context()
    elsewhere.run(block.__enter__)
    before = otel_context.get_current()
    block.__exit__(None, None, None)
    block.__exit__(None, None, None)
    assert otel_context.get_current() is before


def test_attaching_nothing_leaves_the_current_context() -> None:
    before = otel_context.get_current()
    with attached(None):
        assert otel_context.get_current() is before

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import Tracer, get_current_span

from ticktrace.propagation import ContextAsyncGenerator, ContextGenerator, propagate_generator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def span_name() -> str:
    return getattr(get_current_span(), "name", "")


def test_a_span_inside_a_generator_does_not_leak_across_yield(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    @propagate_generator
    def replay() -> Iterator[str]:
        with tracer.start_as_current_span("replay"):
            yield span_name()
            tracer.start_span("inner").end()
            yield span_name()

    with tracer.start_as_current_span("consumer"):
        for inside in replay():
            assert (inside, span_name()) == ("replay", "consumer")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["inner"].parent == spans["replay"].context
    assert spans["replay"].parent == spans["consumer"].context


def test_the_parent_is_the_span_at_the_call_not_at_the_steps(tracer: Tracer) -> None:
    @propagate_generator
    def names() -> Iterator[str]:
        while True:
            yield span_name()

    with tracer.start_as_current_span("maker"):
        generator = names()
    with tracer.start_as_current_span("other"):
        assert next(generator) == "maker"


def test_send_throw_and_the_return_value_work_as_always() -> None:
    def echo() -> Generator[int, int, str]:
        total = 0
        while True:
            try:
                total += yield total
            except KeyError:
                return f"total {total}"

    generator = propagate_generator(echo())
    assert isinstance(generator, ContextGenerator)
    assert next(generator) == 0
    assert generator.send(2) == 2
    assert generator.send(3) == 5
    with pytest.raises(StopIteration, match="total 5"):
        generator.throw(KeyError)

    def delegate() -> Generator[int, int, str]:
        return (yield from propagate_generator(echo()))

    outer = delegate()
    next(outer)
    outer.send(7)
    with pytest.raises(StopIteration, match="total 7"):
        outer.throw(KeyError("k"))


def test_closing_a_generator_early_ends_its_span(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    def replay() -> Iterator[int]:
        with tracer.start_as_current_span("replay"):
            yield from range(9)

    closed = propagate_generator(replay)()
    next(closed)
    closed.close()
    dropped = propagate_generator(replay)()
    next(dropped)
    del dropped
    gc.collect()
    assert [span.name for span in exporter.get_finished_spans()] == ["replay", "replay"]
    assert span_name() == ""


async def test_a_span_inside_an_async_generator_does_not_leak_across_yield(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    @propagate_generator
    async def feed() -> AsyncIterator[str]:
        with tracer.start_as_current_span("feed"):
            for _ in range(3):
                await asyncio.sleep(0)
                yield span_name()

    with tracer.start_as_current_span("consumer"):
        async for inside in feed():
            assert (inside, span_name()) == ("feed", "consumer")
    assert [span.name for span in exporter.get_finished_spans()] == ["feed", "consumer"]


async def test_async_generators_handle_send_throw_and_timeouts() -> None:
    closed: list[str] = []

    async def echo() -> AsyncIterator[int]:
        total = 0
        try:
            while True:
                try:
                    got = yield total
                    total += got or 0
                    await asyncio.sleep(3600 if got == 99 else 0)
                except KeyError:
                    total = -1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    generator: ContextAsyncGenerator[int, int] = ContextAsyncGenerator(echo())  # type: ignore[arg-type]  # see above
    assert await anext(generator) == 0
    assert await generator.asend(2) == 2
    assert await generator.athrow(KeyError) == -1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await generator.asend(99)
    assert closed == ["closed"]
    with pytest.raises(StopAsyncIteration):
        await anext(generator)


async def test_an_async_generator_left_early_is_closed_in_its_own_context(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """The loop closes it in another task, where a plain one logs "was created in a different Context"."""

    @propagate_generator
    async def feed() -> AsyncIterator[int]:
        with tracer.start_as_current_span("feed"):
            for number in range(9):
                await asyncio.sleep(0)
                yield number

    async def consume() -> None:
        async for _ in feed():
            break

    await asyncio.create_task(consume())
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [span.name for span in exporter.get_finished_spans()] == ["feed"]


def test_async_generators_still_open_at_the_end_of_the_loop_are_closed_in_their_own_context(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    open_ones = []

    async def feed() -> AsyncIterator[int]:
        with tracer.start_as_current_span("feed"):
            yield 1
            yield 2

    async def main() -> None:
        generator = propagate_generator(feed)()
        open_ones.append(generator)
        await anext(generator)

    asyncio.run(main())
    assert [span.name for span in exporter.get_finished_spans()] == ["feed"]


async def test_an_async_generator_is_closed_from_another_task_silently(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    async def feed() -> AsyncIterator[int]:
        with tracer.start_as_current_span("feed"):
            yield 1

    generator = propagate_generator(feed)()
    assert await asyncio.create_task(_next(generator)) == 1
    await asyncio.create_task(generator.aclose())
    assert [span.name for span in exporter.get_finished_spans()] == ["feed"]


async def _next(generator: ContextAsyncGenerator[int, None]) -> int:
    return await anext(generator)


def test_an_async_generator_works_without_a_loop() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 7

    step = anext(propagate_generator(numbers)()).__await__()
    with pytest.raises(StopIteration, match="7"):
        next(step)


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError, match="generator function, not 3"):
        propagate_generator(3)  # type: ignore[call-overload]  # the point of the test

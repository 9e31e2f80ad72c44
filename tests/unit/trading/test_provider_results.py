"""Calls that go on after they have returned: generators, iterators, futures, awaitables."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from support.captured import Captured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from ticktrace import Telemetry
    from ticktrace.trading.providers import Provider

CALLS = "trading.provider.api.calls"
DURATION = "trading.provider.api.duration"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def venue(telemetry: Telemetry) -> Provider:
    return telemetry.trading.provider("venue")


def ours() -> bool:
    """Whether a provider's span is current."""
    return getattr(trace.get_current_span(), "name", "").startswith("provider")


def pages(last: int = 3) -> Iterator[int]:
    for page in range(last):
        assert ours()
        yield page


async def messages(last: int = 3) -> AsyncIterator[int]:
    for message in range(last):
        await asyncio.sleep(0)
        assert ours()
        yield message


class Pages:
    """An iterator that is no generator."""

    def __init__(self) -> None:
        self.left = 2
        self.total = 2

    def __iter__(self) -> Pages:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


@pytest.mark.parametrize("function", [pages, partial(pages, 3), lambda: iter(pages()), Pages])
def test_an_iterator_is_one_call_until_it_is_exhausted(
    captured: Captured, venue: Provider, function: Any
) -> None:
    items = venue.call("history", function)
    seen = []
    for item in items:
        assert not ours()
        assert captured.points(CALLS) == []
        seen.append(item)
    assert seen in ([0, 1, 2], [1, 0])
    assert captured.value(CALLS) == 1
    assert captured.count(DURATION) == 1
    assert captured.span("provider history")


def test_the_time_of_an_iterator_is_what_its_items_took(captured: Captured, venue: Provider) -> None:
    clock = iter(range(10**9, 10**12, 10**9))
    venue.recorder.now = lambda: next(clock)
    try:
        items = venue.call("history", pages, 2)
        next(items)  # begins at 1, waits from 2
        next(clock)  # the caller's second
        next(items)  # goes on at 4, waits from 5
        assert list(items) == []  # goes on at 6, ends at 7
    finally:
        venue.recorder.now = venue.recorder.clock.now
    assert captured.sum(DURATION) == pytest.approx(3)


async def test_an_asynchronous_iterator_is_one_call(captured: Captured, venue: Provider) -> None:
    seen = []
    async for message in venue.call("stream", messages):
        assert not ours()
        seen.append(message)
    decorated = venue.call("stream")(messages)
    seen += [message async for message in decorated(2)]
    assert seen == [0, 1, 2, 0, 1]
    assert captured.value(CALLS) == 2


def test_an_iterator_that_is_never_asked_is_no_call(captured: Captured, venue: Provider) -> None:
    items = venue.call("history", pages)
    del items
    gc.collect()
    assert captured.points(CALLS) == []
    assert captured.spans == ()


def test_an_iterator_that_is_dropped_or_closed_ends_its_call(captured: Captured, venue: Provider) -> None:
    items: Any = venue.call("history", pages)
    next(items)
    del items
    gc.collect()
    assert captured.value(CALLS) == 1
    items = venue.call("history", pages)
    next(items)
    items.close()
    assert captured.value(CALLS) == 2
    assert captured.points("trading.provider.api.errors") == []


async def test_an_asynchronous_iterator_that_is_closed_ends_its_call(
    captured: Captured, venue: Provider
) -> None:
    items: Any = venue.call("stream", messages)
    await anext(items)
    await items.aclose()
    assert captured.value(CALLS) == 1


async def test_what_an_iterator_raises_goes_on_and_is_an_error(captured: Captured, venue: Provider) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ConnectionError

    async def stream() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(venue.call("history", failing))
    with pytest.raises(ConnectionError):
        [item async for item in venue.call("stream", stream)]
    assert captured.value("trading.provider.api.errors", error__type="ConnectionError") == 2
    assert captured.span("provider stream").status.status_code is StatusCode.ERROR


def test_a_generator_takes_what_is_sent_and_thrown_into_it(captured: Captured, venue: Provider) -> None:
    def echo() -> Generator[Any, Any, None]:
        said = yield "ready"
        while True:
            try:
                said = yield said
            except KeyError:
                said = "caught"

    talk: Any = venue.call("talk", echo)
    assert [next(talk), talk.send(7), talk.throw(KeyError())] == ["ready", 7, "caught"]
    talk.close()
    assert captured.value(CALLS) == 1


def test_spans_inside_a_generator_are_its_own_and_below_the_call(
    telemetry: Telemetry, captured: Captured, venue: Provider
) -> None:
    tracer = telemetry.tracer_provider.get_tracer("client")

    def fetch() -> Iterator[int]:
        for page in range(2):
            with tracer.start_as_current_span("GET"):
                yield page

    for _ in venue.call("history", fetch):
        assert trace.get_current_span() is trace.INVALID_SPAN
    call = captured.span("provider history")
    assert call.context is not None
    assert [span.parent and span.parent.span_id for span in captured.named("GET")] == [
        call.context.span_id
    ] * 2


async def test_a_cancelled_step_leaves_the_stream_open(captured: Captured, venue: Provider) -> None:
    class Stream:
        def __init__(self) -> None:
            self.ready = asyncio.Event()

        def __aiter__(self) -> Stream:
            return self

        async def __anext__(self) -> int:
            await self.ready.wait()
            return 1

    stream = Stream()
    items: Any = venue.call("stream", lambda: stream)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(items), 0.001)
    assert captured.points(CALLS) == []
    stream.ready.set()
    assert await anext(items) == 1
    await items.aclose()
    assert captured.value(CALLS) == 1


async def test_a_function_that_returns_a_coroutine_is_measured_until_that_is_done(
    captured: Captured, venue: Provider
) -> None:
    async def fetch(symbol: str) -> tuple[str, bool]:
        await asyncio.sleep(0)
        return symbol, ours()

    def indirect(symbol: str) -> Any:
        return fetch(symbol)

    for function in (partial(fetch, "A"), partial(indirect, "A"), lambda: fetch("A")):
        pending = venue.call("fetch", function)
        assert asyncio.iscoroutine(pending)
        assert not ours()
        assert await pending == ("A", True)
    assert captured.value(CALLS) == 3


async def test_futures_are_handed_on_as_they_are(captured: Captured, venue: Provider) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    assert venue.call("request", lambda: future) is future
    assert not ours()
    assert captured.points(CALLS) == []
    future.set_result(7)
    assert await future == 7
    await asyncio.sleep(0)
    assert captured.value(CALLS) == 1

    failed: asyncio.Future[int] = loop.create_future()
    venue.call("request", lambda: failed)
    failed.set_exception(ConnectionError())
    with pytest.raises(ConnectionError):
        await failed
    await asyncio.sleep(0)
    assert captured.value("trading.provider.api.errors", error__type="ConnectionError") == 1

    canceled: asyncio.Future[int] = loop.create_future()
    venue.call("request", lambda: canceled)
    canceled.cancel()
    await asyncio.sleep(0)
    assert captured.value("trading.provider.api.errors", error__type="CancelledError") == 1


async def test_a_future_that_nobody_awaits_is_still_complained_about(venue: Provider) -> None:
    said: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: said.append(context))
    future: asyncio.Future[int] | None = venue.call("request", loop.create_future)
    assert future is not None
    future.set_exception(ConnectionError())
    await asyncio.sleep(0)
    future = None
    gc.collect()
    assert [context["message"] for context in said] == ["Future exception was never retrieved"]


def test_work_in_a_pool_is_measured_until_it_is_done(captured: Captured, venue: Provider) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = venue.call("fetch", pool.submit, lambda: 7)
        assert isinstance(future, concurrent.futures.Future)
        assert not ours()
        assert future.result() == 7
    assert captured.value(CALLS) == 1


async def test_an_awaitable_that_is_a_context_manager_too_stays_both(
    captured: Captured, venue: Provider
) -> None:
    class Request:
        """As aiohttp's session.get() gives it."""

        url = "https://example.com"
        left = False

        async def _send(self) -> str:
            assert ours()
            return "response"

        def __await__(self) -> Any:
            return self._send().__await__()

        async def __aenter__(self) -> str:
            return await self._send()

        async def __aexit__(self, *_: object) -> None:
            type(self).left = True

    assert await venue.call("get", Request) == "response"
    request = venue.call("get", Request)
    assert request.url == "https://example.com"
    async with request as response:
        assert response == "response"
        assert captured.value(CALLS) == 2
    assert Request.left


def test_responses_cursors_and_files_are_results_and_no_streams(captured: Captured, venue: Provider) -> None:
    with venue.call("open", io.BytesIO, b"body") as body:
        assert isinstance(body, io.BytesIO)
        assert captured.value(CALLS) == 1
        assert body.read() == b"body"

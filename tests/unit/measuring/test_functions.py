"""`measure` as a decorator: the four kinds of functions, methods, and what is left as it was."""

from __future__ import annotations

import asyncio
import gc
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import Telemetry, measure
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator

DURATION = "ticktrace.measure.duration"


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def counted(telemetry: Telemetry, name: str, **attributes: Any) -> int:
    return Captured(telemetry).count(DURATION, ticktrace__measure__name=name, **attributes)


@measure("plain")
def plain(first: int, *, second: int = 2) -> int:
    """Adds."""
    return first + second


@measure("coroutine")
async def coroutine(first: int) -> int:
    await asyncio.sleep(0)
    return first


@measure("generator")
def generator(most: int) -> Generator[int, str, str]:
    heard: list[str] = []
    for number in range(most):
        said = yield number
        heard += [said]
    return ",".join(map(str, heard))


@measure("async generator")
async def async_generator(most: int) -> AsyncGenerator[int, str]:
    for number in range(most):
        try:
            heard = yield number
        except KeyError:
            heard = "caught"
        if heard == "stop":
            return


def test_a_decorated_function_does_what_it_did(telemetry: Telemetry) -> None:
    assert plain(1, second=3) == 4
    assert asyncio.run(coroutine(5)) == 5
    assert list(generator(3)) == [0, 1, 2]
    assert counted(telemetry, "plain") == 1
    assert counted(telemetry, "coroutine") == 1
    assert counted(telemetry, "generator") == 1


def test_it_keeps_its_kind_its_name_and_its_text() -> None:
    assert (plain.__name__, plain.__doc__) == ("plain", "Adds.")
    assert list(inspect.signature(plain).parameters) == ["first", "second"]
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)


def test_an_exception_of_each_kind_goes_on_and_is_the_error_type(telemetry: Telemetry) -> None:
    @measure("fails")
    def fails() -> None:
        raise ValueError("no")

    @measure("fails")
    async def fails_later() -> None:
        raise ValueError("no")

    @measure("fails")
    def yields_and_fails() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no")

    @measure("fails")
    async def yields_and_fails_later() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("no")

    async def consume() -> None:
        async for _ in yields_and_fails_later():
            pass

    for call in (
        fails,
        lambda: asyncio.run(fails_later()),
        lambda: list(yields_and_fails()),
        lambda: asyncio.run(consume()),
    ):
        with pytest.raises(ValueError, match="no"):
            call()
    assert counted(telemetry, "fails", error__type="ValueError") == 4
    assert counted(telemetry, "fails") == 4


def test_a_generator_hears_what_is_sent_and_returns_what_it_did(telemetry: Telemetry) -> None:
    steps = generator(2)
    assert next(steps) == 0
    assert steps.send("a") == 1
    with pytest.raises(StopIteration) as stopped:
        steps.send("b")
    assert stopped.value.value == "a,b"
    assert counted(telemetry, "generator") == 1


def test_a_generator_counts_once_it_ends_and_not_when_it_never_began(telemetry: Telemetry) -> None:
    generator(3)
    steps = generator(3)
    next(steps)
    assert counted(telemetry, "generator") == 0
    steps.close()
    assert counted(telemetry, "generator") == 1
    (point,) = Captured(telemetry).points(DURATION)
    assert "error.type" not in point.attributes


def test_generators_of_one_decorated_function_may_interleave(telemetry: Telemetry) -> None:
    first, second = generator(2), generator(2)
    assert [next(first), next(second), next(first), next(second)] == [0, 0, 1, 1]
    assert [list(first), list(second)] == [[], []]
    assert counted(telemetry, "generator") == 2


async def test_an_asynchronous_generator_hears_what_is_sent_and_thrown(telemetry: Telemetry) -> None:
    steps = async_generator(9)
    assert await anext(steps) == 0
    assert await steps.asend("go") == 1
    assert await steps.athrow(KeyError("x")) == 2
    with pytest.raises(StopAsyncIteration):
        await steps.asend("stop")
    assert counted(telemetry, "async generator") == 1


async def test_an_asynchronous_generator_that_is_closed_early_closes_what_it_wraps(
    telemetry: Telemetry,
) -> None:
    closed = []

    @measure("ticks")
    async def ticks() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async for _ in (steps := ticks()):
        break
    await steps.aclose()
    assert closed == [True]
    assert counted(telemetry, "ticks") == 1


async def test_one_that_is_forgotten_is_closed_by_the_loop(telemetry: Telemetry) -> None:
    closed = []

    @measure("forgotten")
    async def ticks() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            closed.append(True)

    async for _ in ticks():
        break
    gc.collect()
    await asyncio.sleep(0.01)
    assert closed == [True]
    assert counted(telemetry, "forgotten") == 1


def test_recursion_counts_each_call(telemetry: Telemetry) -> None:
    @measure("depth")
    def depth(left: int) -> int:
        return 0 if left == 0 else 1 + depth(left - 1)

    assert depth(4) == 4
    assert counted(telemetry, "depth") == 5


def test_methods_of_every_kind_can_be_decorated(telemetry: Telemetry) -> None:
    class Strategy:
        @measure("method")
        def evaluate(self, price: int) -> int:
            return price

        @measure("method")
        @staticmethod
        def scale(price: int) -> int:
            return price * 2

        @measure("method")
        @classmethod
        def name(cls) -> str:
            return cls.__name__

    strategy = Strategy()
    assert (strategy.evaluate(1), strategy.scale(1), Strategy.scale(2), strategy.name()) == (
        1,
        2,
        4,
        "Strategy",
    )
    assert counted(telemetry, "method") == 4


async def test_objects_that_are_called_are_timed_by_what_calling_them_gives(telemetry: Telemetry) -> None:
    class Handler:
        async def __call__(self, price: int) -> int:
            await asyncio.sleep(0)
            return price

    handle: Callable[[int], Awaitable[int]] = measure("handler")(Handler())
    assert await handle(3) == 3
    assert await measure("handler")(partial(coroutine, 4))() == 4
    assert counted(telemetry, "handler") == 2


def test_what_cannot_be_called_cannot_be_decorated() -> None:
    with pytest.raises(TypeError, match="only what can be called"):
        measure("x")(3)  # type: ignore[arg-type]

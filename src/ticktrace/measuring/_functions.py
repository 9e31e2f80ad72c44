"""Decorators that time each call of a function, of whichever of the four kinds."""

from __future__ import annotations

import inspect
from functools import wraps
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from contextlib import AbstractContextManager

    from ticktrace.measuring._sites import Duration

    Blocks = Callable[[tuple[Any, ...], Mapping[str, Any]], AbstractContextManager[object]]

__all__ = ["timed", "within"]

P = ParamSpec("P")
R = TypeVar("R")


def timed(function: Callable[P, R], site: Duration, block: Blocks) -> Callable[P, R]:
    """Time each call of `function` on a site that does not depend on its arguments.

    What `within` does, less the call of `block` and the object that it makes: a call of a plain or a coroutine function
    costs two readings of the clock and the record.

    Args:
        function: what to time.
        site: where to record.
        block: makes what times a generator.

    Raises:
        TypeError: it cannot be called.
    """
    if _is_plain(function):
        return cast("Callable[P, R]", _timed(function, site))
    if _is_coroutine(function):
        return cast("Callable[P, R]", _timed_coroutine(function, site))
    return within(function, block)


def within(function: Callable[P, R], block: Blocks) -> Callable[P, R]:
    """Run each call of `function` inside what `block` makes of its arguments.

    Args:
        function: plain, a coroutine function, a generator function or an asynchronous one; also a static or class method.
        block: called with the positional and the keyword arguments of the call.

    Raises:
        TypeError: it cannot be called.
    """
    wrapped: Any = function
    if isinstance(wrapped, (staticmethod, classmethod)):
        return cast("Callable[P, R]", type(wrapped)(within(wrapped.__func__, block)))
    if not callable(function):
        raise TypeError(f"only what can be called can be timed, not {function!r}")
    make = _plain
    if inspect.isasyncgenfunction(function):
        make = _asynchronous_generator
    elif inspect.isgeneratorfunction(function):
        make = _generator
    elif _is_coroutine(function):
        make = _coroutine
    return cast("Callable[P, R]", make(function, block))


def _is_coroutine(function: Any) -> bool:
    called = getattr(function, "__call__", None)  # noqa: B004  not whether, but whether it is a coroutine function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _is_plain(function: Any) -> bool:
    return callable(function) and not (
        isinstance(function, (staticmethod, classmethod))
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
        or _is_coroutine(function)
    )


def _record(site: Duration, seconds: float) -> None:
    try:
        site.write(seconds)
    except Exception as fault:  # noqa: BLE001  telemetry never raises into trading
        report("measure.function", fault)


def _timed(function: Callable[..., Any], site: Duration) -> Callable[..., Any]:
    now = perf_counter_ns

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            site.failed((now() - started) * 1e-9, error)
            raise
        _record(site, (now() - started) * 1e-9)
        return result

    return call


def _timed_coroutine(function: Callable[..., Any], site: Duration) -> Callable[..., Any]:
    now = perf_counter_ns

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            site.failed((now() - started) * 1e-9, error)
            raise
        _record(site, (now() - started) * 1e-9)
        return result

    return call


def _plain(function: Callable[..., Any], block: Blocks) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block(args, kwargs):
            return function(*args, **kwargs)

    return call


def _coroutine(function: Callable[..., Any], block: Blocks) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with block(args, kwargs):
            return await function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Any], block: Blocks) -> Callable[..., Any]:
    @wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with block(args, kwargs):
            return (yield from function(*args, **kwargs))

    return steps


def _asynchronous_generator(function: Callable[..., Any], block: Blocks) -> Callable[..., Any]:
    @wraps(function)
    async def steps(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with block(args, kwargs):
            inner = function(*args, **kwargs)
            step = inner.__anext__()
            while True:  # what `yield from` does, which asynchronous generators do not have
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  whatever is thrown in is thrown in below
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)

    return steps

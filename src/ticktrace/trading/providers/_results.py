"""Calls whose work goes on after they have returned: coroutines, futures, awaitables, iterators.

What the caller gets behaves as what the function returned: a coroutine where it was one, the very future, and for
iterators and other awaitables a stand-in that hands on everything else it is asked.
"""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Generator, Iterator
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ticktrace.engine import attempt, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.trading._block import Block

__all__ = ["decorated", "is_coroutine_function", "observe"]

P = ParamSpec("P")
R = TypeVar("R")


def _is(function: object, test: Callable[[Any], bool]) -> bool:
    return test(function) or test(getattr(function, "__call__", None))  # noqa: B004  not whether, but what kind


def is_coroutine_function(function: object) -> bool:
    """Whether calling it gives a coroutine, as far as it says so itself."""
    return _is(function, inspect.iscoroutinefunction)


def decorated(begin: Callable[[], Block], function: Callable[P, R]) -> Callable[P, R]:
    """A function of the same kind as `function`, each call of which is a block."""
    called = cast("Callable[..., Any]", function)
    call: Callable[..., Any]
    if is_coroutine_function(function):

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            return await _coroutine(begin, called, args, kwargs)

        call = asynchronous
    else:

        def synchronous(*args: Any, **kwargs: Any) -> Any:
            return observe(begin, called, args, kwargs)

        call = synchronous
    update_wrapper(call, called)
    return cast("Callable[P, R]", call)


def observe(
    begin: Callable[[], Block], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call `function` in a block; what it raises goes on, and what it returns is handed on.

    Args:
        begin: makes the block.
        function: what to call.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    if is_coroutine_function(function):
        return _coroutine(begin, function, args, kwargs)
    if _is(function, inspect.isgeneratorfunction):  # nothing of it runs before the first item is asked for
        return _Items(begin(), function(*args, **kwargs))
    if _is(function, inspect.isasyncgenfunction):
        return _AsyncItems(begin(), function(*args, **kwargs))
    block = begin().__enter__()
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        block.end(error)
        raise
    kept = _kept_open(block, result)
    if kept is not None:
        return kept
    attempt("answered", partial(block.answered, result))
    block.end()
    return result


async def _coroutine(
    begin: Callable[[], Block], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with begin() as block:
        result = await function(*args, **kwargs)
        attempt("answered", partial(block.answered, result))
        return result


def _kept_open(block: Block, result: object) -> Any:
    """What stands for a result whose work goes on; None for one that is complete. Asks classes: a mock has everything."""
    kind = type(result)
    try:
        if inspect.iscoroutine(result):
            block.suspend()
            return _finished(block, result)
        if hasattr(kind, "add_done_callback"):
            block.suspend()  # before the callback is known, which may be called at once and in another thread
            cast("Any", result).add_done_callback(partial(_done, block))
            return result
        if isinstance(result, Awaitable):
            block.suspend()
            return _Awaited(block, result)
        # Responses, cursors and files are iterators as well, but their items are not what the call was for.
        if isinstance(result, Iterator) and not (hasattr(kind, "__enter__") or hasattr(kind, "read")):
            block.suspend(stop_clock=True)
            return _Items(block, result)
        if isinstance(result, AsyncIterator) and not (hasattr(kind, "__aenter__") or hasattr(kind, "read")):
            block.suspend(stop_clock=True)
            return _AsyncItems(block, result)
    except Exception as error:  # noqa: BLE001  a result may be anything
        report("result", error)
    return None


async def _finished(block: Block, awaitable: Awaitable[Any]) -> Any:
    block.resume()
    try:
        result = await awaitable
    except BaseException as error:
        block.end(error)
        raise
    attempt("answered", partial(block.answered, result))
    block.end()
    return result


def _done(block: Block, future: Any) -> None:
    """A future has its result. Its ``exception()`` is not asked: asyncio would take that for somebody's handling it."""
    error: BaseException | None = (
        CancelledError() if future.cancelled() else getattr(future, "_exception", None)
    )
    if error is None:
        attempt("answered", lambda: block.answered(future.result()))
    block.end(error)


class _Stand:
    """Stands for what a call has returned; everything it does not know itself is asked of that."""

    def __init__(self, block: Block, inner: Any) -> None:
        self._block = block
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name in {"_inner", "_block"}:  # a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self._inner, name)


class _Awaited(_Stand, Awaitable[Any]):
    """An awaitable that is no coroutine, such as aiohttp's requests, which are context managers as well."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return _finished(self._block, self._inner).__await__()

    async def __aenter__(self) -> Any:
        return await _finished(self._block, self._inner.__aenter__())

    async def __aexit__(self, *left: object) -> Any:
        return await self._inner.__aexit__(*left)


class _Items(_Stand, Iterator[Any]):
    """An iterator: the block lasts until it is exhausted or dropped, its time is what the items took."""

    def __next__(self) -> Any:
        return self._step(self._inner.__next__)

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()
        self._block.end()

    def _step(self, method: Callable[..., Any], *args: Any) -> Any:
        block = self._block
        if block.ended:
            return method(*args)
        block.resume()
        try:
            item = method(*args)
        except StopIteration:
            block.end()
            raise
        except BaseException as error:
            block.end(error)
            raise
        block.suspend(stop_clock=True)
        attempt("answered", partial(block.answered, item))
        return item

    def __del__(self) -> None:
        block = self.__dict__.get("_block")
        if block is not None:
            block.end()


class _AsyncItems(_Stand, AsyncIterator[Any]):
    """An asynchronous iterator; see `_Items`."""

    async def __anext__(self) -> Any:
        return await self._step(self._inner.__anext__)

    async def asend(self, value: Any) -> Any:
        return await self._step(self._inner.asend, value)

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._inner.athrow, *error)

    async def aclose(self) -> None:
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()
        self._block.end()

    async def _step(self, method: Callable[..., Any], *args: Any) -> Any:
        block = self._block
        if block.ended:
            return await method(*args)
        block.resume()
        try:
            item = await method(*args)
        except StopAsyncIteration:
            block.end()
            raise
        except CancelledError:  # of this step; whether the iterator goes on, the next one tells
            block.suspend(stop_clock=True)
            raise
        except BaseException as error:
            block.end(error)
            raise
        block.suspend(stop_clock=True)
        attempt("answered", partial(block.answered, item))
        return item

    def __del__(self) -> None:
        block = self.__dict__.get("_block")
        if block is not None:
            block.end()

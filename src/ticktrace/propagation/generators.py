"""Generators whose current span stays inside: nothing leaks across a yield, nothing breaks on early close."""

from __future__ import annotations

import contextvars
import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ContextAsyncGenerator", "ContextGenerator", "propagate_generator"]

P = ParamSpec("P")
Y = TypeVar("Y")
S = TypeVar("S")
R = TypeVar("R")


class ContextGenerator(Generator[Y, S, R]):
    """A generator that runs every step in one context of its own, copied when this object is made.

    So it sees the span that was current then; a span that it makes current stays invisible to its
    consumer; and closing it early, from another task or by the garbage collector, ends its spans in the
    context in which they began. Other context variables are copied likewise, as asyncio does for tasks.
    """

    def __init__(self, generator: Generator[Y, S, R]) -> None:
        self._generator = generator
        self._context = contextvars.copy_context()

    def __next__(self) -> Y:
        return self._context.run(self._generator.__next__)

    def send(self, value: S, /) -> Y:
        """Resume the generator with `value`."""
        return self._context.run(self._generator.send, value)

    def throw(
        self,
        typ: BaseException | type[BaseException],
        val: object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Y:
        """Raise inside the generator. The three-argument form is deprecated by Python itself."""
        return self._context.run(self._generator.throw, _exception(typ, val, tb))

    def close(self) -> None:
        """Raise GeneratorExit inside the generator, in its own context."""
        self._context.run(self._generator.close)

    def __del__(self) -> None:
        generator = getattr(self, "_generator", None)  # absent when __init__ failed
        if generator is not None and not getattr(generator, "gi_running", False):
            self.close()


class ContextAsyncGenerator(AsyncGenerator[Y, S]):
    """An asynchronous generator that runs every step in one context of its own, as `ContextGenerator`.

    It also takes the generator's place with the event loop (`sys.set_asyncgen_hooks`), so that
    `loop.shutdown_asyncgens()` and the garbage collector close it in its own context too.

    Args:
        generator: what to run.
        context: where to run it; a copy of the current one by default.
    """

    def __init__(self, generator: AsyncGenerator[Y, S], context: contextvars.Context | None = None) -> None:
        self._generator = generator
        self._context = contextvars.copy_context() if context is None else context
        self._known_to_loop = False

    def __anext__(self) -> Awaitable[Y]:  # type: ignore[override]  # an awaitable, as the built-in's
        return self._step(self._generator.__anext__)

    def asend(self, value: S, /) -> Awaitable[Y]:  # type: ignore[override]  # an awaitable, as the built-in's
        """Resume the generator with `value`."""
        return self._step(self._generator.asend, value)

    def athrow(  # type: ignore[override]  # an awaitable, as the built-in's
        self,
        typ: BaseException | type[BaseException],
        val: object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Awaitable[Y]:
        """Raise inside the generator. The three-argument form is deprecated by Python itself."""
        return self._step(self._generator.athrow, _exception(typ, val, tb))

    async def aclose(self) -> None:
        """Raise GeneratorExit inside the generator, in its own context."""
        await self._step(self._generator.aclose)

    def _step(self, method: Callable[..., Awaitable[Any]], *args: Any) -> Awaitable[Any]:
        if self._known_to_loop:
            return _Step(method(*args), self._context)
        self._known_to_loop = True
        # The interpreter reads the hooks when the first step is made, and never again for this generator.
        hooks = sys.get_asyncgen_hooks()
        if hooks.firstiter is None and hooks.finalizer is None:
            return _Step(method(*args), self._context)
        context = self._context

        def first_iteration(_generator: AsyncGenerator[Any, Any]) -> None:
            if hooks.firstiter is not None:
                hooks.firstiter(self)

        def finalize(generator: AsyncGenerator[Any, Any]) -> None:
            if hooks.finalizer is not None:
                hooks.finalizer(ContextAsyncGenerator(generator, context))

        sys.set_asyncgen_hooks(first_iteration, finalize)
        try:
            awaitable = method(*args)
        finally:
            sys.set_asyncgen_hooks(*hooks)
        return _Step(awaitable, context)


class _Step(Awaitable[Any]):
    """One step of an asynchronous generator: whatever it awaits, it is resumed in the generator's context."""

    def __init__(self, awaitable: Awaitable[Any], context: contextvars.Context) -> None:
        self._awaitable = awaitable
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        run = self._context.run
        steps = run(self._awaitable.__await__)
        resume: Callable[..., Any] = steps.send
        value: Any = None
        while True:
            try:
                awaited = run(resume, value)
            except StopIteration as stop:
                return stop.value
            try:
                value = yield awaited
                resume = steps.send
            except GeneratorExit:
                run(steps.close)
                raise
            except BaseException as error:  # noqa: BLE001 - cancellation belongs to the generator too
                value = error
                resume = steps.throw


@overload
def propagate_generator(target: AsyncGenerator[Y, S]) -> ContextAsyncGenerator[Y, S]: ...
@overload
def propagate_generator(target: Generator[Y, S, R]) -> ContextGenerator[Y, S, R]: ...
@overload
def propagate_generator(
    target: Callable[P, AsyncGenerator[Y, S]],
) -> Callable[P, ContextAsyncGenerator[Y, S]]: ...
@overload
def propagate_generator(
    target: Callable[P, Generator[Y, S, R]],
) -> Callable[P, ContextGenerator[Y, S, R]]: ...
@overload
def propagate_generator(
    target: Callable[P, AsyncIterator[Y]],
) -> Callable[P, ContextAsyncGenerator[Y, Any]]: ...
@overload
def propagate_generator(target: Callable[P, Iterator[Y]]) -> Callable[P, ContextGenerator[Y, Any, Any]]: ...
def propagate_generator(target: Any) -> Any:
    """Give a generator a context of its own, copied from the caller's at the call. Also a decorator.

        @propagate_generator
        def candles(path):
            with tracer.start_as_current_span("replay"):     # never leaks into the loop that consumes
                yield from read(path)

    Args:
        target: a generator, an asynchronous generator, or a function that makes either.

    Returns:
        The same kind. A decorated function is a plain function that returns a generator: what insists on
        `inspect.isgeneratorfunction`, such as FastAPI's `Depends`, wants the undecorated one.

    Raises:
        TypeError: `target` is none of these.
    """
    if isinstance(target, AsyncGenerator):
        return ContextAsyncGenerator(target)
    if isinstance(target, Generator):
        return ContextGenerator(target)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):

        @wraps(target)
        def start(*args: Any, **kwargs: Any) -> Any:
            return propagate_generator(target(*args, **kwargs))

        return start
    raise TypeError(f"propagate_generator takes a generator or a generator function, not {target!r}")


def _exception(
    typ: BaseException | type[BaseException], val: object, tb: TracebackType | None
) -> BaseException:
    # Generator.throw(type, value, traceback) is deprecated and warns; one exception says the same.
    if isinstance(typ, BaseException):
        return typ if tb is None else typ.with_traceback(tb)
    if isinstance(val, BaseException):
        error = val
    elif val is None:
        error = typ()
    else:
        error = cast("Callable[..., BaseException]", typ)(val)
    return error if tb is None else error.with_traceback(tb)

"""Decorators that make a stage of every call, of plain and of coroutine functions."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

__all__ = ["staged"]

P = ParamSpec("P")
R = TypeVar("R")


def staged(
    function: Callable[P, R],
    stage: Callable[[Sequence[Any], Mapping[str, Any]], AbstractContextManager[object]],
) -> Callable[P, R]:
    """Run each call of `function` inside what `stage` makes of its arguments.

    Raises:
        TypeError: the function is a generator, whose body runs long after the call has returned.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function!r} is a generator: its body runs after the call has returned, so a decorator cannot time it;"
            " write the `with` block inside it"
        )
    called = getattr(function, "__call__", None)  # noqa: B004  not whether, but whether it is a coroutine function
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            with stage(args, kwargs):
                return await cast("Callable[..., Any]", function)(*args, **kwargs)

        return cast("Callable[P, R]", asynchronous)

    @functools.wraps(function)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> R:
        with stage(args, kwargs):
            return function(*args, **kwargs)

    return synchronous

"""Bind a callable to the context of the moment: for callbacks, pools, timers and signal handlers."""

from __future__ import annotations

import inspect
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ticktrace.engine import report
from ticktrace.propagation.generators import propagate_generator
from ticktrace.propagation.handoff import Handoff, OnWait

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from ticktrace.propagation.attachment import Relation

__all__ = ["carry"]

P = ParamSpec("P")
R = TypeVar("R")


def carry(
    function: Callable[P, R],
    context: Context | None = None,
    *,
    relation: Relation = "parent",
    on_wait: OnWait | None = None,
) -> Callable[P, R]:
    """`function`, bound to the context in which `carry` was called, wherever it runs later.

        loop.call_soon_threadsafe(carry(on_fill), fill)
        future.add_done_callback(carry(report))
        signal.signal(signal.SIGUSR1, carry(dump))

    Plain functions, coroutine functions, generator functions and asynchronous generator functions are
    taken. It may be called many times and in several threads. The result is a new object: keep it, where
    it must be removed again (`future.remove_done_callback`).

    Args:
        function: what to call.
        context: the context to carry; the current one by default.
        relation: what the span of that context becomes: the parent of spans started in `function`, or
            what `current_links()` names.
        on_wait: is told, at each call, the seconds since `carry`. Not for generator functions.
    """
    handoff = Handoff.capture() if context is None else Handoff(context, perf_counter())
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return cast("Callable[P, R]", _carry_generator(function, handoff, relation))
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with `async def __call__`
    ):

        @wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            _report_wait(handoff, on_wait)
            with handoff.attached(relation):
                return await cast("Any", function(*args, **kwargs))

        return cast("Callable[P, R]", run_async)

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        _report_wait(handoff, on_wait)
        with handoff.attached(relation):
            return function(*args, **kwargs)

    return run


def _carry_generator(
    function: Callable[..., Any], handoff: Handoff, relation: Relation
) -> Callable[..., Any]:
    @wraps(function)
    def start(*args: Any, **kwargs: Any) -> Any:
        with handoff.attached(relation):
            return propagate_generator(function(*args, **kwargs))

    return start


def _report_wait(handoff: Handoff, on_wait: OnWait | None) -> None:
    if on_wait is None:
        return
    try:
        on_wait(handoff.waited())
    except Exception as error:  # noqa: BLE001 - the application's callback may raise anything
        report("reporting the wait of a carried call", error)

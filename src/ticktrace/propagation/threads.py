"""Threads and thread pools that work under the context of whoever started them."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry.context import get_current

from ticktrace.propagation.attachment import attached, parent_context
from ticktrace.propagation.carry import carry

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.propagation.handoff import OnWait

__all__ = ["ContextExecutor", "ContextThread"]

P = ParamSpec("P")
R = TypeVar("R")


class ContextThread(threading.Thread):
    """A `threading.Thread` that runs under the context in which `start()` was called.

    Subclasses that override `run` are covered too.
    """

    def start(self) -> None:
        """Start the thread under the current context; raises `RuntimeError` when it was started before."""
        if self.ident is not None:
            super().start()  # raises: a thread starts once, and its `run` must be left alone
        context = parent_context(get_current())
        run = self.run

        def run_attached() -> None:
            del self.run  # gives the class its method back, and breaks the cycle
            with attached(context):
                run()

        self.__dict__["run"] = run_attached  # on the instance alone
        try:
            super().start()
        except BaseException:
            self.__dict__.pop("run", None)
            raise


class ContextExecutor(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` whose calls run under the context in which they were submitted.

    `submit`, `map`, `loop.run_in_executor` and `loop.set_default_executor` take it. For a pool that you
    did not create: `pool.submit(carry(function), …)`.

    Args:
        max_workers: as ThreadPoolExecutor.
        on_wait: is told, in the worker, the seconds that each call waited for a free thread.
        kwargs: as ThreadPoolExecutor (thread_name_prefix, initializer, initargs).
    """

    def __init__(
        self, max_workers: int | None = None, *, on_wait: OnWait | None = None, **kwargs: Any
    ) -> None:
        super().__init__(max_workers, **kwargs)
        self._on_wait = on_wait

    @property
    def depth(self) -> int:
        """How many calls wait for a free thread, approximately."""
        return self._work_queue.qsize()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedule a call under the current context."""
        return super().submit(carry(fn, on_wait=self._on_wait), *args, **kwargs)

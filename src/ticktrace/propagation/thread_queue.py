"""A thread queue whose items bring their producer's context along."""

from __future__ import annotations

import queue as stdlib
import sys
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from ticktrace.propagation.handoff import (
    Clock,
    Delivery,
    Envelope,
    OnWait,
    attached_to_all,
    deliver,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace.propagation.attachment import Relation

__all__ = ["TracedThreadQueue"]

T = TypeVar("T")


class TracedThreadQueue(stdlib.Queue[T]):
    """A `queue.Queue` that carries the trace from `put` to the consuming thread, and measures the wait.

    Order, capacity, timeouts, `join`, `task_done`, `shutdown` (3.13) and the exceptions are those of the
    queue inside. `get` returns the bare item; `receive` also attaches the producer's context.

    Args:
        maxsize: capacity of a new queue; 0 is unbounded.
        queue: an existing queue to wrap instead, `queue.SimpleQueue` included. Items put past the wrapper
            come out as they are, without a context. For queues between processes use `inject` and `extract`.
        relation: what `receive` makes of the producer's span, unless told otherwise: the parent, or a link.
        on_wait: is told the seconds between the call of `put` and the return of `get`, for each item, in
            the consumer's thread.
        clock: monotonic seconds.

    Raises:
        ValueError: both `maxsize` and `queue` are given.
    """

    # The base class lends its type, not its state: whatever is not defined here is the inner queue's.
    def __init__(
        self,
        maxsize: int = 0,
        *,
        queue: stdlib.Queue[Any] | stdlib.SimpleQueue[Any] | None = None,
        relation: Relation = "parent",
        on_wait: OnWait | None = None,
        clock: Clock = perf_counter,
    ) -> None:
        if queue is not None and maxsize:
            raise ValueError("TracedThreadQueue: maxsize belongs to a new queue; the one given has its own")
        # A SimpleQueue lacks join and task_done; calling them raises AttributeError, as it does there.
        self._inner: Any = stdlib.Queue(maxsize) if queue is None else queue
        self._relation: Relation = relation
        self._on_wait = on_wait
        self._wait_clock = clock

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(object.__getattribute__(self, "_inner"), name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._inner!r}>"

    @property
    def depth(self) -> int:
        """How many items are waiting, approximately."""
        return self.qsize()

    def qsize(self) -> int:
        """How many items are waiting, approximately."""
        size: int = self._inner.qsize()
        return size

    def empty(self) -> bool:
        """Whether no item was waiting at the time of the call."""
        empty: bool = self._inner.empty()
        return empty

    def full(self) -> bool:
        """Whether `put` would have had to wait at the time of the call."""
        full: bool = self._inner.full()
        return full

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item with the current context; raises `queue.Full`."""
        self._inner.put(Envelope(item, self._wait_clock), block, timeout)

    def put_nowait(self, item: T) -> None:
        """Put an item with the current context, without waiting; raises `queue.Full`."""
        self._inner.put_nowait(Envelope(item, self._wait_clock))

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """The next item alone; the consumer's context stays as it is. Raises `queue.Empty`."""
        return self.take(block, timeout).item

    def get_nowait(self) -> T:
        """The next item alone, if there is one; raises `queue.Empty`."""
        return self.take(block=False).item

    def take(self, block: bool = True, timeout: float | None = None) -> Delivery[T]:
        """The next item with its producer's context and its wait, for code that attaches by itself."""
        return deliver(self._inner.get(block, timeout), self._wait_clock, self._on_wait)

    def receive(
        self,
        block: bool = True,
        timeout: float | None = None,
        *,
        relation: Relation | None = None,
        task_done: bool = False,
    ) -> AbstractContextManager[T]:
        """Take the next item and work on it under its producer's context.

        Args:
            block: wait for an item.
            timeout: seconds to wait at most; None waits for ever.
            relation: overrides the queue's.
            task_done: call `task_done()` at the end of the block, also when it raises.

        Raises:
            queue.Empty: on entering, when no item came in time.
        """
        return self._receive(block, timeout, self._relation if relation is None else relation, task_done)

    @contextmanager
    def _receive(
        self, block: bool, timeout: float | None, relation: Relation, task_done: bool
    ) -> Iterator[T]:
        delivery = self.take(block, timeout)
        try:
            with delivery.attached(relation):
                yield delivery.item
        finally:
            if task_done:
                self.task_done()

    def receive_many(
        self,
        limit: int,
        block: bool = True,
        timeout: float | None = None,
        *,
        task_done: bool = False,
    ) -> AbstractContextManager[list[T]]:
        """Wait for an item, take what else is there up to `limit`, and link to all their producers.

        Inside the block there is no current span; pass `links=current_links()` to the one you start.

        Args:
            limit: the most items to take, at least 1.
            block: wait for the first item.
            timeout: seconds to wait at most for the first item; None waits for ever.
            task_done: call `task_done()` for each item at the end of the block, also when it raises.

        Raises:
            ValueError: `limit` is below 1.
            queue.Empty: on entering, when no item came in time.
        """
        if limit < 1:
            raise ValueError(f"receive_many: limit must be at least 1, not {limit}")
        return self._receive_many(limit, block, timeout, task_done)

    @contextmanager
    def _receive_many(
        self, limit: int, block: bool, timeout: float | None, task_done: bool
    ) -> Iterator[list[T]]:
        batch = [self.take(block, timeout)]
        try:
            self._take_waiting(batch, limit)
            with attached_to_all(batch):
                yield [delivery.item for delivery in batch]
        finally:
            if task_done:
                for _ in batch:
                    self.task_done()

    def _take_waiting(self, batch: list[Delivery[T]], limit: int) -> None:
        # Another consumer may be quicker, and a queue that was shut down meanwhile says so instead of Empty.
        exhausted = (stdlib.Empty, getattr(stdlib, "ShutDown", stdlib.Empty))
        while len(batch) < limit:
            try:
                batch.append(self.take(block=False))
            except exhausted:
                return

    def task_done(self) -> None:
        """Tell `join` that an item taken earlier is done."""
        self._inner.task_done()

    def join(self) -> None:
        """Block until every item put has been taken and marked done."""
        self._inner.join()

    if sys.version_info >= (3, 13):

        def shutdown(self, immediate: bool = False) -> None:
            """Refuse further items; `immediate` also drops those that wait."""
            self._inner.shutdown(immediate)

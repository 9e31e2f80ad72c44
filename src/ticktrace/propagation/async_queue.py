"""An asyncio queue whose items bring their producer's context along."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
    from collections.abc import AsyncIterator

    from ticktrace.propagation.attachment import Relation

__all__ = ["TracedQueue"]

T = TypeVar("T")


class TracedQueue(asyncio.Queue[T]):
    """An `asyncio.Queue` that carries the trace from `put` to the consumer, and measures the wait.

    Order, capacity, `join`, `task_done`, `shutdown` (3.13) and the exceptions are those of the queue
    inside. `get` returns the bare item; `receive` also attaches the producer's context:

        async with queue.receive() as tick:     # spans started here are children of the producer's
            handle(tick)

    Args:
        maxsize: capacity of a new queue; 0 is unbounded.
        queue: an existing queue to wrap instead, of any kind with asyncio.Queue's methods. Items put past
            the wrapper come out as they are, without a context.
        relation: what `receive` makes of the producer's span, unless told otherwise: the parent, or a link.
        on_wait: is told the seconds between the call of `put` and the return of `get`, for each item.
        clock: monotonic seconds.

    Raises:
        ValueError: both `maxsize` and `queue` are given.
    """

    # The base class lends its type, not its state: whatever is not defined here is the inner queue's.
    def __init__(
        self,
        maxsize: int = 0,
        *,
        queue: asyncio.Queue[Any] | None = None,
        relation: Relation = "parent",
        on_wait: OnWait | None = None,
        clock: Clock = perf_counter,
    ) -> None:
        if queue is not None and maxsize:
            raise ValueError("TracedQueue: maxsize belongs to a new queue; the one given has its own")
        self._inner: asyncio.Queue[Any] = asyncio.Queue(maxsize) if queue is None else queue
        self._relation: Relation = relation
        self._on_wait = on_wait
        self._wait_clock = clock

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(object.__getattribute__(self, "_inner"), name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._inner!r}>"

    __str__ = __repr__

    @property
    def maxsize(self) -> int:
        """The capacity; 0 is unbounded."""
        return self._inner.maxsize

    @property
    def depth(self) -> int:
        """How many items are waiting."""
        return self._inner.qsize()

    def qsize(self) -> int:
        """How many items are waiting."""
        return self._inner.qsize()

    def empty(self) -> bool:
        """Whether no item is waiting."""
        return self._inner.empty()

    def full(self) -> bool:
        """Whether `put` would have to wait."""
        return self._inner.full()

    async def put(self, item: T) -> None:
        """Put an item with the current context, waiting for a free place."""
        await self._inner.put(Envelope(item, self._wait_clock))

    def put_nowait(self, item: T) -> None:
        """Put an item with the current context; raises `asyncio.QueueFull`."""
        self._inner.put_nowait(Envelope(item, self._wait_clock))

    async def get(self) -> T:
        """The next item alone; the consumer's context stays as it is."""
        return (await self.take()).item

    def get_nowait(self) -> T:
        """The next item alone, if there is one; raises `asyncio.QueueEmpty`."""
        return self.take_nowait().item

    async def take(self) -> Delivery[T]:
        """The next item with its producer's context and its wait, for code that attaches by itself."""
        return deliver(await self._inner.get(), self._wait_clock, self._on_wait)

    def take_nowait(self) -> Delivery[T]:
        """As `take`, if there is an item; raises `asyncio.QueueEmpty`."""
        return deliver(self._inner.get_nowait(), self._wait_clock, self._on_wait)

    def receive(
        self, *, relation: Relation | None = None, task_done: bool = False
    ) -> AbstractAsyncContextManager[T]:
        """Take the next item and work on it under its producer's context.

        Args:
            relation: overrides the queue's.
            task_done: call `task_done()` at the end of the block, also when it raises.
        """
        return self._receive(self._relation if relation is None else relation, task_done)

    @asynccontextmanager
    async def _receive(self, relation: Relation, task_done: bool) -> AsyncIterator[T]:
        delivery = await self.take()
        try:
            with delivery.attached(relation):
                yield delivery.item
        finally:
            if task_done:
                self.task_done()

    def receive_many(self, limit: int, *, task_done: bool = False) -> AbstractAsyncContextManager[list[T]]:
        """Wait for an item, take what else is there up to `limit`, and link to all their producers.

        Inside the block there is no current span; pass `links=current_links()` to the one you start.

        Args:
            limit: the most items to take, at least 1.
            task_done: call `task_done()` for each item at the end of the block, also when it raises.

        Raises:
            ValueError: `limit` is below 1.
        """
        if limit < 1:
            raise ValueError(f"receive_many: limit must be at least 1, not {limit}")
        return self._receive_many(limit, task_done)

    @asynccontextmanager
    async def _receive_many(self, limit: int, task_done: bool) -> AsyncIterator[list[T]]:
        batch = [await self.take()]
        try:
            while len(batch) < limit and not self.empty():
                batch.append(self.take_nowait())
            with attached_to_all(batch):
                yield [delivery.item for delivery in batch]
        finally:
            if task_done:
                for _ in batch:
                    self.task_done()

    def task_done(self) -> None:
        """Tell `join` that an item taken earlier is done."""
        self._inner.task_done()

    async def join(self) -> None:
        """Wait until every item put has been taken and marked done."""
        await self._inner.join()

    if sys.version_info >= (3, 13):

        def shutdown(self, immediate: bool = False) -> None:
            """Refuse further items; `immediate` also drops those that wait."""
            self._inner.shutdown(immediate)

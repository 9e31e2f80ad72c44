"""An event bus on an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from typing import TYPE_CHECKING, Any, Self

from ticktrace import semconv
from ticktrace.engine import Deadline, warn_once
from ticktrace.trading.bus._base import CLOSE_SECONDS, Bus, Post, QueueName, would_wait_for_itself
from ticktrace.trading.bus._handling import Handling

if TYPE_CHECKING:
    from types import TracebackType

    from ticktrace.trading.bus._routes import Subscription

__all__ = ["EventBus"]

_DRAIN_SHARE = 0.9  # of a deadline goes to the events that wait, the rest to handlers that are told to stop
_MOMENT = 0.01  # is what a handler gets to stop even if the deadline has passed


class _Queue(QueueName):
    def __init__(self, name: str, label: str, capacity: int) -> None:
        super().__init__(name, label)
        self.inner: asyncio.Queue[Post[_Queue]] = asyncio.Queue(capacity)

    def begin(self) -> None:
        """Serve another loop, with the events that wait already."""
        before, self.inner = self.inner, asyncio.Queue(self.inner.maxsize)
        while not before.empty():
            self.inner.put_nowait(before.get_nowait())


class EventBus(Bus[_Queue]):
    """An event bus on an asyncio loop; made by `Trading.event_bus`. Use it in ``async with``, or `start` and `close`.

    Handlers may be functions, which run on the loop, or coroutine functions. What one raises is recorded and said, and
    the others get the event all the same. A handler works under the OpenTelemetry context in which its event was
    published, so its spans belong to that trace.

    Records ``trading.event_bus.publish.duration``, ``trading.event_bus.queue.wait``,
    ``trading.event_bus.handle.duration``, ``trading.event_bus.queue.depth``, ``trading.event_bus.dropped`` and
    ``trading.event_bus.handlers.slow``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[asyncio.Task[Any], _Queue] = {}
        self._accepting = True
        self._over = False
        self._pending = 0
        self._idle: asyncio.Event | None = None
        self._closing: asyncio.Task[bool] | None = None
        super().__init__(*args, **kwargs)

    def _make_queue(self, name: str, label: str) -> _Queue:
        queue = _Queue(name, label, self.capacity)
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed without the bus
                loop.call_soon_threadsafe(self._employ, queue)
        return queue

    def _depth_of(self, queue: _Queue) -> int:
        return queue.inner.qsize()

    # --- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to handle events, on the running loop; those that were published before are handled, too.

        Raises:
            RuntimeError: no loop is running.
        """
        with self._making:
            if self._loop is not None:
                return
            self._loop = asyncio.get_running_loop()
            self._accepting, self._over, self._closing, self._idle = True, False, None, None
            for queue in self._queues.values():
                queue.begin()
                self._employ(queue)

    def _employ(self, queue: _Queue) -> None:
        if self._loop is None or not self._accepting or queue in self._tasks.values():
            return
        for number in range(self.workers):
            task = self._loop.create_task(self._work(queue), name=f"{self.name}.{queue.name}.{number}")
            self._tasks[task] = queue

    async def close(self, timeout: float = CLOSE_SECONDS) -> bool:  # noqa: ASYNC109  the bus ends in time, not its caller
        """Take no further events, have those that wait handled, and stop, all within `timeout` seconds.

        What handlers publish while that lasts is handled, too. What has not been handled by then is dropped and counted;
        handlers that still work are cancelled and named in the log. A function that blocks the loop cannot be cancelled.
        Called by a handler, it does this after it.

        Returns:
            True when every event was handled; False also when a handler called it, since that is not known yet.
        """
        if self._closing is None:
            if self._loop is None:
                return self._discard_unstarted()
            self._closing = self._loop.create_task(self._close(timeout), name=f"{self.name}.close")
        if self._own_queue() is not None:
            return False
        return await asyncio.shield(self._closing)

    def _discard_unstarted(self) -> bool:
        self._accepting = False
        handled = True
        for queue in self._queues.values():
            handled = not self._discard(queue) and handled
        return handled

    async def _close(self, timeout: float) -> bool:  # noqa: ASYNC109  see close
        deadline = Deadline(timeout, default=CLOSE_SECONDS)
        self._accepting = False
        try:
            if self._pending:
                self._idle = asyncio.Event()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(deadline.remaining() * _DRAIN_SHARE):
                        await self._idle.wait()
        finally:
            late = [name for name, _ in self.busy]
            handled, self._over = not self._pending, True
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=max(deadline.remaining(), _MOMENT))
            for queue in self._queues.values():
                await self._discard_all(queue)
            if late:
                warn_once(
                    f"event_bus.late.{self.name:.60}",
                    "ticktrace: event bus %r was closed while these handlers were at work: %s",
                    self.name,
                    ", ".join(late),
                )
            self._tasks, self._loop, self._pending = {}, None, 0
        return handled

    async def _discard_all(self, queue: _Queue) -> None:
        # Room lets in publishers that wait for it; they put what they have in the next round of the loop.
        while self._discard(queue):  # noqa: ASYNC110  nobody would set an event; one round of the loop is what is waited for
            await asyncio.sleep(0)

    def _discard(self, queue: _Queue) -> int:
        discarded = 0
        while not queue.inner.empty():
            self._dropped(queue.inner.get_nowait(), queue, semconv.DropReason.SHUTDOWN)
            self._done()
            discarded += 1
        return discarded

    def after_fork(self) -> None:
        """In a forked child: the parent's loop, and the events on it, are the parent's."""
        self._making = threading.RLock()
        self._routes.reset_lock()
        self._busy, self._tasks, self._loop, self._closing = {}, {}, None, None
        self._pending, self._accepting, self._over = 0, True, False
        for queue in self._queues.values():
            queue.inner = asyncio.Queue(self.capacity)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- publishing ----------------------------------------------------------------------------------------------------

    async def publish(self, event: Any, topic: str | None = None) -> bool:
        """Hand an event to everybody who has subscribed to its class or its topic.

        With overflow ``wait`` it waits for room in full queues; not before the bus has started, and not in a handler
        that would wait for itself: then the event is dropped. From another loop it does what `publish_nowait` does.

        Args:
            event: any object; best one of its own, of a class of its own.
            topic: under which it is published, if topics are used.

        Returns:
            Whether every queue has taken it, and there is one.
        """
        if self._loop is None or self._loop is not asyncio.get_running_loop():
            return self.publish_nowait(event, topic)
        began = self._meter.now()
        label, posts = self._post(event, topic)
        taken = bool(posts)
        if not posts:
            self._unwanted(event, topic, label)
        for queue, post in posts:
            taken = await self._put(queue, post) and taken
        self._meter.published(label, (self._meter.now() - began) * 1e-9)
        return taken

    def publish_nowait(self, event: Any, topic: str | None = None) -> bool:
        """As `publish`, without waiting, and from any thread: an event whose queue is full is dropped and counted.

        Returns:
            Whether every queue has taken it; from another thread, whether it was handed to the loop.
        """
        began = self._meter.now()
        label, posts = self._post(event, topic)
        taken = bool(posts)
        if not posts:
            self._unwanted(event, topic, label)
        if self._loop is not None and self._loop is _running_loop():
            taken = self._offer_all(posts) and taken
        elif posts:
            taken = self._offer_from_outside(posts)
        self._meter.published(label, (self._meter.now() - began) * 1e-9)
        return taken

    def _offer_from_outside(self, posts: list[tuple[_Queue, Post[_Queue]]]) -> bool:
        with self._making:  # lest the bus starts meanwhile
            loop = self._loop
            if loop is None:
                return self._offer_all(posts)
        try:
            loop.call_soon_threadsafe(self._offer_all, posts)
        except RuntimeError:  # the loop was closed without the bus
            for queue, post in posts:
                self._dropped(post, queue, semconv.DropReason.CLOSED)
            return False
        return True

    def _offer_all(self, posts: list[tuple[_Queue, Post[_Queue]]]) -> bool:
        taken = True
        for queue, post in posts:
            taken = self._offer(queue, post) and taken
        return taken

    async def _put(self, queue: _Queue, post: Post[_Queue]) -> bool:
        if not (self.overflow == "wait" and queue.inner.full()):
            return self._offer(queue, post)
        own = self._own_queue()
        if own is None:
            return await self._put_waiting(queue, post) if self._accepting else self._offer(queue, post)
        own.waits_for.append(queue)
        try:
            if would_wait_for_itself(own, queue):
                return self._offer(queue, post)
            return await self._put_waiting(queue, post)
        finally:
            own.waits_for.remove(queue)

    async def _put_waiting(self, queue: _Queue, post: Post[_Queue]) -> bool:
        self._pending += 1
        try:
            await queue.inner.put(post)
        except BaseException:
            self._done()
            raise
        return not self._over

    def _own_queue(self) -> _Queue | None:
        """The queue behind which the caller is a handler."""
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no loop is running, here in this thread
            return None
        return None if task is None else self._tasks.get(task)

    def _offer(self, queue: _Queue, post: Post[_Queue]) -> bool:
        if not self._accepting and self._own_queue() is None:
            self._dropped(post, queue, semconv.DropReason.CLOSED)
            return False
        inner = queue.inner
        if inner.full():
            if self.overflow != "drop_oldest":
                self._dropped(post, queue, semconv.DropReason.QUEUE_FULL)
                return False
            self._dropped(inner.get_nowait(), queue, semconv.DropReason.DISPLACED)
            self._done()
        self._pending += 1
        inner.put_nowait(post)
        return True

    def _done(self) -> None:
        self._pending -= 1
        if self._idle is not None and self._pending <= 0:
            self._idle.set()

    # --- handling ------------------------------------------------------------------------------------------------------

    async def _work(self, queue: _Queue) -> None:
        while True:
            post = await queue.inner.get()
            self._taken(queue, post)
            try:
                await self._deliver(queue, post)
            finally:
                self._done()

    async def _deliver(self, queue: _Queue, post: Post[_Queue]) -> None:
        task = asyncio.current_task()
        for position, subscription in enumerate(post.subscriptions):
            if not subscription.active:
                continue
            self._busy[task] = (subscription.known_as.name, self._meter.now())
            try:
                await self._handle(post, subscription)
            except asyncio.CancelledError as error:
                if task is not None and task.cancelling():  # the bus is closed; else a handler's own affair
                    if any(each.active for each in post.subscriptions[position + 1 :]):
                        self._dropped(post, queue, semconv.DropReason.SHUTDOWN)
                    raise
                self._failed(error, post, subscription)
            except Exception as error:  # noqa: BLE001  a handler's fault is not the others'
                self._failed(error, post, subscription)
            finally:
                self._busy.pop(task, None)

    async def _handle(self, post: Post[_Queue], subscription: Subscription[_Queue]) -> None:
        with Handling(self._meter, post.label, subscription.known_as, post.handoff):
            result = subscription.handler(post.event)
            if result is not None and inspect.isawaitable(result):
                await result


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

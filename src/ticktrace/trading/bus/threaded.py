"""An event bus on threads."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from typing import TYPE_CHECKING, Any, Self

from ticktrace import semconv
from ticktrace.engine import Deadline, warn_once
from ticktrace.trading.bus._base import CLOSE_SECONDS, Bus, Post, would_wait_for_itself
from ticktrace.trading.bus._handling import Handling
from ticktrace.trading.bus._mailbox import Mailbox, Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ticktrace.trading.bus._routes import Subscription

__all__ = ["ThreadedEventBus"]

_DRAIN_SHARE = 0.9  # of a deadline goes to the events that wait, the rest to handlers that are told to stop


class _Worker(threading.Thread):
    """A thread that handles what is left in one mailbox, with a loop of its own for handlers that are coroutines."""

    def __init__(
        self, name: str, mailbox: Mailbox, deliver: Callable[[_Worker, Post[Mailbox]], None]
    ) -> None:
        super().__init__(name=name, daemon=True)  # a handler that hangs must not keep the process alive
        self.mailbox: Mailbox = mailbox
        self._deliver = deliver
        self._runner: asyncio.Runner | None = None
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> None:
        try:
            while (post := self.mailbox.take()) is not None:
                try:
                    self._deliver(self, post)
                finally:
                    self.mailbox.done()
        finally:
            if self._runner is not None:
                self._runner.close()

    def wait_for(self, awaitable: Awaitable[object]) -> None:
        """Run what an asynchronous handler has returned, in the context that is current."""
        if self._runner is None:
            self._runner = asyncio.Runner()

        async def result() -> None:
            self._task = asyncio.current_task()
            await awaitable

        self._runner.run(result(), context=contextvars.copy_context())

    def cancel(self) -> None:
        """Cancel the coroutine that is being run, if one is; from another thread."""
        task = self._task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                task.get_loop().call_soon_threadsafe(task.cancel)  # which does nothing to one that has ended


class ThreadedEventBus(Bus[Mailbox]):
    """An event bus on threads; made by `Trading.threaded_event_bus`. Use it in ``with``, or `start` and `close`.

    Each queue has its own threads. With one, its events are handled in the order in which they were published; with
    several, side by side. Handlers may be coroutine functions, too, which run on a loop of the thread's own. What one
    raises is recorded and said, and the others get the event all the same. A handler works under the OpenTelemetry
    context in which its event was published, so its spans belong to that trace.

    Records what `EventBus` does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._workers: list[_Worker] = []
        self._pending = Pending()
        self._running = False
        self._accepting = True
        self._ending = threading.Lock()
        self._handled = True
        super().__init__(*args, **kwargs)

    def _make_queue(self, name: str, label: str) -> Mailbox:
        mailbox = Mailbox(name, label, self.capacity, self._pending)
        if self._running and self._accepting:
            self._employ(mailbox)
        return mailbox

    def _depth_of(self, queue: Mailbox) -> int:
        return len(queue)

    # --- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to handle events; those that were published before are handled, too."""
        with self._making:
            if self._running:
                return
            if not self._accepting:  # it was closed
                self._pending.renew()
                for mailbox in self._queues.values():
                    mailbox.renew()
            self._running = self._accepting = True
            for mailbox in self._queues.values():
                self._employ(mailbox)

    def _employ(self, mailbox: Mailbox) -> None:
        for number in range(self.workers):
            worker = _Worker(f"{self.name}.{mailbox.name}.{number}", mailbox, self._deliver)
            self._workers.append(worker)
            worker.start()

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Take no further events, have those that wait handled, and stop, all within `timeout` seconds.

        What handlers publish while that lasts is handled, too. What has not been handled by then is dropped and counted.
        Handlers that still work are named in the log; those that are coroutines are cancelled, the others go on until
        they return, on threads that keep no process alive.
        Called by a handler, it does this beside it.

        Returns:
            True when every event was handled; False also when a handler called it, since that is not known yet.
        """
        if threading.current_thread() in self._workers:
            threading.Thread(
                target=self._close, args=(timeout,), name=f"{self.name}.close", daemon=True
            ).start()
            return False
        return self._close(timeout)

    def _close(self, timeout: float) -> bool:
        deadline = Deadline(timeout, default=CLOSE_SECONDS)
        if not self._ending.acquire(timeout=deadline.remaining()):
            return False
        try:
            if self._accepting:
                self._accepting = False
                self._handled = self._end(deadline)
                self._running = False
            return self._handled
        finally:
            self._ending.release()

    def _end(self, deadline: Deadline) -> bool:
        mailboxes = list(self._queues.values())
        drain = Deadline(deadline.remaining() * _DRAIN_SHARE)
        handled = not self._running or self._pending.wait_until_none(drain)
        late = [name for name, _ in self.busy]
        for mailbox in mailboxes:
            for post in mailbox.close():
                handled = False
                self._dropped(post, mailbox, semconv.DropReason.SHUTDOWN)
        for worker in self._workers:
            if worker.is_alive():
                worker.cancel()
        for worker in self._workers:
            worker.join(deadline.remaining())
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        if late:
            warn_once(
                f"event_bus.late.{self.name:.60}",
                "ticktrace: event bus %r was closed while these handlers were at work: %s",
                self.name,
                ", ".join(late),
            )
        return handled

    def after_fork(self) -> None:
        """In a forked child: the parent's threads, and the events that wait for them, are the parent's."""
        self._making, self._ending = threading.RLock(), threading.Lock()
        self._routes.reset_lock()
        self._busy, self._workers = {}, []
        self._running, self._accepting = False, True
        self._pending.renew()
        for mailbox in self._queues.values():
            mailbox.renew()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- publishing ----------------------------------------------------------------------------------------------------

    def publish(self, event: Any, topic: str | None = None, *, timeout: float | None = None) -> bool:
        """Hand an event to everybody who has subscribed to its class or its topic; from any thread.

        With overflow ``wait`` it waits for room in full queues; not before the bus has started, and not in a handler
        that would wait for itself: then the event is dropped.

        Args:
            event: any object; best one of its own, of a class of its own.
            topic: under which it is published, if topics are used.
            timeout: seconds to wait for room at most, in all; None for as long as it takes.

        Returns:
            Whether every queue has taken it, and there is one.
        """
        waits = self.overflow == "wait" and self._running
        return self._publish(event, topic, Deadline(timeout, default=float("inf")) if waits else None)

    def publish_nowait(self, event: Any, topic: str | None = None) -> bool:
        """As `publish`, without waiting: an event whose queue is full is dropped and counted."""
        return self._publish(event, topic, None)

    def _publish(self, event: Any, topic: str | None, deadline: Deadline | None) -> bool:
        began = self._meter.now()
        label, posts = self._post(event, topic)
        taken = bool(posts)
        if not posts:
            self._unwanted(event, topic, label)
        for mailbox, post in posts:
            taken = self._put(mailbox, post, deadline) and taken
        self._meter.published(label, (self._meter.now() - began) * 1e-9)
        return taken

    def _put(self, mailbox: Mailbox, post: Post[Mailbox], deadline: Deadline | None) -> bool:
        if not self._accepting and threading.current_thread() not in self._workers:
            self._dropped(post, mailbox, semconv.DropReason.CLOSED)
            return False
        if self.overflow == "drop_oldest":
            oldest = mailbox.displace(post)
            if oldest is not None:
                self._dropped(oldest, mailbox, semconv.DropReason.DISPLACED)
            return True
        if mailbox.put(post, None):
            return True
        if deadline is not None and self._put_waiting(mailbox, post, deadline):
            return True
        reason = semconv.DropReason.CLOSED if mailbox.closed else semconv.DropReason.QUEUE_FULL
        self._dropped(post, mailbox, reason)
        return False

    def _put_waiting(self, mailbox: Mailbox, post: Post[Mailbox], deadline: Deadline) -> bool:
        thread = threading.current_thread()
        own = thread.mailbox if isinstance(thread, _Worker) else None
        if own is None:
            return mailbox.put(post, deadline)
        own.waits_for.append(mailbox)
        try:
            return not would_wait_for_itself(own, mailbox) and mailbox.put(post, deadline)
        finally:
            own.waits_for.remove(mailbox)

    # --- handling ------------------------------------------------------------------------------------------------------

    def _deliver(self, worker: _Worker, post: Post[Mailbox]) -> None:
        self._taken(worker.mailbox, post)
        for subscription in post.subscriptions:
            if not subscription.active:
                continue
            if worker.mailbox.closed:
                self._dropped(post, worker.mailbox, semconv.DropReason.SHUTDOWN)
                return
            self._busy[worker] = (subscription.known_as.name, self._meter.now())
            try:
                self._handle(worker, post, subscription)
            except BaseException as error:  # noqa: BLE001  sys.exit in a handler would end the thread, and nobody would know
                self._failed(error, post, subscription)
            finally:
                self._busy.pop(worker, None)

    def _handle(self, worker: _Worker, post: Post[Mailbox], subscription: Subscription[Mailbox]) -> None:
        with Handling(self._meter, post.label, subscription.known_as, post.handoff):
            result = subscription.handler(post.event)
            if result is not None and inspect.isawaitable(result):
                worker.wait_for(result)

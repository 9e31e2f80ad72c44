"""What the buses have in common: their settings, who has subscribed, and what is said of failures."""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NamedTuple, TypeVar, get_args, overload

from opentelemetry.context import get_current

from ticktrace.engine import attempt, text_of, warn_once
from ticktrace.propagation import Handoff, Relation
from ticktrace.semconv import DropReason
from ticktrace.trading.bus._meter import BusMeter, Handler
from ticktrace.trading.bus._routes import Key, Routes, Subscription, handler_name

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder

__all__ = ["CLOSE_SECONDS", "Bus", "OnError", "Overflow", "Post", "QueueName", "would_wait_for_itself"]

Overflow = Literal["wait", "drop_newest", "drop_oldest"]
"""What happens to an event whose queue is full: its publisher waits, it is dropped, or the oldest one is."""

OnError = Callable[[Exception, Any, str], object]
"""Is told what a handler raised, the event, and the handler's name."""

CLOSE_SECONDS: Final = 5.0

E = TypeVar("E")
F = TypeVar("F", bound=Callable[..., object])
Q = TypeVar("Q", bound="QueueName")

_AS_THE_BUS: Final = -1.0


class QueueName:
    """What both kinds of queue have.

    Attributes:
        name: as the bot calls it.
        label: what stands for it on metrics.
        waits_for: the full queues for whose room handlers of this one are waiting.
    """

    def __init__(self, name: str, label: str) -> None:
        self.name: str = name
        self.label: str = label
        self.waits_for: list[QueueName] = []


def would_wait_for_itself(own: QueueName, full: QueueName) -> bool:
    """Whether a handler behind `own` that waits for room in `full` might wait for ever: for itself, in the end.

    Ask it after having noted the wait in `waits_for`: of two handlers that begin to wait for each other at once, the
    second to note it then sees both.
    """
    seen, ahead = set[int](), [full]
    while ahead:
        queue = ahead.pop()
        if queue is own:
            return True
        if id(queue) not in seen:
            seen.add(id(queue))
            ahead += queue.waits_for
    return False


class Post(NamedTuple, Generic[Q]):
    """An event on its way to the handlers behind one queue."""

    event: Any
    label: str
    subscriptions: tuple[Subscription[Q], ...]
    handoff: Handoff


class _Stack:
    """An exception with its stack, written out only if somebody wants to read it."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        return "".join(traceback.format_exception(self._error))


class Bus(Generic[Q]):
    """What `EventBus` and `ThreadedEventBus` share.

    Attributes:
        name: of the bus, and of the queue that handlers share unless they ask for another.
        capacity: how many events may wait in a queue.
        overflow: what happens when one is full.
        workers: how many work on each queue.
    """

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        *,
        capacity: int,
        overflow: Overflow,
        workers: int,
        slow_after: float | None,
        relation: Relation,
        spans: bool,
        on_error: OnError | None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"event bus: capacity must be at least 1, not {capacity}")
        if workers < 1:
            raise ValueError(f"event bus: workers must be at least 1, not {workers}")
        if overflow not in get_args(Overflow):
            raise ValueError(
                f"event bus: unknown overflow {overflow!r}; known: {', '.join(get_args(Overflow))}"
            )
        if relation not in get_args(Relation):
            raise ValueError(
                f"event bus: unknown relation {relation!r}; known: {', '.join(get_args(Relation))}"
            )
        self.name: str = text_of(name)
        self.capacity: int = capacity
        self.overflow: Overflow = overflow
        self.workers: int = workers
        self._slow_after = slow_after
        self._on_error = on_error
        self._recorder = recorder
        self._meter = BusMeter(recorder, relation=relation, spans=spans)
        self._routes: Routes[Q] = Routes(self._meter.event)
        self._making = threading.RLock()  # reentrant: what is logged under it may be published in turn
        self._queues: dict[str, Q] = {}
        self._busy: dict[object, tuple[str, int]] = {}

    # What a kind of bus tells.

    def _make_queue(self, name: str, label: str) -> Q:
        """A queue, with somebody who works on it if the bus is running."""
        raise NotImplementedError  # pragma: no cover  each kind has its own

    def _depth_of(self, queue: Q) -> int:
        """How many events wait in a queue; from any thread."""
        raise NotImplementedError  # pragma: no cover  each kind has its own

    # Subscribing.

    @overload
    def subscribe(
        self,
        key: type[E],
        handler: Callable[[E], object],
        *,
        queue: str | None = ...,
        name: str | None = ...,
        slow_after: float | None = ...,
    ) -> Subscription[Q]: ...

    @overload
    def subscribe(
        self,
        key: Key,
        handler: Callable[[Any], object],
        *,
        queue: str | None = ...,
        name: str | None = ...,
        slow_after: float | None = ...,
    ) -> Subscription[Q]: ...

    def subscribe(
        self,
        key: Key,
        handler: Callable[[Any], object],
        *,
        queue: str | None = None,
        name: str | None = None,
        slow_after: float | None = _AS_THE_BUS,
    ) -> Subscription[Q]:
        """Let a handler have all events of a class or of a topic, from now on.

        Args:
            key: a class, which brings its subclasses, a union of classes, or a topic, in which ``*`` and ``?`` stand
                for any text and any letter.
            handler: a function or a coroutine function with one argument, the event.
            queue: where the handler's events wait. Handlers of one queue are called one after the other; those of
                another one do not wait for them. The bus's own queue by default.
            name: of the handler, on metrics, on spans and in logs; its qualified name by default.
            slow_after: seconds after which one call counts as slow; None for never, the bus's by default.

        Returns:
            The subscription, to be cancelled when it is over.

        Raises:
            TypeError: `key` is nothing that one can subscribe to, or `handler` cannot be called, or is a generator.
        """
        if not isinstance(key, str):
            try:
                issubclass(object, key)
            except TypeError:
                raise TypeError(
                    f"subscribe: {key!r} is not a class, a union of classes, or a topic"
                ) from None
        if not callable(handler):
            raise TypeError(f"subscribe: the handler {handler!r} cannot be called")
        if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
            raise TypeError(
                f"subscribe: {handler!r} is a generator: its body would never run; return instead of yielding"
            )
        limit = self._slow_after if slow_after == _AS_THE_BUS else slow_after
        called = handler_name(handler) if name is None else text_of(name)
        behind = self._queue(self.name if queue is None else text_of(queue))
        known_as = Handler(called, self._recorder.words.handlers.label(called), behind.label, limit)
        subscription = Subscription(self._routes, key, handler, known_as, behind)
        self._routes.add(subscription)
        return subscription

    def on(
        self,
        key: Key,
        *,
        queue: str | None = None,
        name: str | None = None,
        slow_after: float | None = _AS_THE_BUS,
    ) -> Callable[[F], F]:
        """Decorate a handler; as `subscribe`, and the function stays what it is."""

        def decorate(handler: F) -> F:
            self.subscribe(key, handler, queue=queue, name=name, slow_after=slow_after)
            return handler

        return decorate

    def unsubscribe(self, key: Key, handler: Callable[[Any], object]) -> bool:
        """Cancel what `subscribe` was called with; True when there was such a subscription."""
        found = self._routes.of(key, handler)
        for subscription in found:
            subscription.cancel()
        return bool(found)

    def _queue(self, name: str) -> Q:
        with self._making:
            queue = self._queues.get(name)
            if queue is None:
                queue = self._make_queue(name, self._recorder.words.queues.label(name))
                self._queues[name] = queue
            return queue

    @property
    def depth(self) -> int:
        """How many events wait, in all queues."""
        return sum(map(self._depth_of, list(self._queues.values())))

    @property
    def busy(self) -> tuple[tuple[str, float], ...]:
        """The handlers that are at work now, each with the seconds since it began; for a health page, say."""
        now = self._meter.now()
        return tuple((name, (now - since) * 1e-9) for name, since in list(self._busy.values()))

    def refresh(self) -> None:
        """Set the gauges of the queues; called before metrics are read."""
        for queue in list(self._queues.values()):
            self._meter.depth(queue.label, self._depth_of(queue))

    # Publishing and handling.

    def _post(self, event: Any, topic: str | None) -> tuple[str, list[tuple[Q, Post[Q]]]]:
        """What an event is called, and what has to be put into which queue."""
        route = self._routes.find(type(event), topic)
        handoff = Handoff(get_current(), self._meter.now() * 1e-9)
        return route.event, [
            (queue, Post(event, route.event, subscriptions, handoff)) for queue, subscriptions in route.queues
        ]

    def _unwanted(self, event: Any, topic: str | None, label: str) -> None:
        """Nobody has subscribed to an event."""
        called = (
            type(event).__qualname__ if topic is None else f"{type(event).__qualname__} of topic {topic!r}"
        )
        self._meter.dropped(label, DropReason.NO_HANDLER, called=called)

    def _taken(self, queue: Q, post: Post[Q]) -> None:
        """An event was taken out of its queue."""
        self._meter.waited(post.label, queue.label, max(0.0, self._meter.now() * 1e-9 - post.handoff.at))

    def _failed(self, error: BaseException, post: Post[Q], subscription: Subscription[Q]) -> None:
        """A handler raised: the bus goes on, and says so."""
        name = subscription.known_as.name
        if self._on_error is not None and isinstance(error, Exception):
            attempt("event_bus.on_error", partial(self._on_error, error, post.event, name))
            return
        warn_once(
            f"event_bus.failed.{subscription.known_as.label:.60}.{type(error).__name__:.40}",
            "ticktrace: handler %s failed for one %s; the bus goes on\n%s",
            name,
            post.label,
            _Stack(error),
        )

    def _dropped(self, post: Post[Q], queue: Q, reason: DropReason) -> None:
        self._meter.dropped(post.label, reason, queue.label)

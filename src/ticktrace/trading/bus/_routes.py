"""Who gets which event: subscriptions by class and by topic, resolved once for each kind of event."""

from __future__ import annotations

import functools
import inspect
import threading
from fnmatch import fnmatchcase
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ticktrace import semconv
from ticktrace.engine import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.trading.bus._meter import Handler

__all__ = ["Key", "Route", "Routes", "Subscription", "handler_name"]

Key = type | UnionType | str
"""What is subscribed to: a class with all its subclasses, a union of classes, or a topic, with ``*`` and ``?``."""

Q = TypeVar("Q")

# Topics are often made of symbols. Beyond so many the table is made anew, which costs time and never memory.
_MOST_ROUTES = 1_000


def handler_name(handler: Callable[..., object]) -> str:
    """What a handler is called: ``Engine.on_candle`` for a method, ``main.on_tick`` for a function inside another one.

    An object that is callable has the name of its class.
    """
    inner: Any = handler
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = inspect.unwrap(inner)
    name = text_of(getattr(inner, "__qualname__", None) or type(inner).__qualname__)
    return name.replace("<locals>.", "")


class Subscription(Generic[Q]):
    """A handler's place on a bus; made by ``subscribe``, given up by `cancel`.

    Attributes:
        key: what it gets: a class, a union, or a topic.
        handler: what is called with each event.
        known_as: the handler as telemetry knows it.
        queue: where its events wait.
        active: False once it was cancelled.
    """

    __slots__ = ("_routes", "active", "handler", "key", "known_as", "queue")

    def __init__(
        self,
        routes: Routes[Q],
        key: Key,
        handler: Callable[[Any], object],
        known_as: Handler,
        queue: Q,
    ) -> None:
        self._routes = routes
        self.key: Key = key
        self.handler: Callable[[Any], object] = handler
        self.known_as: Handler = known_as
        self.queue: Q = queue
        self.active: bool = True

    def matches(self, kind: type, topic: str | None) -> bool:
        """Whether it gets events of that class, or of that topic."""
        key = self.key
        if not isinstance(key, str):
            return issubclass(kind, key)
        if topic is None:
            return False
        return key == topic or (("*" in key or "?" in key) and fnmatchcase(topic, key))

    def cancel(self) -> None:
        """The handler gets no further event, not even one that waits for it already."""
        self.active = False
        self._routes.remove(self)


class Route(NamedTuple, Generic[Q]):
    """Where events of one kind go.

    Attributes:
        event: what stands for them on metrics.
        queues: each queue with the subscriptions whose events wait in it, in the order of subscription.
    """

    event: str
    queues: tuple[tuple[Q, tuple[Subscription[Q], ...]], ...]


class Routes(Generic[Q]):
    """The subscriptions of a bus. Thread-safe; finding a route that is known takes no lock."""

    def __init__(self, label: Callable[[str], str]) -> None:
        self._label = label
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription[Q], ...] = ()
        self._known: dict[tuple[type, str | None], Route[Q]] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def add(self, subscription: Subscription[Q]) -> None:
        """Let a subscription have its events from now on."""
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
            self._known = {}

    def remove(self, subscription: Subscription[Q]) -> None:
        """Forget a subscription."""
        with self._lock:
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)
            self._known = {}

    def of(self, key: Key, handler: Callable[[Any], object]) -> tuple[Subscription[Q], ...]:
        """The subscriptions of a handler to exactly that key."""
        return tuple(each for each in self._subscriptions if each.key == key and each.handler == handler)

    def find(self, kind: type, topic: str | None) -> Route[Q]:
        """Where an event of that class, published under that topic, goes."""
        route = self._known.get((kind, topic))
        return self._resolve(kind, topic) if route is None else route

    def _resolve(self, kind: type, topic: str | None) -> Route[Q]:
        with self._lock:
            takers = [each for each in self._subscriptions if each.matches(kind, topic)]
            queues: dict[int, tuple[Q, list[Subscription[Q]]]] = {}
            for taker in takers:
                queues.setdefault(id(taker.queue), (taker.queue, []))[1].append(taker)
            route = Route(
                self._label(_word(kind, takers)),
                tuple((queue, tuple(subscriptions)) for queue, subscriptions in queues.values()),
            )
            if len(self._known) >= _MOST_ROUTES:
                self._known = {}
            self._known[kind, topic] = route
            return route

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()


def _word(kind: type, takers: list[Subscription[Any]]) -> str:
    """What an event is called: its class, or the topic as it was subscribed to where the class says nothing.

    A topic as it was *published* may have a symbol in it, and would be a series for each.
    """
    if kind.__module__ != "builtins":
        return kind.__name__
    topics = [taker.key for taker in takers if isinstance(taker.key, str)]
    if topics:
        return topics[0]
    return kind.__name__ if takers else semconv.OTHER

"""A bus that the bot has already: measured by wrapping what publishes and what handles, and changed in nothing else."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from opentelemetry.context import get_current

from ticktrace import semconv
from ticktrace.engine import report, text_of
from ticktrace.propagation import Handoff
from ticktrace.trading.bus._handling import Handling
from ticktrace.trading.bus._meter import BusMeter, Handler
from ticktrace.trading.bus._routes import handler_name
from ticktrace.trading.bus._stamps import Stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ticktrace.propagation import Relation
    from ticktrace.trading._recorder import Recorder

__all__ = ["ObservedBus"]

P = ParamSpec("P")
R = TypeVar("R")

_MISSING = object()


class ObservedBus:
    """A bus of somebody else's, observed; made by `Trading.observe_bus`. A context manager that ends with `undo`.

    What the bus does, raises and returns stays as it is. The wait of an event is measured from the call that publishes
    it to the call of its first handler, and each handler works under the context in which it was published. Both need
    to find the event again, which works for any object but those that stand for themselves everywhere, such as texts,
    numbers and members of enumerations.

    Records what `EventBus` does, but nothing of events that the bus drops.
    """

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        *,
        event_type: Callable[..., str] | None,
        depth: Callable[[], int] | None,
        slow_after: float | None,
        relation: Relation,
        spans: bool,
    ) -> None:
        self._recorder = recorder
        self._meter = BusMeter(recorder, relation=relation, spans=spans)
        self._event_type = event_type
        self._depth = depth
        self._slow_after = slow_after
        self._queue = recorder.words.queues.label(text_of(name))
        self._stamps = Stamps()
        self._lock = threading.Lock()
        self._wrapped: dict[Any, tuple[Any, int]] = {}
        self._undo: list[Callable[[], None]] = []

    # --- a whole bus ---------------------------------------------------------------------------------------------------

    def patch(
        self, bus: object, publish: Sequence[str], subscribe: Sequence[str], unsubscribe: Sequence[str]
    ) -> None:
        """Observe a bus by its methods, on this object alone.

        Raises:
            TypeError: it has no such method, or its attributes cannot be set.
        """
        required: list[tuple[str, Callable[[Any], Any]]] = [(name, self.publishing) for name in publish]
        required += [(name, self._subscribing) for name in subscribe]
        optional = [(name, self._unsubscribing) for name in unsubscribe if hasattr(bus, name)]
        for name, _ in required:
            if not callable(getattr(bus, name, None)):
                raise TypeError(
                    f"observe_bus: {type(bus).__name__} has no method {name!r}; say which ones it has: publish=…,"
                    " subscribe=…, or wrap the functions: observed.publishing(…), observed.handling(…)"
                )
        try:
            for name, wrap in (*required, *optional):
                self._replace(bus, name, wrap)
        except (AttributeError, TypeError) as error:
            self.undo()
            raise TypeError(
                f"observe_bus: the methods of {type(bus).__name__} cannot be replaced ({error}); wrap the functions:"
                " observed.publishing(…), observed.handling(…)"
            ) from error

    def _replace(self, bus: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        method = getattr(bus, name)
        earlier = getattr(method, "__ticktrace_observed__", None)
        if earlier is not None:  # by telemetry that has been shut down since, or by mistake: once is enough
            method = earlier
        before = vars(bus).get(name, _MISSING) if hasattr(bus, "__dict__") else _MISSING
        replacement = wrap(method)
        replacement.__ticktrace_observed__ = method
        setattr(bus, name, replacement)

        def undo() -> None:
            if getattr(bus, name, None) is not replacement:
                return  # somebody has wrapped it in turn; what is ours in it does no harm
            if before is not _MISSING and earlier is None:
                setattr(bus, name, before)
            elif hasattr(type(bus), name):
                delattr(bus, name)
            else:
                setattr(bus, name, method)

        self._undo.append(undo)

    def undo(self) -> None:
        """Give the bus its methods back. Handlers that have subscribed meanwhile stay observed."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()

    def _subscribing(self, subscribe: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(subscribe)
        def observed(*args: Any, **kwargs: Any) -> Any:
            exchanged = _exchange(args, kwargs, self._taken_on)
            if exchanged is not None:
                return subscribe(*exchanged[0], **exchanged[1])
            result = subscribe(*args, **kwargs)
            return self._decorator(result) if _is_handler(result) else result

        return observed

    def _decorator(self, decorator: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """For buses that are subscribed to by ``@bus.subscribe(key)``; the function stays what it is."""

        @functools.wraps(decorator)
        def decorate(handler: Any) -> Any:
            wrapped = self._taken_on(handler) if _is_handler(handler) else handler
            result = decorator(wrapped)
            return handler if result is wrapped else result

        return decorate

    def _unsubscribing(self, unsubscribe: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(unsubscribe)
        def observed(*args: Any, **kwargs: Any) -> Any:
            exchanged = _exchange(args, kwargs, self._given_up)
            return (
                unsubscribe(*args, **kwargs)
                if exchanged is None
                else unsubscribe(*exchanged[0], **exchanged[1])
            )

        return observed

    def _taken_on(self, handler: Any) -> Any:
        """The observed form of a handler: the same one each time, so that it can be unsubscribed."""
        try:
            with self._lock:
                wrapped, times = self._wrapped.get(handler) or (self.handling(handler), 0)
                self._wrapped[handler] = (wrapped, times + 1)
        except TypeError:  # it has no hash, so it cannot be found again either
            return self.handling(handler)
        return wrapped

    def _given_up(self, handler: Any) -> Any:
        try:
            with self._lock:
                found = self._wrapped.get(handler)
                if found is None:
                    return handler
                wrapped, times = found
                if times > 1:
                    self._wrapped[handler] = (wrapped, times - 1)
                else:
                    del self._wrapped[handler]
        except TypeError:
            return handler
        return wrapped

    # --- its parts -----------------------------------------------------------------------------------------------------

    def publishing(self, function: Callable[P, R]) -> Callable[P, R]:
        """Wrap a function, sync or async, that publishes an event: its last positional argument, else its last one."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def publish_async(*args: Any, **kwargs: Any) -> Any:
                label, began = self._publish(args, kwargs)
                try:
                    return await cast("Callable[..., Any]", function)(*args, **kwargs)
                finally:
                    self._published(label, began)

            return cast("Callable[P, R]", publish_async)

        @functools.wraps(function)
        def publish(*args: P.args, **kwargs: P.kwargs) -> R:
            label, began = self._publish(args, kwargs)
            try:
                return function(*args, **kwargs)
            finally:
                self._published(label, began)

        return publish

    def handling(
        self, function: Callable[P, R], *, name: str | None = None, slow_after: float | None = None
    ) -> Callable[P, R]:
        """Wrap a handler, sync or async, of one event: its last positional argument, else its last one.

        Args:
            function: the handler.
            name: what it is called; its qualified name by default.
            slow_after: seconds after which one call counts as slow; the bus's by default.
        """
        called = handler_name(function) if name is None else text_of(name)
        limit = self._slow_after if slow_after is None else slow_after
        known_as = Handler(called, self._recorder.words.handlers.label(called), self._queue, limit)
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004  not whether, but whether it is a coroutine function
        ):

            @functools.wraps(function)
            async def handle_async(*args: Any, **kwargs: Any) -> Any:
                with self._handling(known_as, args, kwargs):
                    return await cast("Callable[..., Any]", function)(*args, **kwargs)

            return cast("Callable[P, R]", handle_async)

        @functools.wraps(function)
        def handle(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._handling(known_as, args, kwargs):
                return function(*args, **kwargs)

        return handle

    def _publish(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, int]:
        label, began = semconv.OTHER, self._meter.now()
        try:
            event = _event(args, kwargs)
            label = self._label(event, args)
            self._stamps.put(event, label, Handoff(get_current(), began * 1e-9))
        except Exception as error:  # noqa: BLE001  an event may be anything, and so may what names it
            report("observe_bus.publish", error)
        return label, began

    def _published(self, label: str, began: int) -> None:
        self._meter.published(label, (self._meter.now() - began) * 1e-9)

    def _handling(self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handling:
        label, handoff = semconv.OTHER, None
        try:
            event = _event(args, kwargs)
            stamp = self._stamps.get(event)
            if stamp is None:
                label = self._label(event, args)
            else:
                label, handoff, first = stamp
                if first:
                    self._meter.waited(label, self._queue, max(0.0, self._meter.now() * 1e-9 - handoff.at))
        except Exception as error:  # noqa: BLE001  see _publish
            report("observe_bus.handle", error)
        return Handling(self._meter, label, handler, handoff)

    def _label(self, event: object, args: tuple[Any, ...]) -> str:
        """What an event is called: as the bot says, else its class, or its topic where the class says nothing."""
        if self._event_type is not None:
            return self._meter.event(text_of(self._event_type(event)))
        kind = type(event)
        topic = args[0] if len(args) > 1 and isinstance(args[0], str) else None
        named = topic if kind.__module__ == "builtins" and topic is not None else kind.__name__
        return self._meter.event(named)

    def refresh(self) -> None:
        """Ask how many events wait; called before metrics are read."""
        if self._depth is None or not self._recorder.enabled:
            return
        try:
            self._meter.depth(self._queue, self._depth())
        except Exception as error:  # noqa: BLE001  the application's function may raise anything
            report("observe_bus.depth", error)

    def after_fork(self) -> None:
        """In a forked child, where a thread that held a lock does not exist."""
        self._lock = threading.Lock()
        self._stamps.reset_lock()


def _is_handler(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def _exchange(
    args: tuple[Any, ...], kwargs: dict[str, Any], exchange: Callable[[Any], Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments with the handler exchanged: the last function that is no class; None when there is none."""
    for name in reversed(kwargs):
        if _is_handler(kwargs[name]):
            return args, {**kwargs, name: exchange(kwargs[name])}
    for position in reversed(range(len(args))):
        if _is_handler(args[position]):
            return (*args[:position], exchange(args[position]), *args[position + 1 :]), kwargs
    return None


def _event(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    if args:
        return args[-1]
    return next(reversed(kwargs.values())) if kwargs else None

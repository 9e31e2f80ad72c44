"""What travels with an item from its producer to its consumer: the context, and when it left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.context import Context, get_current

from ticktrace.engine import report
from ticktrace.propagation.attachment import Relation, attached, link_context, link_to, parent_context

if TYPE_CHECKING:
    from opentelemetry.trace import Link

__all__ = ["Clock", "Delivery", "Envelope", "Handoff", "OnWait", "attached_to_all", "deliver"]

T = TypeVar("T")

Clock = Callable[[], float]
"""Reads monotonic seconds, the same for producer and consumer."""

OnWait = Callable[[float], object]
"""Is told how long an item waited, in seconds; `handle.record` of a bound histogram fits."""


# Not frozen: two of these are made for every item, and a frozen one costs 0.7 µs more.
@dataclass(slots=True)
class Handoff:
    """The producer's context and the moment at which it handed something over.

    The building block of the queues here, and for carriers that they do not know: keep one beside each
    event, and attach it in the handler.

        event.handoff = Handoff.capture()               # producer
        with event.handoff.attached(): handle(event)    # consumer; event.handoff.waited() is the wait

    Attributes:
        context: the OpenTelemetry context of the producer.
        at: when, in seconds of the clock given to `capture`.
    """

    context: Context
    at: float

    @classmethod
    def capture(cls, clock: Clock = perf_counter) -> Handoff:
        """The current context, now."""
        return cls(get_current(), clock())

    def waited(self, clock: Clock = perf_counter) -> float:
        """Seconds since the hand-over, never negative."""
        return max(0.0, clock() - self.at)

    def link(self) -> Link | None:
        """A link to the producer's span; None when it had none."""
        return link_to(self.context)

    def attached(self, relation: Relation = "parent") -> attached:
        """A block that works as a child of the producer's span, or in a trace that links to it.

        With `"link"` there is no current span inside, `current_links()` names the producer's, and its
        baggage stays.
        """
        if relation == "link":
            return attached(link_context([self.context], base=self.context))
        return attached(parent_context(self.context))


@dataclass(slots=True)
class Delivery(Generic[T]):
    """An item as it left a queue.

    Attributes:
        item: what the producer put.
        handoff: the producer's context; None when the item was put past the wrapper.
        waited: seconds from the call of `put` to the return of `get`; None when `handoff` is.
    """

    item: T
    handoff: Handoff | None
    waited: float | None

    def attached(self, relation: Relation = "parent") -> attached:
        """A block under the producer's context, as `Handoff.attached`; without one, nothing changes."""
        return attached(None) if self.handoff is None else self.handoff.attached(relation)


class Envelope(Generic[T]):
    """An item inside a queue. It sorts as the item does, so that priority queues keep their order."""

    __slots__ = ("handoff", "item")

    def __init__(self, item: T, clock: Clock) -> None:
        self.item: T = item
        self.handoff: Handoff | None
        try:
            self.handoff = Handoff.capture(clock)
        except Exception as error:  # noqa: BLE001 - an injected clock may raise anything
            report("stamping an item", error)
            self.handoff = None

    def __lt__(self, other: object) -> bool:
        return bool(self.item < _content(other))  # type: ignore[operator]  # as the bare items would

    def __gt__(self, other: object) -> bool:
        return bool(self.item > _content(other))  # type: ignore[operator]  # as the bare items would

    def __repr__(self) -> str:
        return repr(self.item)


def _content(value: object) -> object:
    return value.item if isinstance(value, Envelope) else value


def deliver(content: Any, clock: Clock, on_wait: OnWait | None) -> Delivery[Any]:
    """Open what came out of a queue: an envelope, or an item that was put past the wrapper."""
    if not isinstance(content, Envelope):
        return Delivery(content, None, None)
    handoff = content.handoff
    waited = None
    if handoff is not None:
        try:
            waited = handoff.waited(clock)
            if on_wait is not None:
                on_wait(waited)
        except Exception as error:  # noqa: BLE001 - the application's callback may raise anything
            report("reporting a queue wait", error)
    return Delivery(content.item, handoff, waited)


def attached_to_all(deliveries: Sequence[Delivery[Any]]) -> attached:
    """A block without a current span that links to the producer of each delivery (fan-in)."""
    contexts: Iterable[Context] = [each.handoff.context for each in deliveries if each.handoff is not None]
    return attached(link_context(contexts, base=get_current()))

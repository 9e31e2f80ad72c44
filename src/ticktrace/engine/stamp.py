"""What a stamp tells, and when: the words between whoever times a block and the engine that makes telemetry of it.

A stamp is an object that collects while a block runs: clock readings and small tuples, nothing else. What follows from
them is told in three plain methods, so that each engine can ask when it suits it: while the block ends, or on a thread
of its own, and for the span only if its trace is kept.

A note is smaller yet: a tuple that begins with the function which knows what follows from it. Notes of a block wait with
its stamp and come first when that is derived; those of no block wait in the queue of the stamps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from opentelemetry.trace import SpanKind, Status

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link, Span

    from ticktrace.engine.binding import BoundHistogram

__all__ = [
    "NOTHING_MORE",
    "Happened",
    "Note",
    "SpanEnd",
    "SpanStart",
    "Stamp",
    "StampEvent",
    "Stamps",
    "events_of",
]

Note = tuple[Any, ...]
"""Its first item is a function that takes the note and never needs to be quick."""


class Happened:
    """What may have happened in a trace: bits of an integer, because an enum's operators cost more than the verdict."""

    NOTHING: Final = 0
    ERROR: Final = 1
    REJECTION: Final = 2
    FILL: Final = 4
    ORDER: Final = 8
    NEAR_MISS: Final = 16


class SpanStart(NamedTuple):
    """What a span begins with."""

    name: str
    attributes: Mapping[str, Any]
    kind: SpanKind = SpanKind.INTERNAL
    links: Sequence[Link] | None = None


class StampEvent(NamedTuple):
    """An event of a span; `at` is a reading of the monotonic clock, ns."""

    name: str
    attributes: Mapping[str, Any]
    at: int


class SpanEnd(NamedTuple):
    """What a span has at its end beyond what it began with."""

    attributes: Mapping[str, Any] = {}
    events: Sequence[StampEvent] = ()
    status: Status | None = None


NOTHING_MORE = SpanEnd()


def _at(event: StampEvent) -> int:
    return event.at


def events_of(stamp: Stamp, end: SpanEnd) -> Sequence[StampEvent]:
    """All events of an ended block in their order; what was told after it has come too late, on every engine."""
    told = stamp.told
    if not told:
        return end.events
    ended = stamp.ended
    return sorted([*(event for event in tuple(told) if event.at <= ended), *end.events], key=_at)


class Stamp(Protocol):
    """A timed block.

    Attributes:
        started: monotonic clock at entry, ns.
        ended: monotonic clock at exit, ns; 0 while the block runs.
        parent: the stamp or span below which its span stands.
        made_span: the engine's own: its span, once it was made.
        told: events that came from outside, in any order; None for none.
        notes: what was noted in the block, in order; None for none.
    """

    started: int
    ended: int
    parent: Any
    made_span: Any
    told: Any
    notes: Any

    @property
    def span_name(self) -> str:
        """What its span is called, cheaply told."""

    def span_start(self) -> SpanStart:
        """The span as it begins."""

    def span_end(self) -> SpanEnd:
        """What the block has added to the span."""

    def whole_end(self) -> SpanEnd:
        """The same, and what stopped the block meanwhile; asked in place of `span_end`, if anybody wants the span."""

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record every instrument; `observe` records a value on a histogram, and may make an exemplar of it."""

    def happened(self) -> int:
        """What has happened in the block, as bits of `Happened`; asked after `measure`."""

    def derived(self) -> None:
        """All of that was told: what is left to do, on whatever thread, and may have to wait for room."""


class Stamps(Protocol):
    """Where an engine takes stamps, to decide later what becomes of them.

    Attributes:
        ready: whether it takes them now; else spans are to be made as they begin, for somebody wants to see that.
        waiting: takes the stamp of a block that has ended, and notes.
        mark: if more wait, `crowded` must be called.
    """

    ready: bool
    waiting: deque[Any]
    mark: int

    def span(self, stamp: Any) -> Span:
        """The span of a block that has begun, for somebody who looks at it; the same one each time."""

    def crowded(self) -> None:
        """Many wait: see to it that they become fewer. Never blocks for long, never raises."""

    def fail(self, span: Span, error: Exception) -> None:
        """Note what the block of a span has raised. Never raises."""

    def derive(self, stamp: Any) -> None:
        """Derive now what follows from a stamp: its facts are about to change. Never raises."""

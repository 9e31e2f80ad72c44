"""Where traces wait between the trading thread, which ends them, and the drain, which judges them.

A trace is, here, one *local root* (a span whose parent is remote, foreign or absent) and all spans below it in this
process. Its ended spans gather in its own list; when the root ends, the trace moves to `TraceBuffer.ended` as one
piece, so that its fate can follow from how it went. What ends after the root is *late* and shares the verdict.

No locks: what must be indivisible is done without a call between test and change, where CPython cannot switch
threads, or in an order in which a lost race does no harm. Spans are appended first and the trace's state is looked at
afterwards, the drain takes from the front: no span can fall between.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

from ticktrace.engine.barrier import report
from ticktrace.engine.clock import NANOSECONDS, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import TraceFlags, TraceState

    from ticktrace.engine.deferred.spans import LightSpan

__all__ = ["Trace", "TraceBuffer", "Verdict"]

_SWEPT_AT_ONCE = 100  # measured: 0.03 µs to look at one, 0.5 µs to cut one


class Verdict(Enum):
    """What was decided about a trace."""

    UNDECIDED = "undecided"
    KEPT = "kept"
    DROPPED = "dropped"
    LOST = "lost"
    """None was given: there was no room for it to wait for one."""


class Trace:
    """A local root and the spans below it.

    Attributes:
        buffer: where it goes when its root has ended.
        root: the local root; None while it is being made and after `release`.
        spans: ended spans that the drain has not taken, in the order in which they ended.
        created: when it began, monotonic ns.
        offset: what makes wall-clock time of monotonic readings, ns.
        head_sampled: whether the sampler (or the remote parent) wanted the root.
        trace_id: None until somebody asks.
        flags: the trace flags of its spans, from the head decision.
        trace_state: the trace state of its spans.
        closed: handed to the drain; spans that end from now on are late.
        cut: why it was closed before its root had ended: ``size``, ``age``, ``count``, ``flush``; None otherwise.
        quiet: the usual state, in which the end of a span is nothing but an append.
        verdict: what became of it.
        note: of whoever judges it: the reason of the verdict.
    """

    # What most traces never change, or only once, is an attribute of the class: it costs nothing to make.
    head_sampled: bool = True
    root: LightSpan | None = None
    trace_id: int | None = None
    trace_state: TraceState | None = None
    closed: bool = False
    quiet: bool = False
    cut: str | None = None
    verdict: Verdict = Verdict.UNDECIDED
    note: Any = None

    def __init__(self, buffer: TraceBuffer, created: int, offset: int, flags: TraceFlags) -> None:
        self.buffer: TraceBuffer = buffer
        self.created: int = created
        self.offset: int = offset
        self.flags: TraceFlags = flags
        self.spans: list[LightSpan] = []

    def take(self) -> list[LightSpan]:
        """Remove and return the ended spans; what is appended meanwhile stays for the next time."""
        spans = self.spans
        taken = spans[:]
        del spans[: len(taken)]
        return taken

    def clear(self) -> int:
        """Throw the ended spans away; how many that were."""
        taken = self.take()
        for span in taken:
            span.forget()
        return len(taken)

    def release(self) -> None:
        """Let go of the root once the trace was judged, so that its memory returns without the garbage collector.

        To be called after `take` for every trace that the drain is done with; late spans may still come.
        """
        if self.closed and self.cut is None:
            self.root = None


class TraceBuffer:
    """Traces on their way to the drain; every bound counts what it costs.

    Args:
        max_traces: how many traces may wait for the drain, and how many unfinished ones are followed. Beyond the first,
            the newest is dropped; beyond the second, the oldest is cut (closed before its root has ended).
        max_spans_per_trace: with how many ended spans a trace is cut, and how many late ones may wait.
        max_age_seconds: after which an unfinished trace is cut by `sweep`.
        clock: what spans read their times from.
        wake: called when half of `max_traces` wait; must not block.
        on_dropped: told the reason (``queue``, ``late``, ``spans``) and the number of spans lost; must not block.

    Attributes:
        relieve: where nothing may be lost for lack of room, called with a test for room before something would be, on
            the thread that ends a span; tells whether there is room now. None where losing is right.
        calm: while fewer wait, one more is neither too many nor a reason to wake anybody.
        on_late_discard: told of spans that ended after their trace was decided against: the trace, False, and how many.
    """

    def __init__(
        self,
        *,
        max_traces: int = 2048,
        max_spans_per_trace: int = 1000,
        max_age_seconds: float = 600.0,
        clock: Clock | None = None,
        wake: Callable[[], None] | None = None,
        on_dropped: Callable[[str, int], None] | None = None,
    ) -> None:
        self.clock: Clock = clock or Clock()
        self.now: Callable[[], int] = self.clock.now
        self.wall: Callable[[], int] = self.clock.wall
        self.max_traces: int = max_traces
        self.max_spans: int = max_spans_per_trace
        self.ended: deque[Trace] = deque()
        self.late: dict[Trace, None] = {}
        self.live: dict[Trace, None] = {}
        self.relieve: Callable[[Callable[[], bool]], bool] | None = None
        self.on_late_discard: Callable[[Trace, bool, int], None] | None = None
        self._max_age = round(max_age_seconds * NANOSECONDS)
        self._wake_at = max(1, max_traces // 2)
        self.calm: int = self._wake_at - 1
        self._wake = wake
        self._on_dropped = on_dropped

    def begin(self, flags: TraceFlags) -> Trace:
        """A new trace that begins now."""
        created = self.now()
        return Trace(self, created, self.wall() - created, flags)

    def span_ended(self, trace: Trace, span: LightSpan) -> None:
        """Settle what the append of an ended span may have brought about; called unless the trace is quiet."""
        if trace.closed:
            self._came_late(trace)
        elif trace.root is span:
            self.close(trace, None)
        elif len(trace.spans) >= self.max_spans:
            self.close(trace, "size")
        elif not trace.quiet:
            trace.quiet = True
            self.live[trace] = None
            if len(self.live) > self.max_traces:
                self._cut_oldest()

    def close(self, trace: Trace, cut: str | None) -> None:
        """Hand a trace to the drain; `cut` says why, if its root has not ended."""
        if trace.closed:  # no call between this test and the change
            return
        trace.closed = True
        if cut is not None:
            trace.cut = cut
        if trace.quiet:
            trace.quiet = False
            self.live.pop(trace, None)
        waiting = len(self.ended)
        if waiting >= self.max_traces and not self._made(self._has_room):
            self.forget(trace, "queue")
            return
        self.ended.append(trace)
        if waiting + 1 == self._wake_at and self._wake is not None:
            self._wake()

    def _came_late(self, trace: Trace) -> None:
        if trace.verdict is Verdict.LOST:
            self._lose("queue", trace.clear())
        elif trace.verdict is Verdict.DROPPED:
            self._discard(trace, trace.clear())
        elif len(trace.spans) > self.max_spans and not self._made(lambda: len(trace.spans) <= self.max_spans):
            try:
                trace.spans.pop().forget()
            except IndexError:  # the drain took them meanwhile, this one too
                return
            self._lose("spans", 1)
        elif (
            len(self.late) >= self.max_traces
            and trace not in self.late
            and not self._made(self._has_room_for_late)
        ):
            self._lose("late", trace.clear())
        else:
            self.late[trace] = None

    def _has_room(self) -> bool:
        return len(self.ended) < self.max_traces

    def _has_room_for_late(self) -> bool:
        return len(self.late) < self.max_traces

    def _made(self, has_room: Callable[[], bool]) -> bool:
        """Whether there is room now, after some was made where that is wanted."""
        if self.relieve is None:
            return False
        try:
            return self.relieve(has_room)
        except Exception as error:  # noqa: BLE001  on the trading thread
            report("trace_buffer.relieve", error)
            return False

    def _cut_oldest(self) -> None:
        try:
            oldest = next(iter(self.live))
        except (
            RuntimeError,
            StopIteration,
        ):  # another thread changed it meanwhile; the next span tries again
            return
        self.close(oldest, "count")

    def forget(self, trace: Trace, reason: str) -> None:
        """Drop a trace for lack of room, with all that may still come of it, and count it."""
        trace.verdict = Verdict.LOST
        self._lose(reason, trace.clear())
        trace.release()

    def _discard(self, trace: Trace, spans: int) -> None:
        if self.on_late_discard is not None and spans:
            try:
                self.on_late_discard(trace, False, spans)
            except Exception as error:  # noqa: BLE001  see _lose
                report("trace_buffer.on_late_discard", error)

    def _lose(self, reason: str, spans: int) -> None:
        if self._on_dropped is not None and spans:
            try:
                self._on_dropped(reason, spans)
            except Exception as error:  # noqa: BLE001  an account that fails must not reach the trading thread
                report("trace_buffer.on_dropped", error)

    def abandon(self, reason: str, more: int = 0) -> int:
        """Drop and count everything that waits, and `more` spans; how many that were. For the end, when none are taken."""
        spans = more
        self._lose(reason, more)
        for trace in self.taking():
            taken = trace.clear()
            self._lose(reason, taken)
            spans += taken
        return spans

    def sweep(self, *, everything: bool = False) -> int:
        """Cut the unfinished traces that are too old, so that no abandoned span is kept for ever.

        Args:
            everything: cut all of them, as a flush must: the SDK too would send the children that have ended.

        Returns:
            How many were cut.
        """
        return sum(self.sweeping(everything=everything))

    def sweeping(self, *, everything: bool = False) -> Iterator[int]:
        """`sweep` in pieces of some 50 µs; yields how many each has cut."""
        oldest = self.now() - self._max_age
        live = list(self.live)
        for start in range(0, len(live), _SWEPT_AT_ONCE):
            cut = 0
            for trace in live[start : start + _SWEPT_AT_ONCE]:
                if everything or trace.created < oldest:
                    self.close(trace, "flush" if everything else "age")
                    cut += 1
            yield cut

    def taking(self) -> Iterator[Trace]:
        """The traces that wait now, oldest first, each removed as it is yielded: the closed, then those with late spans.

        The spans themselves are taken with `Trace.take`. A trace with late spans has the verdict it was given; one whose
        list is empty was taken care of already. What comes meanwhile waits for the next time.
        """
        for _ in range(len(self.ended)):
            try:
                yield self.ended.popleft()
            except IndexError:  # another thread takes too
                break
        for _ in range(len(self.late)):
            try:
                yield self.late.popitem()[0]
            except KeyError:
                break

    def take(self) -> list[Trace]:
        """All that wait at once; see `taking`."""
        return list(self.taking())

    def __len__(self) -> int:
        """How many traces wait for the drain."""
        return len(self.ended) + len(self.late)

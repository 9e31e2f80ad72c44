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
    from collections.abc import Callable

    from opentelemetry.trace import TraceFlags, TraceState

    from ticktrace.engine.deferred.spans import LightSpan

__all__ = ["Trace", "TraceBuffer", "Verdict"]


class Verdict(Enum):
    """What was decided about a trace."""

    UNDECIDED = "undecided"
    KEPT = "kept"
    DROPPED = "dropped"


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
        note: for whoever judges it.
    """

    __slots__ = (
        "buffer",
        "closed",
        "created",
        "cut",
        "flags",
        "head_sampled",
        "note",
        "offset",
        "quiet",
        "root",
        "spans",
        "trace_id",
        "trace_state",
        "verdict",
    )

    def __init__(self, buffer: TraceBuffer, created: int, offset: int, flags: TraceFlags) -> None:
        self.buffer: TraceBuffer = buffer
        self.created: int = created
        self.offset: int = offset
        self.flags: TraceFlags = flags
        self.head_sampled: bool = True
        self.root: LightSpan | None = None
        self.spans: list[LightSpan] = []
        self.trace_id: int | None = None
        self.trace_state: TraceState | None = None
        self.closed: bool = False
        self.quiet: bool = False
        self.cut: str | None = None
        self.verdict: Verdict = Verdict.UNDECIDED
        self.note: Any = None

    def take(self) -> list[LightSpan]:
        """Remove and return the ended spans; what is appended meanwhile stays for the next time."""
        spans = self.spans
        taken = spans[:]
        del spans[: len(taken)]
        return taken

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
        self._max_age = round(max_age_seconds * NANOSECONDS)
        self._wake_at = max(1, max_traces // 2)
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
        trace.cut = cut
        if trace.quiet:
            trace.quiet = False
            self.live.pop(trace, None)
        waiting = len(self.ended)
        if waiting >= self.max_traces:
            self.forget(trace, "queue")
            return
        self.ended.append(trace)
        if waiting + 1 == self._wake_at and self._wake is not None:
            self._wake()

    def _came_late(self, trace: Trace) -> None:
        if trace.verdict is Verdict.DROPPED:
            trace.spans.clear()
        elif len(trace.spans) > self.max_spans:
            try:
                trace.spans.pop()
            except IndexError:  # the drain took them meanwhile, this one too
                return
            self._lose("spans", 1)
        elif len(self.late) >= self.max_traces and trace not in self.late:
            self._lose("late", len(trace.take()))
        else:
            self.late[trace] = None

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
        trace.verdict = Verdict.DROPPED
        self._lose(reason, len(trace.take()))

    def _lose(self, reason: str, spans: int) -> None:
        if self._on_dropped is not None and spans:
            try:
                self._on_dropped(reason, spans)
            except Exception as error:  # noqa: BLE001  an account that fails must not reach the trading thread
                report("trace_buffer.on_dropped", error)

    def sweep(self, *, everything: bool = False) -> int:
        """Cut the unfinished traces that are too old, so that no abandoned span is kept for ever.

        Args:
            everything: cut all of them, as a flush must: the SDK too would send the children that have ended.

        Returns:
            How many were cut.
        """
        oldest = self.now() - self._max_age
        cut = 0
        for trace in list(self.live):
            if everything or trace.created < oldest:
                self.close(trace, "flush" if everything else "age")
                cut += 1
        return cut

    def take(self) -> list[Trace]:
        """The traces that wait, oldest first: those that were closed, then those with late spans.

        The spans themselves are taken with `Trace.take`. A trace with late spans has the verdict it was given; one whose
        list is empty was taken care of already.
        """
        taken: list[Trace] = []
        ended, late = self.ended, self.late
        for _ in range(len(ended)):
            try:
                taken.append(ended.popleft())
            except IndexError:  # another thread takes too
                break
        while late:
            try:
                taken.append(late.popitem()[0])
            except KeyError:
                break
        return taken

    def __len__(self) -> int:
        """How many traces wait for the drain."""
        return len(self.ended) + len(self.late)

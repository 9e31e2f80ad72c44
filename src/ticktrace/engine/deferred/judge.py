"""The drain's way through the trace buffer: judge what has ended, deliver what is kept, forget the rest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.materialise import in_pieces
from ticktrace.engine.deferred.tail import KeepReason, Tail, TraceFacts
from ticktrace.engine.deferred.trace_buffer import Verdict
from ticktrace.engine.drain import STUCK
from ticktrace.engine.stamp import Happened
from ticktrace.semconv import TELEMETRY_KEEP_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace.engine.deferred.provider import DeferredTracerProvider
    from ticktrace.engine.deferred.spans import LightSpan
    from ticktrace.engine.deferred.tail import DiscardReason, KeepRules
    from ticktrace.engine.deferred.trace_buffer import Trace, TraceBuffer

__all__ = ["Judge"]

# What the trading room writes on its spans is how a trace tells of its outcome; see ticktrace.semconv.
_BY_NAME = {"order": Happened.ORDER, "fill": Happened.FILL}
_BY_EVENT = {"trading.order.rejected": Happened.REJECTION, "trading.signal.rejected": Happened.REJECTION}
_NEAR_MISS = ("trading.filter.result", "near_miss")

_AT_ONCE = 8  # spans that are looked at, or let go of, in one piece: up to 128 events each make it 200 µs


class Judge:
    """A source of the drain: the traces that wait.

    Nobody else takes traces from the buffer, and one thread at a time iterates over `steps`: the drain sees to that.

    Args:
        buffer: where they wait.
        provider: its processors get what is kept.
        rules: what is worth keeping.
        explain: whether roots of kept traces get the reason as an attribute; where nothing can be dropped, it says
            nothing.
        on_verdict: told the reason, whether the trace was kept, and its number of spans; and again of those that end
            after the verdict.
        congested: whether processors should not be given spans now, because they would lose them.
    """

    def __init__(
        self,
        buffer: TraceBuffer,
        provider: DeferredTracerProvider,
        rules: KeepRules,
        *,
        explain: bool,
        on_verdict: Callable[[str, bool, int], None] | None = None,
        congested: Callable[[], bool] = lambda: False,
    ) -> None:
        self._buffer = buffer
        self._provider = provider
        self._tail = Tail(rules, time.monotonic())
        self._rules = rules
        self._explain = explain
        self._congested = congested
        self._hand: list[LightSpan] = []
        self.on_verdict: Callable[[str, bool, int], None] | None = on_verdict
        buffer.on_late_discard = self._told

    def steps(self) -> Iterator[object]:
        """Judge and deliver what waits, in pieces of some 100 µs: a few spans, or a part of a large one."""
        yield from self._deliver(self._hand)  # what was left when a processor called sys.exit(), say
        for _ in self._buffer.sweeping():
            yield None
        for trace in self._buffer.taking():
            if trace.verdict is Verdict.UNDECIDED:
                yield from self._judge(trace)
            spans = trace.take()
            kept = trace.verdict is Verdict.KEPT
            if spans:
                self._told(trace, kept, len(spans))
                if kept:
                    spans.reverse()  # to be taken from the end
                    self._hand = spans
                    yield from self._deliver(spans)
                else:
                    yield from _let_go(spans)
            trace.release()

    def abandon(self, reason: str) -> int:
        """Drop and count all that waits, while nobody iterates any more or who does is stuck; how many spans that were."""
        return self._buffer.abandon(reason, len(self._hand))

    def _judge(self, trace: Trace) -> Iterator[None]:
        reason: KeepReason | DiscardReason
        try:
            spans = trace.spans
            happened, matched = Happened.NOTHING, False
            # Most have few spans. While the others are looked at, late ones may join; they share the verdict.
            for start in range(0, len(spans), _AT_ONCE):
                some = spans[start : start + _AT_ONCE] if start or len(spans) > _AT_ONCE else spans
                for span in some:
                    happened |= span.happened if span.stamped else _happened(span)
                matched = matched or (bool(self._rules.attributes) and self._matches(some))
                yield
            reason = self._reason(trace, happened, matched)
        except Exception as error:  # noqa: BLE001  what cannot be judged is rather kept
            report("judge", error)
            reason = KeepReason.HEAD
        trace.note = str.__str__(reason)
        if isinstance(reason, KeepReason):
            trace.verdict = Verdict.KEPT
            if self._explain and trace.root is not None:
                trace.root.tell({TELEMETRY_KEEP_REASON: trace.note})
        else:
            trace.verdict = Verdict.DROPPED

    def _matches(self, spans: Iterable[LightSpan]) -> bool:
        for span in spans:
            span.settle()
            if self._rules.match(span.raw_attributes):
                return True
        return False

    def _reason(self, trace: Trace, happened: int, matched: bool) -> KeepReason | DiscardReason:
        root = trace.root
        name, seconds, share = "", 0.0, None
        if root is not None:
            name = root.raw_name
            if root.end_time is not None:
                seconds = root.nanoseconds * 1e-9
            if self._rules.share_key is not None:
                root.settle()
                share = root.raw_attributes.get(self._rules.share_key)
        continued = root is not None and root.raw_parent is not None
        facts = TraceFacts(
            name.partition(" ")[0], seconds, happened, trace.head_sampled, share, matched, continued
        )
        return self._tail.judge(facts, time.monotonic())

    def _told(self, trace: Trace, kept: bool, spans: int) -> None:
        if self.on_verdict is not None:
            self.on_verdict(trace.note, kept, spans)

    def _deliver(self, spans: list[LightSpan]) -> Iterator[object]:
        while spans:
            if self._congested():
                yield STUCK
                continue
            span = spans.pop()  # so that its memory returns with it, not with the last of a thousand
            try:
                made = yield from in_pieces(span)
                self._provider.deliver((_as_sampled(made),))
            except Exception as error:  # noqa: BLE001  one bad span must not take the others along
                report("materialise", error)
            span.exemplify()
            span.forget()
            yield None


def _let_go(spans: list[LightSpan]) -> Iterator[None]:
    """Forget spans that nobody wants, a few at a time, the first that ended first: those above it hold none below."""
    while spans:
        for span in spans[:_AT_ONCE]:
            span.forget()
        del spans[:_AT_ONCE], span
        yield


def _happened(span: LightSpan) -> int:
    span.settle()
    happened = _BY_NAME.get(span.raw_name.partition(" ")[0], Happened.NOTHING)
    if span.raw_status.status_code is StatusCode.ERROR:
        happened |= Happened.ERROR
    for name, attributes, _ in span.raw_events or ():
        happened |= _BY_EVENT.get(name, Happened.NOTHING)
        if attributes.get(_NEAR_MISS[0]) == _NEAR_MISS[1]:
            happened |= Happened.NEAR_MISS
    return happened


def _as_sampled(span: ReadableSpan) -> ReadableSpan:
    """The span as processors export it: the SDK's pass over what is not flagged as sampled, and this one now is.

    Only the exported copy says so. What other services were told, the head decision, stays as it was.
    """
    context = span.context
    if context is None or context.trace_flags.sampled:
        return span
    flagged = SpanContext(
        context.trace_id,
        context.span_id,
        context.is_remote,
        TraceFlags(context.trace_flags | TraceFlags.SAMPLED),
        context.trace_state,
    )
    span._context = flagged  # noqa: SLF001  made a moment ago, and nobody has seen it
    return span

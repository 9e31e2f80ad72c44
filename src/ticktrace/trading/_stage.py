"""A stage of trading: a part of the bot's work that is timed, is a span, and is measured.

A stage *collects* while its block runs: clock readings and small tuples, nothing else. What follows from them is told in
three plain methods, so that each engine can ask when it suits it (`_inline` while the block ends, a deferred engine on
its own thread, and for the span only if the trace is kept):

- `span_start`: the span's name, kind, attributes and links;
- `span_end`: attributes, events and status that the block brought about;
- `measure`: every instrument, from the stamp (start, end, outcome).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status

from ticktrace.engine import report, warn_once
from ticktrace.semconv import ERROR_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Link

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._recorder import Recorder

__all__ = ["STAGE_KEY", "SpanEnd", "SpanStart", "Stage", "StageEvent", "current_stage"]

# The innermost candle, signal or order travels in the OTel context beside its span, so it arrives wherever the trace
# does: in tasks, and behind the queues and threads of ticktrace.propagation.
STAGE_KEY: str = otel_context.create_key("ticktrace-stage")


def current_stage() -> object | None:
    """The innermost candle, signal or order of the current context."""
    return otel_context.get_value(STAGE_KEY)


class SpanStart(NamedTuple):
    """What a span begins with."""

    name: str
    attributes: Mapping[str, Any]
    kind: SpanKind = SpanKind.INTERNAL
    links: Sequence[Link] | None = None


class StageEvent(NamedTuple):
    """An event of a span; `at` is a reading of the monotonic clock, ns."""

    name: str
    attributes: Mapping[str, Any]
    at: int


class SpanEnd(NamedTuple):
    """What a span has at its end beyond what it began with."""

    attributes: Mapping[str, Any] = {}
    events: Sequence[StageEvent] = ()
    status: Status | None = None


NOTHING_MORE = SpanEnd()


class Stage:
    """A timed part of trading with a span of its own. Use it in ``with`` or ``async with``, once.

    Attributes:
        span: the OTel span; the invalid span before the block and while telemetry is off.
        started: monotonic clock at entry, ns; 0 before.
        ended: monotonic clock at exit, ns; 0 while the block runs.
        failed: the class of the exception that the block raised, or None.
        offset: what makes wall-clock time of monotonic readings, ns; one for a whole trace.
        context: the OTel context of the block.
        token: what restores the context that was current before the block.
    """

    __slots__ = ("_again", "context", "ended", "failed", "offset", "recorder", "span", "started", "token")

    found_by_decorators: ClassVar[bool] = False

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = recorder
        self.context: Context | None = None
        self.token: Token[Context] | None = None
        self._again = 0
        self.offset: int = 0
        self.span: Span = INVALID_SPAN
        self.started: int = 0
        self.ended: int = 0
        self.failed: str | None = None

    # What a kind of stage tells.

    def span_start(self) -> SpanStart:
        """The span as it begins."""
        raise NotImplementedError  # pragma: no cover  every stage has its own

    def span_end(self) -> SpanEnd:
        """What the block has added to the span."""
        return NOTHING_MORE

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record every instrument of the stage.

        Args:
            observe: records a value on a histogram, with an exemplar where the engine has one.
        """

    def parent_context(self) -> Context | None:
        """The OTel context that the span is a child of; None for the current one."""
        return None

    def entering(self) -> None:
        """The block begins: what cannot wait, such as reading a clock of the application's."""

    def leaving(self, error: BaseException | None) -> None:
        """The block has ended: what cannot wait, such as an order's state."""

    # What all stages share.

    def with_error(self, labels: Mapping[str, Any]) -> Mapping[str, Any]:
        """The labels of a duration: with ``error.type`` when the block raised."""
        if self.failed is None:
            return labels
        return {**labels, ERROR_TYPE: self.recorder.words.errors.label(self.failed)}

    def __enter__(self) -> Self:
        recorder = self.recorder
        if self.started:
            self._again += 1
            warn_once(
                "stage.again", "ticktrace: a %s was entered again; make one for each use", type(self).__name__
            )
            return self
        self.started = recorder.now()
        if recorder.enabled:
            try:
                recorder.enter(self)
            except Exception as error:  # noqa: BLE001  the barrier: telemetry never raises into trading
                report(f"{type(self).__name__}.enter", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        recorder = self.recorder
        if self._again:
            self._again -= 1
            return
        if self.ended or not self.started:
            return
        self.ended = recorder.now()
        if isinstance(error, Exception):
            self.failed = type(error).__qualname__
        if self.token is not None:  # else telemetry is off, or was when the block began
            try:
                recorder.leave(self, error)
            except Exception as fault:  # noqa: BLE001  see __enter__
                report(f"{type(self).__name__}.exit", fault)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def seconds(self) -> float:
        """How long the stage took, or has taken so far; 0 before it began."""
        if not self.started:
            return 0.0
        return ((self.ended or self.recorder.now()) - self.started) * 1e-9

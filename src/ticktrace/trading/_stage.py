"""A stage of trading: a part of the bot's work that is timed, is a span, and is measured.

A stage *collects* while its block runs: clock readings and small tuples, nothing else. What follows from them is told in
the methods of a `Stamp`, so that each engine can ask when it suits it. On one that takes stamps, leaving the block is one
append, and for the span it asks only if somebody looks at it or the trace is kept. On others `_inline` does everything
while the block ends.
"""

from __future__ import annotations

from functools import update_wrapper
from threading import get_ident
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span

from ticktrace.engine import (
    NOTHING_MORE,
    SPAN_KEY,
    Happened,
    SpanEnd,
    SpanStart,
    StampEvent,
    attach,
    get_current,
    report,
    reset,
    warn_once,
)
from ticktrace.semconv import ERROR_TYPE
from ticktrace.trading import _inline, _jitter
from ticktrace.trading._context import StageContext
from ticktrace.trading._keys import STAGE_KEY

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator, Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

    from ticktrace.diagnostics import Line
    from ticktrace.engine import BoundHistogram, Interruption, Note, Stamps
    from ticktrace.trading._recorder import Recorder

__all__ = ["SpanEnd", "SpanStart", "Stage", "StageEvent", "current_stage"]

StageEvent = StampEvent

_MOST_TOLD = 1_000  # a span takes fewer, by default
_MOST_HELD = 100

_new_context = StageContext.__new__


def current_stage() -> object | None:
    """The innermost candle, signal or order of the current context."""
    return otel_context.get_value(STAGE_KEY)


def _own(function: Any) -> Any:
    """The same function with code of its own."""
    own = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return update_wrapper(own, function)


class Stage:
    """A timed part of trading with a span of its own. Use it in ``with`` or ``async with``, once.

    What most stages never change is an attribute of the class, so that making one costs little; but for what every block
    asks, because CPython finds an attribute of the object ten times as fast.

    Attributes:
        recorder: what it records with.
        started: monotonic clock at entry, ns; 0 before.
        ended: monotonic clock at exit, ns; 0 while the block runs.
        failed: the class of the exception that the block raised, or None.
        offset: what makes wall-clock time of monotonic readings, ns; one for a whole trace; 0 where the engine keeps it.
        context: the OTel context of the block while it runs.
        token: what restores the context that was current before the block.
        above: the stage below which it stands without further questions if that is the innermost; None if any may be.
        queue: where it takes its place when its block begins; None for none.
        parent: the stage or span below which it stands, on an engine that takes stamps.
        stamps: where it is noted, on such an engine.
        made_span: its span, once it was made.
        told: events that others have told of it; None for none.
        notes: what is to follow from its end; None for nothing.
        noted: lines of the journal that were noted in its block; None for none.
        held: waits for rate limits in its block; None for none.
        thread: the thread that left the block, if it is another than most that is watched is about; else 0.
        hooked: whether `entering` or `leaving` has something to do.
        minds: whether `failing` has.
        written_down: whether the journal has lines of it.
    """

    started: int = 0
    ended: int = 0
    failed: str | None = None
    offset: int = 0
    context: Context | None = None
    token: Token[Context] | None = None
    above: object | None = None
    queue: deque[Any] | None = None
    parent: Any = None
    stamps: Stamps | None = None
    made_span: Span | None = None
    told: list[StageEvent] | None = None
    notes: list[Note] | None = None
    noted: list[Line] | None = None
    held: list[Interruption] | None = None
    thread: int = 0
    _again: int = 0
    _paused: Stamps | None = None

    found_by_decorators: ClassVar[bool] = False
    hooks: ClassVar[bool] = False
    hooked: bool = False
    minds: ClassVar[bool] = False
    written_down: ClassVar[bool] = False

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = recorder
        self.above = self.queue = None
        self.started = 0
        self.hooked = self.hooks

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.hooks = cls.entering is not Stage.entering or cls.leaving is not Stage.leaving
        cls.hooked = cls.hooks
        cls.minds = cls.failing is not Stage.failing
        # CPython specialises an instruction for the one class that it sees: each class runs code of its own.
        for method in (Stage.__enter__, Stage.__exit__):
            if method.__name__ not in vars(cls):
                setattr(cls, method.__name__, _own(method))

    @property
    def span(self) -> Span:
        """The OTel span; the invalid span before the block and while telemetry is off."""
        span = self.made_span
        if span is None:
            return INVALID_SPAN if self.stamps is None else self.stamps.span(self)
        return span

    @span.setter
    def span(self, span: Span) -> None:
        self.made_span = span

    # What a kind of stage tells.

    @property
    def span_name(self) -> str:
        """What its span is called."""
        return self.span_start().name

    def span_start(self) -> SpanStart:
        """The span as it begins."""
        raise NotImplementedError  # pragma: no cover  every stage has its own

    def span_end(self) -> SpanEnd:
        """What the block has added to the span."""
        return NOTHING_MORE

    def whole_end(self) -> SpanEnd:
        """What the block has added to the span, and what stopped the block meanwhile."""
        end = self.span_end()
        return end if self.recorder.interruptions is None else _jitter.with_interruptions(self, end)

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record every instrument of the stage.

        Args:
            observe: records a value on a histogram, with an exemplar where the engine has one.
        """

    def happened(self) -> int:
        """What has happened in the block, for the verdict about its trace; asked after `measure`."""
        return Happened.NOTHING

    def derived(self) -> None:
        """It was measured: have it written down."""
        if self.written_down:
            journal = self.recorder.journal
            if journal is not None:
                journal.take(self)

    def parent_context(self) -> Context | None:
        """The OTel context that the span is a child of; None for the current one."""
        return None

    def entering(self) -> None:
        """The block begins: what cannot wait, such as reading a clock of the application's."""

    def leaving(self, error: BaseException | None) -> None:
        """The block has ended: what cannot wait."""

    def failing(self, error: Exception) -> None:
        """The block has raised: what cannot wait, such as an order's state."""

    def place(self) -> Mapping[str, Any]:
        """Which candle and decision it belongs to, as fields of a line of the journal."""
        return {}

    def lines(self) -> Iterator[Line]:
        """What the journal says of it; asked once, some time after the block."""
        yield from self.noted or ()

    # What all stages share.

    def note(self, line: Line) -> None:
        """Have the journal say something after what it says of the stage itself."""
        if self.ended:
            self.recorder.write_down(line)
            return
        noted = self.noted
        if noted is None:
            noted = self.__dict__.setdefault("noted", [])  # two threads may be the first at once
        if len(noted) < _MOST_TOLD:
            noted.append(line)

    def tell(self, event: StageEvent) -> None:
        """Add an event to the span; one from after the block comes too late for that."""
        told = self.told
        if told is None:
            told = self.__dict__.setdefault("told", [])  # two threads may be the first at once
        if len(told) < _MOST_TOLD:
            told.append(event)

    def hold(self, wait: Interruption) -> None:
        """A call in the block was held back, or will be for so long; those that it stands below were, too."""
        above = self.above if isinstance(self.above, Stage) else self.parent
        if isinstance(above, Stage):
            above.hold(wait)
        held = self.held
        if held is None:
            held = self.__dict__.setdefault("held", [])  # see `tell`
        if len(held) < _MOST_HELD:
            held.append(wait)

    def with_error(self, labels: Mapping[str, Any]) -> Mapping[str, Any]:
        """The labels of a duration: with ``error.type`` when the block raised."""
        if self.failed is None:
            return labels
        return {**labels, ERROR_TYPE: self.recorder.words.errors.label(self.failed)}

    def about_to_change(self) -> None:
        """The block has ended, and what it told is going to change: what follows from it has to follow now."""
        if self.stamps is not None:
            self.stamps.derive(self)

    def __enter__(self) -> Self:
        recorder = self.recorder
        stamps = recorder.stamps
        if stamps is None or self.started or not stamps.ready:
            return self._enter_otherwise()
        # Here, and in `__exit__`, all that the trading thread pays for: it is written for speed.
        self.started = recorder.now()
        try:
            if self.hooked:
                self.entering()
            queue = self.queue
            if queue is not None:
                queue.append(self)
            outer = get_current()
            above = self.above
            if outer.__class__ is StageContext and (above is None or outer.stage is above):
                self.parent = outer.stage
            elif above is not None or outer:
                given = self.parent_context()
                if given is not None:
                    outer = given
                self.parent = outer.get(SPAN_KEY)
            self.stamps = stamps
            self.context = inside = _new_context(StageContext)
            inside.stage = self
            inside.outer = outer
            self.token = attach(inside)
        except Exception as error:  # noqa: BLE001  the barrier: telemetry never raises into trading
            report(f"{type(self).__name__}.enter", error)
        return self

    def _enter_otherwise(self) -> Self:
        if self.started:
            self._again += 1
            if self._again == 1:
                self._paused, self.stamps = (
                    self.stamps,
                    None,
                )  # so that the exit is not taken for the real one
            warn_once(
                "stage.again", "ticktrace: a %s was entered again; make one for each use", type(self).__name__
            )
            return self
        self.started = self.recorder.now()
        if self.recorder.enabled:
            try:
                _inline.enter(self)
            except Exception as error:  # noqa: BLE001  see __enter__
                report(f"{type(self).__name__}.enter", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stamps = self.stamps
        recorder = self.recorder
        token = self.token
        if stamps is None or token is None or stamps is not recorder.stamps:
            self._exit_otherwise(error)
            return
        self.ended = recorder.now()
        interruptions = recorder.interruptions
        if interruptions is not None and interruptions.home and interruptions.home != get_ident():
            self.thread = get_ident()
        try:
            if get_current() is self.context and not _inline.overlaps:
                self.token = self.context = None
                try:  # noqa: SIM105  suppress() would be felt here
                    reset(token)
                except (ValueError, RuntimeError):  # left elsewhere than entered, see `_inline.restore`
                    pass
            else:
                _inline.restore(self)
            if error is not None and isinstance(error, Exception):
                self.failed = type(error).__qualname__
                stamps.fail(self.span, error)
                if self.minds:
                    self.failing(error)
            if self.hooked:
                self.leaving(error)
        except Exception as fault:  # noqa: BLE001  see __enter__
            report(f"{type(self).__name__}.exit", fault)
        waiting = stamps.waiting
        waiting.append(self)
        if len(waiting) > stamps.mark:
            stamps.crowded()

    def _exit_otherwise(self, error: BaseException | None) -> None:
        if self._again:
            self._again -= 1
            if not self._again:
                self.stamps = self._paused
            return
        if self.ended or not self.started:
            return
        self.ended = self.recorder.now()
        self.thread = get_ident()
        if isinstance(error, Exception):
            self.failed = type(error).__qualname__
        if self.token is not None:  # else telemetry is off, or was when the block began
            try:
                _inline.leave(self, error)
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

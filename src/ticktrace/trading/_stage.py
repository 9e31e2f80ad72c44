"""A stage of trading: a span that is current while its block runs, and the clock readings around it.

Every stage ends the same way: its instruments are recorded from one stamp (start, end, outcome) while the span is
still current, so that exemplars find it; then the context is restored and the span ends with the stamp's times.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Self

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, set_span_in_context

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Link

    from ticktrace.trading._recorder import Recorder

__all__ = ["Stage", "current_stage"]

# The innermost candle, signal or order travels in the OTel context beside its span, so it arrives wherever the trace
# does: in tasks, and behind the queues and threads of ticktrace.propagation.
_STAGE_KEY = otel_context.create_key("ticktrace-stage")


def current_stage() -> object | None:
    """The innermost candle, signal or order of the current context."""
    return otel_context.get_value(_STAGE_KEY)


def _restore(token: Token[Context]) -> None:
    """Make the previous context current again, silently where that is another task's business.

    A block that is left in another context than it was entered in (an async generator closed by the event loop) has
    nothing to restore there; the API's `detach` would log an error for it (opentelemetry-python #2606).
    """
    with contextlib.suppress(ValueError, RuntimeError):
        token.var.reset(token)


class Stage:
    """A timed part of trading with a span of its own. Use it in ``with`` or ``async with``.

    Attributes:
        span: the OTel span; the invalid span before the block and while telemetry is off.
        started: monotonic clock at entry, ns.
        ended: monotonic clock at exit, ns; 0 while the block runs.
    """

    __slots__ = ("_offset", "_recorder", "_token", "ended", "span", "started")

    found_by_decorators: ClassVar[bool] = False

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._token: Token[Context] | None = None
        self._offset = 0
        self.span: Span = INVALID_SPAN
        self.started: int = 0
        self.ended: int = 0

    # What a kind of stage defines.

    def _open(self) -> None:
        """Start the span through `_start`; called with the clock already read."""
        raise NotImplementedError  # pragma: no cover  every stage has its own

    def _close(self) -> None:
        """Record the instruments of this stage from its stamp; the span is still current."""

    # What all stages share.

    def _start(
        self,
        name: str,
        attributes: Mapping[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] | None = None,
        context: Context | None = None,
    ) -> None:
        self.span = span = self._recorder.tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=self._offset + self.started,
        )
        inside = set_span_in_context(span, context)
        if self.found_by_decorators:
            inside = otel_context.set_value(_STAGE_KEY, self, inside)
        self._token = otel_context.attach(inside)

    def _fail(self, error: BaseException) -> None:
        self.span.record_exception(error)
        self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def __enter__(self) -> Self:
        recorder = self._recorder
        self.started = recorder.clock.now()
        if recorder.enabled:
            try:
                self._open()
            except Exception as error:  # noqa: BLE001  the barrier: telemetry never raises into trading
                report(f"{type(self).__name__}.enter", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        recorder = self._recorder
        self.ended = recorder.clock.now()
        token = self._token
        if token is None:  # telemetry is off, or was when the block began
            return
        self._token = None
        span = self.span
        try:
            if isinstance(error, Exception) and span.is_recording():
                self._fail(error)
            self._close()
        except Exception as fault:  # noqa: BLE001  see __enter__
            report(f"{type(self).__name__}.exit", fault)
        _restore(token)
        try:
            span.end(self._offset + self.ended)
        except Exception as fault:  # noqa: BLE001  a span processor of somebody else may raise
            report(f"{type(self).__name__}.end", fault)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def seconds(self) -> float:
        """How long the stage took, or has taken so far."""
        return ((self.ended or self._recorder.clock.now()) - self.started) * 1e-9

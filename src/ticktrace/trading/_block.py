"""A timed block with a span of its own that may stay open after the call that began it has returned.

Calls to providers, caches and databases take milliseconds, so they use the tracer as any library does; what is hot has
stages. What such a call returns may outlive it: a coroutine, a future, an iterator. Its block then stays open, and its
span is current only while work is done for it, never in between, where the caller goes about other things.
"""

from __future__ import annotations

import contextlib
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode, set_span_in_context

from ticktrace.engine import attempt, report, text_of, warn_once
from ticktrace.semconv import ERROR_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

    from ticktrace.engine import SpanStart
    from ticktrace.trading._recorder import Recorder

__all__ = ["Block"]


class Block:
    """A timed block. Use it in ``with`` or ``async with``, once.

    Attributes:
        recorder: what it records with.
        span: the OTel span; the invalid span before the block, without one, and while telemetry is off.
        started: monotonic clock at entry, ns; 0 before.
        ended: monotonic clock at the end, ns; 0 while it is open.
        failed: what went wrong, as ``error.type`` has it, or None.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = recorder
        self.span: Span = INVALID_SPAN
        self.started: int = 0
        self.ended: int = 0
        self.failed: str | None = None
        self._again = 0
        self._opened = False
        self._offset = 0
        self._busy = 0
        self._since = 0
        self._inside: Context | None = None
        self._token: Token[Context] | None = None

    # What a kind of block tells.

    def span_start(self) -> SpanStart | None:
        """The span as it begins; None for a block without one."""
        return None

    def span_end(self) -> Mapping[str, Any]:
        """What the block has added to the span's attributes."""
        return {}

    def answered(self, result: object) -> None:
        """What was called has given this, or an item of it."""

    def leaving(self, error: BaseException | None) -> None:
        """The block has ended, with what it raised: sets `failed`."""
        if isinstance(error, (Exception, CancelledError)):
            self.failed = type(error).__qualname__

    def measure(self, seconds: float) -> None:
        """Record every instrument; the block took so long."""

    # What all blocks share.

    def with_error(self, labels: Mapping[str, Any]) -> Mapping[str, Any]:
        """The labels of what may have gone wrong: with ``error.type`` where it did."""
        if self.failed is None:
            return labels
        return {**labels, ERROR_TYPE: self.recorder.words.errors.label(self.failed)}

    def __enter__(self) -> Self:
        if self.started:
            self._again += 1
            warn_once(
                "block.again", "ticktrace: a %s was entered again; make one for each use", type(self).__name__
            )
            return self
        self.started = self._since = self.recorder.now()
        if self.recorder.enabled:
            self._opened = True
            attempt(f"{type(self).__name__}.start", self._start_span)
        return self

    def _start_span(self) -> None:
        start = self.span_start()
        if start is None:
            return
        self._offset = self.recorder.clock.offset()
        self.span = self.recorder.tracer.start_span(
            start.name,
            kind=start.kind,
            attributes=start.attributes,
            links=start.links,
            start_time=self._offset + self.started,
        )
        self._inside = set_span_in_context(self.span)
        self._token = otel_context.attach(self._inside)

    def suspend(self, *, stop_clock: bool = False) -> None:
        """Make the context before the block current again, and leave the block open.

        Args:
            stop_clock: whether the time until `resume` is not the block's, as between the items of an iterator.
        """
        if stop_clock and self._since:
            self._busy += self.recorder.now() - self._since
            self._since = 0
        if self._token is not None:
            # What the work itself has made current, as a generator may, is current again when it goes on.
            self._inside = otel_context.get_current()
            self._restore()

    def resume(self) -> None:
        """Work for the block goes on here; begins it where it has not begun."""
        if not self.started:
            self.__enter__()
            return
        if not self._since:
            self._since = self.recorder.now()
        if self._token is None and self._inside is not None:
            self._token = otel_context.attach(self._inside)

    def end(self, error: BaseException | None = None) -> None:
        """End the block; what comes after the first time has no effect. Never raises."""
        if self.ended or not self.started:
            return
        now = self.ended = self.recorder.now()
        busy = self._busy + (now - self._since if self._since else 0)
        if not self._opened:
            return
        name = type(self).__name__
        self.resume()  # so that exemplars find the span
        attempt(f"{name}.leaving", lambda: self.leaving(error))
        attempt(f"{name}.measure", lambda: self.measure(busy * 1e-9))
        self._restore()
        if self.span.is_recording():
            attempt(f"{name}.span", lambda: self._complete_span(error))
        attempt(f"{name}.end", lambda: self.span.end(self._offset + now))

    def _complete_span(self, error: BaseException | None) -> None:
        span = self.span
        if isinstance(error, Exception):
            try:
                span.record_exception(error)
            except Exception as fault:  # noqa: BLE001  an exception that cannot be printed
                report("exception", fault)
        if self.failed is not None:
            span.set_attribute(ERROR_TYPE, self.failed)
            said = "" if error is None else text_of(error)
            span.set_status(Status(StatusCode.ERROR, f"{self.failed}: {said}" if said else self.failed))
        attributes = self.span_end()
        if attributes:
            span.set_attributes(attributes)

    def _restore(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            # In another context than it was attached in there is nothing to restore (opentelemetry-python #2606).
            with contextlib.suppress(ValueError, RuntimeError):
                token.var.reset(token)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._again:
            self._again -= 1
            return
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def seconds(self) -> float:
        """How long the block took, or has taken so far; 0 before it began."""
        return ((self.ended or self.recorder.now()) - self.started) * 1e-9 if self.started else 0.0

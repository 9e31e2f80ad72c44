"""A block's current span: class-based, where the API has a generator."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanKind

from ticktrace.engine.current import InnerContext, attach, get_current, reset
from ticktrace.engine.deferred.span_exceptions import set_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Link
    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.tracer import DeferredTracer

__all__ = ["CurrentSpan", "Options", "block"]

P = ParamSpec("P")
R = TypeVar("R")


class Options(NamedTuple):
    """What is rarely said of a current span; see `opentelemetry.trace.Tracer.start_as_current_span`."""

    context: Context | None = None
    kind: SpanKind = SpanKind.INTERNAL
    links: Sequence[Link] | None = ()
    start_time: int | None = None
    record_exception: bool = True
    set_status_on_exception: bool = True
    end_on_exit: bool = True


DEFAULTS: Final = Options()


class SpanContext(InnerContext):
    """The OTel context inside a current span."""

    __slots__ = ("span",)

    span: Span


_new_context = SpanContext.__new__


class CurrentSpan:
    """Starts a span on entry, keeps it current, and ends it on exit; also decorates functions, plain and async.

    An exception (not a mere BaseException) that leaves the block is recorded and sets the status, as with the SDK.
    Arguments are those of `opentelemetry.trace.Tracer.start_as_current_span`.
    """

    __slots__ = ("_attributes", "_name", "_options", "_span", "_token", "_tracer")

    _tracer: DeferredTracer
    _name: str
    _attributes: Attributes
    _options: Options | None
    _span: Span
    _token: Token[Context]

    def __enter__(self) -> Span:
        current = get_current()
        options = self._options
        if options is None:
            span = self._tracer.start_below(current, self._name, self._attributes)
        else:
            span = self._tracer.start_span(
                self._name,
                options.context,
                options.kind,
                self._attributes,
                options.links,
                options.start_time,
                options.record_exception,
                options.set_status_on_exception,
            )
        self._span = span
        inside = _new_context(SpanContext)
        inside.span = span
        inside.outer = current.outer if current.__class__ is SpanContext else current
        self._token = attach(inside)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        try:
            reset(self._token)
        except Exception:  # noqa: BLE001  not where it was attached: the API's own detach says so, in its words
            otel_context.detach(self._token)
        span = self._span
        options = self._options
        if options is None:
            if error is None:
                span.end()
                return
            options = DEFAULTS
        if error is not None and isinstance(error, Exception) and span.is_recording():
            if options.record_exception:
                span.record_exception(error)
            if options.set_status_on_exception:
                set_error(span, error)
        if options.end_on_exit:
            span.end()

    def _again(self) -> CurrentSpan:
        return block(self._tracer, self._name, self._attributes, self._options)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate: each call runs in a span of its own."""
        again = self._again
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_span_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", in_span_async)

        @functools.wraps(function)
        def in_span(*args: P.args, **kwargs: P.kwargs) -> R:
            with again():
                return function(*args, **kwargs)

        return in_span


_new_block = object.__new__


def block(tracer: DeferredTracer, name: str, attributes: Attributes, options: Options | None) -> CurrentSpan:
    """A block; made field by field, because a call of the class would cost as much again."""
    made = _new_block(CurrentSpan)
    made._tracer = tracer  # noqa: SLF001  this is its constructor
    made._name = name  # noqa: SLF001
    made._attributes = attributes  # noqa: SLF001
    made._options = options  # noqa: SLF001
    return made

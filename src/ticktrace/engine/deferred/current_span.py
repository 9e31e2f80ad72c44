"""A block's current span: class-based, where the API has a generator."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from ticktrace.engine.deferred.current import SPAN_KEY, attach, get_current, reset
from ticktrace.engine.deferred.span_exceptions import set_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.trace import Link, Tracer
    from opentelemetry.util.types import Attributes

__all__ = ["CurrentSpan"]

P = ParamSpec("P")
R = TypeVar("R")


class CurrentSpan:
    """Starts a span on entry, keeps it current, and ends it on exit; also decorates functions, plain and async.

    An exception (not a mere BaseException) that leaves the block is recorded and sets the status, as with the SDK.
    Arguments are those of `opentelemetry.trace.Tracer.start_as_current_span`.
    """

    __slots__ = (
        "_attributes",
        "_context",
        "_end_on_exit",
        "_kind",
        "_links",
        "_name",
        "_record",
        "_set_status",
        "_span",
        "_start_time",
        "_token",
        "_tracer",
    )

    _span: Span
    _token: Token[Context]

    def __init__(  # noqa: PLR0917  OTel's signature
        self,
        tracer: Tracer,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._context = context
        self._kind = kind
        self._attributes = attributes
        self._links = links
        self._start_time = start_time
        self._record = record_exception
        self._set_status = set_status_on_exception
        self._end_on_exit = end_on_exit

    def __enter__(self) -> Span:
        self._span = span = self._tracer.start_span(
            self._name,
            self._context,
            self._kind,
            self._attributes,
            self._links,
            self._start_time,
            self._record,
            self._set_status,
        )
        current = get_current()
        if not current or (len(current) == 1 and SPAN_KEY in current):
            self._token = attach(Context({SPAN_KEY: span}))
        else:
            self._token = attach(Context({**current, SPAN_KEY: span}))
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        try:
            reset(self._token)
        except Exception:  # noqa: BLE001  not where it was attached: the API's own detach says so, in its words
            otel_context.detach(self._token)
        span = self._span
        if error is not None and isinstance(error, Exception) and span.is_recording():
            if self._record:
                span.record_exception(error)
            if self._set_status:
                set_error(span, error)
        if self._end_on_exit:
            span.end()

    def _again(self) -> CurrentSpan:
        return CurrentSpan(
            self._tracer,
            self._name,
            self._context,
            self._kind,
            self._attributes,
            self._links,
            self._start_time,
            self._record,
            self._set_status,
            self._end_on_exit,
        )

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

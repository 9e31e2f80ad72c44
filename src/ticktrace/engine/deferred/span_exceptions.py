"""An exception as a span event: its stack is walked at once, its text is written when the span is kept.

A stack cannot wait: it grows while the exception travels outwards, and it holds the frames alive. But turning it into
text means reading source lines, most of the price.
"""

from __future__ import annotations

from traceback import TracebackException
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_ESCAPED,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Status, StatusCode

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.span_attributes import owned

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.span_attributes import Owned

__all__ = ["note_exception", "set_error", "write_stack"]


def note_exception(
    exception: BaseException, attributes: Attributes, most: int | None, length: int | None, *, escaped: bool
) -> Owned:
    """The attributes of an ``exception`` event, as the SDK has them; `attributes` override.

    Args:
        exception: what happened.
        attributes: the caller's.
        most: how many attributes an event may have.
        length: how long a text may be, characters.
        escaped: whether it left the span's block.
    """
    kind = type(exception)
    module = kind.__module__
    noted: dict[str, Any] = {
        EXCEPTION_TYPE: kind.__qualname__ if module in {"builtins", ""} else f"{module}.{kind.__qualname__}",
        EXCEPTION_MESSAGE: str(exception),
        EXCEPTION_STACKTRACE: TracebackException(
            kind, exception, exception.__traceback__, lookup_lines=False, compact=True
        ),
        EXCEPTION_ESCAPED: str(escaped),
    }
    if attributes:
        given = owned(attributes, None, length)
        if isinstance(given, BoundedAttributes):  # some are no attributes at all: the SDK counts them
            write_stack(noted)
            return BoundedAttributes(most, {**noted, **attributes}, max_value_len=length)
        noted.update(given)
    return noted


def write_stack(noted: dict[str, Any]) -> None:
    """Replace the stack in a noted exception's attributes by its text."""
    stack = noted.get(EXCEPTION_STACKTRACE)
    if isinstance(stack, TracebackException):
        noted[EXCEPTION_STACKTRACE] = "".join(stack.format())


def set_error(span: Span, error: BaseException) -> None:
    """Set the status of `span` to what left its block."""
    try:
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    except Exception as fault:  # noqa: BLE001  an exception's own __str__ may raise
        report("span.set_error", fault)

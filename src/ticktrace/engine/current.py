"""The current span, reached without detours.

`opentelemetry.context` keeps its `Context` in a context variable behind three calls. The variable itself is part of
what `attach` returns (`contextvars.Token.var`), so it is found through public means; where an application has set
`OTEL_PYTHON_CONTEXT` to a carrier of its own, the API's functions are used instead.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SPAN_KEY", "attach", "get_current", "reset"]


def _variable() -> ContextVar[Context] | None:
    token: Any = otel_context.attach(Context())
    try:
        found = token.var if isinstance(token, Token) else None
    finally:
        otel_context.detach(token)
    if found is None:
        return None
    try:
        return found if isinstance(found.get(), Context) else None
    except LookupError:  # a carrier without a default: `get` would raise wherever nothing is current
        return None


_found = _variable()

SPAN_KEY: str = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Under which key a `Context` holds the current span."""

get_current: Callable[[], Context] = otel_context.get_current if _found is None else _found.get
"""The current `Context`."""

attach: Callable[[Context], Token[Context]] = otel_context.attach if _found is None else _found.set
"""Make a `Context` current; returns what `reset` takes."""

reset: Callable[[Token[Context]], None] = otel_context.detach if _found is None else _found.reset
"""Restore what was current before `attach`; may raise where the API's `detach` would log."""

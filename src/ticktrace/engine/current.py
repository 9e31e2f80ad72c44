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
    from collections.abc import Callable, Iterator

__all__ = ["SPAN_KEY", "InnerContext", "attach", "get_current", "reset"]


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


class InnerContext(Context):
    """The OTel context inside a block: complete to whoever looks, and next to nothing until then.

    Making a context current is what lets log records, other libraries' spans and outgoing requests find the trace. Most
    blocks end without anybody having looked. So this is a dict whose own storage stays empty: every way of reading it
    asks `whole`, except for the one question that is really asked, for one key.

    Attributes:
        outer: what was current before.
        span: what is the current span inside.
    """

    __slots__ = ("outer",)

    outer: Context
    span: Any

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key: the span, or what the context before has."""
        return self.span if key == SPAN_KEY else self.outer.get(key, default)

    def whole(self) -> dict[str, Any]:
        """All of it."""
        return {**self.outer.copy(), SPAN_KEY: self.span}

    def copy(self) -> dict[str, Any]:
        """A plain dict of everything."""
        return self.whole()

    def keys(self) -> Any:
        """See dict."""
        return self.whole().keys()

    def values(self) -> Any:
        """See dict."""
        return self.whole().values()

    def items(self) -> Any:
        """See dict."""
        return self.whole().items()

    def __getitem__(self, key: str) -> Any:
        return self.whole()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.whole()

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.whole())

    def __len__(self) -> int:
        return len(self.whole())

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self.whole() == (other.copy() if isinstance(other, dict) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # as of every dict

    def __or__(self, other: Any) -> Any:
        return self.whole() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.whole()

    def __repr__(self) -> str:
        return repr(self.whole())

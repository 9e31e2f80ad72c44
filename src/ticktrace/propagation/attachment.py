"""Make an OpenTelemetry context current for a block and undo it silently, wherever the block ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, cast

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Link, get_current_span, set_span_in_context

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

__all__ = ["Relation", "attached", "current_links", "detached", "link_context", "link_to", "parent_context"]

Relation = Literal["parent", "link"]
"""How work relates to the span that handed it over: as its child, or in a trace of its own that links to it."""

_LINKS = otel_context.create_key("ticktrace-links")


class attached:  # noqa: N801 - reads as the `with` statement that it is
    """Make `context` current inside the block: `with attached(context): …`.

    Unlike `opentelemetry.context.detach`, leaving the block in another task, thread or finalizer logs
    nothing and changes nothing there. An instance serves one block.

    Args:
        context: the context to attach; None leaves the current one in force.
    """

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context | None) -> None:
        self._context = context
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        if self._context is not None:
            try:
                self._token = otel_context.attach(self._context)
            except Exception as error:  # noqa: BLE001 - a custom runtime context may raise anything
                report("attaching a context", error)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            _release(token)


def _release(token: Token[Context]) -> None:
    # `otel_context.detach` logs "Failed to detach context" with a stack when the token is of another
    # contextvars.Context; there is nothing to undo then, so the reset is asked of the token itself.
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError):
        return
    except AttributeError:  # OTEL_PYTHON_CONTEXT names a runtime context with tokens of its own
        otel_context.detach(token)


def detached(*, link: bool = True) -> attached:
    """Run the block without a current span; what starts inside begins a trace of its own.

    For callbacks that a library runs under the span of whoever happened to call it first, such as the
    websocket handlers of ccxt. Baggage stays.

    Args:
        link: let `current_links()` name the span that was current, so that the new trace can link to it.
    """
    current = otel_context.get_current()
    return attached(link_context([current] if link else [], base=current))


def current_links(context: Context | None = None) -> tuple[Link, ...]:
    """The spans that handed the current work over by link; empty outside such a block.

    Args:
        context: where to look; the current context by default.

    Returns:
        Links to pass to `tracer.start_span(name, links=current_links())`.
    """
    found = otel_context.get_value(_LINKS, context)
    return cast("tuple[Link, ...]", found) if isinstance(found, tuple) else ()


def link_to(context: Context | None = None) -> Link | None:
    """A link to the span of `context` (the current one by default); None when it holds no valid span."""
    span_context = get_current_span(context).get_span_context()
    return Link(span_context) if span_context.is_valid else None


def link_context(sources: Iterable[Context], *, base: Context) -> Context:
    """`base` without its span and with a link to the span of each of `sources`, every span once."""
    links: dict[tuple[int, int], Link] = {}
    for source in sources:
        link = link_to(source)
        if link is not None:
            links.setdefault((link.context.trace_id, link.context.span_id), link)
    spanless = set_span_in_context(INVALID_SPAN, base)
    return otel_context.set_value(_LINKS, tuple(links.values()), spanless)


def parent_context(source: Context) -> Context:
    """`source` without links of an earlier hop: they belong to its span, not to that span's children."""
    return otel_context.set_value(_LINKS, (), source) if _LINKS in source else source

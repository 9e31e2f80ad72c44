"""Random programs of spans: hypothesis draws one, and it runs on any tracer provider."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    AlwaysRecordSampler,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["REMOTE_ID", "REMOTE_SPAN", "Node", "Program", "nodes", "samplers"]


class Color(StrEnum):
    RED = "red"


class Shown:
    def __str__(self) -> str:
        return "shown as text"


class Hidden:
    pass


class Halt(BaseException):
    """What is no Exception."""


class Picky(Sampler):
    """Decides by the name, adds an attribute and changes the trace state."""

    def should_sample(  # noqa: PLR0917  OTel's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decision = (Decision.DROP, Decision.RECORD_ONLY, Decision.RECORD_AND_SAMPLE)[len(name) % 3]
        state = TraceState([("picky", str(len(name)))])
        return SamplingResult(decision, {**(attributes or {}), "picked": len(links or ())}, state)

    def get_description(self) -> str:
        return "Picky"


REMOTE_ID, REMOTE_SPAN = 0xABCDEF, 0x1234
STATE = TraceState([("vendor", "x")])


@dataclass
class Node:
    """A span and what is done with it."""

    name: str
    how: str
    parent: str
    start: dict[str, Any]
    links: list[tuple[str, dict[str, Any] | None]]
    steps: list[Any]
    raises: str | None
    end_time: int | None
    end_on_exit: bool = True
    flags: dict[str, bool] = field(default_factory=dict)


class Program:
    """Runs a node on a provider, and remembers the spans in the order in which they began."""

    def __init__(self, provider: TracerProvider) -> None:
        self.tracer = provider.get_tracer("scope", "1.2", "https://schema", {"of": "scope"})
        self.spans: list[Span] = []

    def run(self, node: Node) -> None:
        """Run it; what it raises is the program's own and ends here."""
        with suppress(ValueError, Halt):
            self._node(node)

    def _link(self, kind: str, attributes: dict[str, Any] | None) -> Link:
        match kind:
            case "invalid":
                return Link(trace.INVALID_SPAN_CONTEXT, attributes)
            case "stateful":
                return Link(SpanContext(0, 0, is_remote=True, trace_state=STATE), attributes)
            case "first" if self.spans:
                return Link(self.spans[0].get_span_context(), attributes)
            case _:
                return Link(SpanContext(5, 6, is_remote=True), attributes)

    def _context(self, parent: str) -> Context | None:
        match parent:
            case "none":
                return Context()
            case "sampled" | "unsampled":
                flags = TraceFlags(parent == "sampled")
                remote = SpanContext(REMOTE_ID, REMOTE_SPAN, True, flags, STATE)
                return trace.set_span_in_context(NonRecordingSpan(remote))
            case "invalid":
                return trace.set_span_in_context(trace.INVALID_SPAN)
            case "first" if self.spans:
                return trace.set_span_in_context(self.spans[0])
            case _:
                return None

    def _node(self, node: Node) -> None:
        options: dict[str, Any] = {
            **node.start,
            **node.flags,
            "context": self._context(node.parent),
            "links": [self._link(*link) for link in node.links],
        }
        tracer = self.tracer
        match node.how:
            case "current":
                with tracer.start_as_current_span(node.name, **options, end_on_exit=node.end_on_exit) as span:
                    self._body(node, span)
            case "with":
                with tracer.start_span(node.name, **options) as span:
                    self._body(node, span)
            case "use":
                started = tracer.start_span(node.name, **options)
                with trace.use_span(started, end_on_exit=node.end_on_exit) as span:
                    self._body(node, span)
            case "decorated":

                @tracer.start_as_current_span(node.name, **options)
                def decorated(extra: int) -> int:
                    self._body(node, trace.get_current_span())
                    return extra

                assert decorated(3) == 3
            case "async":

                @tracer.start_as_current_span(node.name, **options)
                async def coroutine() -> int:
                    self._body(node, trace.get_current_span())
                    return 4

                with suppress(StopIteration):
                    coroutine().send(None)
            case _:
                span = tracer.start_span(node.name, **options)
                try:
                    self._body(node, span)
                finally:
                    if node.how == "manual":
                        span.end(node.end_time)

    def _body(self, node: Node, span: Span) -> None:
        self.spans.append(span)
        for step in node.steps:
            if isinstance(step, Node):
                with suppress(ValueError):  # a Halt goes on outwards
                    self._node(step)
            else:
                self._step(span, *step)
        if node.raises == "ValueError":
            raise ValueError("no fill")
        if node.raises == "Halt":
            raise Halt

    def _step(self, span: Span, what: str, *arguments: Any) -> None:
        match what:
            case "link":
                link = self._link(*arguments)
                span.add_link(link.context, link.attributes)
            case "status":
                code, description, ignored = arguments
                span.set_status(Status(code, description), ignored)
            case "exception":
                try:
                    raise KeyError("inner") from ValueError("cause")  # noqa: TRY301  so that it has a stack
                except KeyError as error:
                    span.record_exception(error, *arguments)
            case _:
                getattr(span, what)(*arguments)


_keys: Any = st.sampled_from(["a", "b", "c", "dd", "eee", "ffff", "", Color.RED])
_scalars: Any = st.one_of(
    st.text("xyzä", max_size=5),
    st.integers(-5, 5),
    st.booleans(),
    st.none(),
    st.binary(max_size=3),
    st.floats(allow_nan=False),
    st.sampled_from([Color.RED, Shown(), Hidden(), 1 + 2j]),
)
_values: Any = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(_keys, inner, max_size=2),
    max_leaves=4,
)
_attributes: Any = st.none() | st.dictionaries(_keys | st.integers(1, 2), _values, max_size=5)
_times: Any = st.none() | st.integers(0, 10**6)
_statuses: Any = st.one_of(
    st.tuples(st.just("set_status"), st.sampled_from(StatusCode), st.sampled_from([None, "why"])),
    st.tuples(
        st.just("status"),
        st.sampled_from(StatusCode),
        st.sampled_from([None, "because"]),
        st.sampled_from([None, "ignored"]),
    ),
)
_links: Any = st.tuples(st.sampled_from(["invalid", "stateful", "first", "remote"]), _attributes)
_steps: Any = st.one_of(
    st.tuples(st.just("set_attribute"), _keys, _values),
    st.tuples(st.just("set_attributes"), st.dictionaries(_keys, _values, max_size=4)),
    st.tuples(st.just("add_event"), st.sampled_from(["e1", "exception"]), _attributes, _times),
    st.tuples(st.just("exception"), _attributes, _times, st.booleans()),
    st.builds(lambda link: ("link", *link), _links),
    _statuses,
    st.tuples(st.just("update_name"), st.sampled_from(["renamed", "again"])),
    st.tuples(st.just("end"), _times),
)


def _node(steps: Any) -> Any:
    return st.builds(
        Node,
        name=st.sampled_from(["x", "xx", "xxx"]),
        how=st.sampled_from(
            ["current"] * 4 + ["with", "use", "decorated", "async", "manual", "manual", "abandoned"]
        ),
        parent=st.sampled_from(["current"] * 5 + ["none", "sampled", "unsampled", "invalid", "first"]),
        start=st.fixed_dictionaries(
            {},
            optional={
                "kind": st.sampled_from(SpanKind),
                "attributes": _attributes,
                "start_time": st.integers(0, 10**6),
            },
        ),
        links=st.lists(_links, max_size=3),
        steps=st.lists(steps, min_size=2, max_size=8),
        raises=st.sampled_from([None, None, None, "ValueError", "Halt"]),
        end_time=_times,
        end_on_exit=st.sampled_from([True, True, False]),
        flags=st.fixed_dictionaries(
            {}, optional={"record_exception": st.booleans(), "set_status_on_exception": st.booleans()}
        ),
    )


nodes: Any = st.recursive(_node(_steps), lambda inner: _node(st.one_of(_steps, inner, inner)), max_leaves=12)

samplers: Any = st.sampled_from(
    [
        DEFAULT_ON,
        DEFAULT_ON,
        DEFAULT_ON,
        DEFAULT_ON,
        ALWAYS_ON,
        ALWAYS_ON,
        DEFAULT_OFF,
        ParentBased(TraceIdRatioBased(0.0)),
        ParentBased(AlwaysRecordSampler(TraceIdRatioBased(0.0))),
        AlwaysRecordSampler(DEFAULT_OFF),
        Picky(),
        Picky(),
    ]
)

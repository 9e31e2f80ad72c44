"""Links of a light span: to ids that somebody holds, or to another light span whose ids nobody has asked for yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link

from ticktrace.engine.deferred.span_attributes import owned
from ticktrace.engine.deferred.span_reading import ReadableLight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.span_attributes import Owned

__all__ = ["LinkedLight"]

_logger = logging.getLogger("opentelemetry.sdk.trace")  # where users of the SDK look for its warnings


def _useful(context: SpanContext | None, attributes: Attributes) -> bool:
    """Whether a link says anything: the SDK's rule."""
    return bool(context and (context.is_valid or attributes or context.trace_state))


class LinkedLight(ReadableLight):
    """What a `LightSpan` does about links."""

    __slots__ = ()

    end_time: int | None
    raw_links: list[Link | tuple[Span, Owned]] | BoundedList[Any] | None

    def link_to(self, span: Span, attributes: Attributes = None) -> None:
        """Link to another light span without asking for its ids now."""
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "_add_link")
            return
        self._tie((span, owned(attributes, self.tracer.most_link_attributes, self.tracer.value_length)))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Note a link; one that says nothing is ignored."""
        if not _useful(context, attributes):
            return
        if self.end_time is not None:
            _logger.warning("Tried calling %s on an ended span.", "_add_link")
            return
        tracer = self.tracer
        self._tie(
            Link(
                context,
                BoundedAttributes(tracer.most_link_attributes, attributes, max_value_len=tracer.value_length),
            )
        )

    def add_links(self, links: Sequence[Link]) -> None:
        """Note the links that a span is started with."""
        tracer = self.tracer
        for link in links:
            if link and _useful(link.context, link.attributes):
                kept = BoundedAttributes(
                    tracer.most_link_attributes, link.attributes, max_value_len=tracer.value_length
                )
                self._tie(Link(link.context, kept))

    def _tie(self, link: Link | tuple[Span, Owned]) -> None:
        links = self.raw_links
        if links is None:
            self.raw_links = links = []
        links.append(link)
        most = self.tracer.most_links
        if len(links) > most:
            self.raw_links = BoundedList.from_seq(most, links)

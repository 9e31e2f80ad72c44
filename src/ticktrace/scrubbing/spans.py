"""Ended spans without their secrets. Nearly all have none: those are passed on as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Status

from ticktrace.scrubbing.patterns import REDACTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ticktrace.scrubbing.scrubber import Scrubber

__all__ = ["SpanScrubber", "scrub_resource", "scrubbed_attributes"]

_NUMBERS: Final = frozenset({float, bool, type(None)})
_NUMBERS_TOO: Final = _NUMBERS | {int}  # where no number is a secret


class SpanScrubber:
    """Replaces secrets in names, attributes, events, links and statuses of spans; not in resources, which many share.

    Args:
        scrubber: finds them.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    def __call__(self, span: ReadableSpan) -> ReadableSpan:
        """The span without secrets; the same object where it has none. Never raises.

        A span that cannot be read is left with its ids, its times and what made it.
        """
        try:
            return self._scrubbed(span)
        except Exception:  # noqa: BLE001  something of the application's, such as an attribute that cannot be printed
            return _rebuilt(span, REDACTED, None, (), (), Status(span.status.status_code))

    def _scrubbed(self, span: ReadableSpan) -> ReadableSpan:
        scrubber = self._scrubber
        name = scrubber.text(span.name)
        attributes = scrubbed_attributes(scrubber, span._attributes)  # noqa: SLF001  the property copies
        events = self._events(span._events)  # noqa: SLF001
        links = self._links(span._links)  # noqa: SLF001
        status = span.status
        description = status.description
        if description is not None and (scrubbed := scrubber.text(description)) is not description:
            status = Status(status.status_code, scrubbed)
        if (
            name is span.name
            and attributes is span._attributes  # noqa: SLF001
            and events is span._events  # noqa: SLF001
            and links is span._links  # noqa: SLF001
            and status is span.status
        ):
            return span
        return _rebuilt(span, name, attributes, events, links, status)

    def _events(self, events: Sequence[Event]) -> Sequence[Event]:
        if not events:
            return events
        scrubbed = [self._event(event) for event in events]
        if all(new is old for new, old in zip(scrubbed, events, strict=True)):
            return events
        return _counted(events, scrubbed)

    def _event(self, event: Event) -> Event:
        name = self._scrubber.text(event.name)
        attributes = scrubbed_attributes(self._scrubber, event.attributes)
        if name is event.name and attributes is event.attributes:
            return event
        return Event(name, attributes, event.timestamp)

    def _links(self, links: Sequence[Link]) -> Sequence[Link]:
        if not links:
            return links
        scrubbed = [self._link(link) for link in links]
        if all(new is old for new, old in zip(scrubbed, links, strict=True)):
            return links
        return _counted(links, scrubbed)

    def _link(self, link: Link) -> Link:
        attributes = scrubbed_attributes(self._scrubber, link.attributes)
        return link if attributes is link.attributes else Link(link.context, attributes)


def scrubbed_attributes(scrubber: Scrubber, attributes: Mapping[str, Any] | None) -> Any:
    """Attributes without secrets; the same object where there are none.

    Raises:
        Exception: what a value of the application's raises.
    """
    # Going through the class itself takes a lock and several calls for each attribute.
    plain: Any = attributes._dict if type(attributes) is BoundedAttributes else attributes  # noqa: SLF001
    if not plain:
        return attributes
    changed: dict[str, Any] | None = None
    clean, names = scrubber.clean, scrubber.names
    harmless = _NUMBERS if scrubber.numbers else _NUMBERS_TOO
    for key, value in plain.items():
        if key in names:  # most of the way for nearly all
            kind = type(value)
            if value in clean if kind is str else kind in harmless:
                continue
        scrubbed = scrubber.under(key, value)
        named = key if scrubber.plain(key) else scrubber.text(key)
        if scrubbed is not value or named is not key:
            changed = dict(plain) if changed is None else changed
            if named is not key:
                del changed[key]
            changed[named] = scrubbed
    if changed is None:
        return attributes
    if not isinstance(attributes, BoundedAttributes):
        return changed
    bounded = BoundedAttributes(attributes=changed)
    bounded.dropped = attributes.dropped
    return bounded


def scrub_resource(resource: Resource, scrubber: Scrubber) -> Resource:
    """What produces telemetry, without secrets: once, since all spans, metrics and log records share it."""
    if not scrubber.enabled:
        return resource
    attributes = scrubbed_attributes(scrubber, resource.attributes)
    return resource if attributes is resource.attributes else Resource(dict(attributes), resource.schema_url)


def _counted(before: Sequence[Any], after: list[Any]) -> Sequence[Any]:
    """What is after, with the number of those that were dropped before."""
    if not isinstance(before, BoundedList):
        return tuple(after)
    counted: BoundedList[Any] = BoundedList.from_seq(None, after)
    counted.dropped = before.dropped
    return counted


def _rebuilt(  # noqa: PLR0917  all that may have changed
    span: ReadableSpan,
    name: str,
    attributes: Any,
    events: Sequence[Event],
    links: Sequence[Link],
    status: Status,
) -> ReadableSpan:
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=links,
        kind=span.kind,
        instrumentation_info=span._instrumentation_info,  # noqa: SLF001  its property warns
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )

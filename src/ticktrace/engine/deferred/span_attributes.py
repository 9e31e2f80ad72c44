"""Attributes of spans, events and links: owned at once, judged later.

The SDK cleans, bounds and locks every attribute while the application waits. Here the caller only pays for what
cannot wait: a copy, so that he may reuse his dict, and the cleaning of values that he could still change (lists,
mappings, objects). Numbers, texts and the like are judged by the SDK's own `BoundedAttributes` when, and if, the span
becomes a `ReadableSpan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.attributes import BoundedAttributes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLAIN", "Owned", "bounded", "cleaned", "counting", "owned", "write_all"]

PLAIN: frozenset[type] = frozenset((bool, bytes, float, int, str, type(None)))
"""The exact classes whose values nobody can change afterwards; a subclass may carry state of its own."""

_TEXT = frozenset((str,))

Owned: TypeAlias = "dict[str, Any] | BoundedAttributes"
"""Ours: a dict while nothing was dropped, the SDK's container (which counts what it drops) from then on."""


def owned(attributes: Mapping[str, Any] | None, most: int | None, length: int | None) -> Owned:
    """A copy of `attributes` that the caller can no longer change.

    Args:
        attributes: the caller's.
        most: how many attributes there may be; None for no limit.
        length: how long a text may be, characters; None for no limit.
    """
    if not attributes:
        return {}
    if attributes.__class__ is dict and (most is None or len(attributes) <= most):
        for value in attributes.values():
            kind = value.__class__
            if kind is not str and kind is not int and kind is not float and kind not in PLAIN:
                break
        else:
            return attributes.copy()
    judged = BoundedAttributes(most, attributes, immutable=False, max_value_len=length)
    # Under a length limit nothing may be judged twice: the SDK does not cut the text it makes of an object.
    return dict(judged.copy()) if not judged.dropped and length is None else judged


def cleaned(value: Any) -> Any:
    """`value` as the SDK would keep it without a length limit: a copy for a container, a text for an object."""
    return BoundedAttributes(None, {"value": value})["value"]


def write_all(into: Owned, attributes: Mapping[str, Any], most: int | None, length: int | None) -> Owned:
    """Set many attributes on what a span owns.

    Returns:
        What the span owns from now on: `into` itself, or its successor that counts what is dropped.
    """
    new = owned(attributes, None, length)
    if isinstance(into, BoundedAttributes) or isinstance(new, BoundedAttributes):
        into = counting(into, most, length)
        into._set_items(attributes)  # noqa: SLF001  what the SDK's Span.set_attributes calls
        return into
    if most is not None and len(into) + len(new) > most:
        into = counting(into, most, length)
    for key, value in new.items():
        if key in into:
            del into[key]  # as in the SDK, what is set again becomes the youngest
        into[key] = value
    return into


def counting(kept: Owned, most: int | None, length: int | None) -> BoundedAttributes:
    """The SDK's container of what was owned, open: it judges and counts whatever comes from now on."""
    if isinstance(kept, BoundedAttributes):
        return kept
    return BoundedAttributes(most, kept, immutable=False, max_value_len=length)


def bounded(kept: Owned, most: int | None, length: int | None) -> BoundedAttributes:
    """The SDK's container of what a span, an event or a link owned, sealed."""
    if isinstance(kept, BoundedAttributes):
        kept._immutable = True  # noqa: SLF001  as the SDK's Span.end does
        return kept
    if (
        length is None
        and (most is None or len(kept) <= most)
        and _TEXT.issuperset(map(type, kept))
        and "" not in kept
    ):
        # All of it was judged or plain before: adopt it as BoundedAttributes.__deepcopy__ does, without judging twice.
        sealed = BoundedAttributes(most, None, max_value_len=length)
        sealed._dict = dict(kept)  # noqa: SLF001
        return sealed
    return BoundedAttributes(most, kept, max_value_len=length)

"""The key under which a root span shares the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opentelemetry.util.types import AttributeValue

__all__ = ["KeyFunction", "key_function"]

KeyFunction = Callable[[str, Mapping[str, AttributeValue]], str]
"""Names the key of a root span from its name and its initial attributes."""


def key_function(key: str | KeyFunction | None) -> KeyFunction | None:
    """What `AdaptiveSampler(key=…)` means; None is the span's name.

    Args:
        key: an attribute's name, several joined by "+", a function, or None.
    """
    if key is None or callable(key):
        return key
    names = [name.strip() for name in key.split("+")]

    def joined(_name: str, attributes: Mapping[str, AttributeValue]) -> str:
        return "+".join([str(attributes.get(name, "")) for name in names])

    return joined

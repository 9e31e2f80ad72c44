"""Words of the vocabulary, as applications spell them."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from ticktrace.engine import warn_once

__all__ = ["known"]

E = TypeVar("E", bound=StrEnum)


def known(kind: type[E], value: str, otherwise: E) -> E:
    """`value` as a member of an enumeration; one that is none becomes `otherwise`, and that is said."""
    try:
        return kind(value)
    except ValueError:
        warn_once(
            f"{kind.__name__}={value!s:.40}",
            "ticktrace: %r is not a %s and is recorded as %r; known: %s",
            value,
            kind.__name__,
            str(otherwise),
            ", ".join(kind),
        )
        return otherwise

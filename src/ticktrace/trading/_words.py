"""Words of the vocabulary, as applications and venues spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import warn_once

if TYPE_CHECKING:
    from enum import StrEnum

__all__ = ["known", "text_of"]


def text_of(value: object) -> str:
    """What a value says of itself; the name of its class where it cannot even say that."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  a __str__ of somebody else's
        return type(value).__name__


def known(kind: type[StrEnum], word: str) -> str:
    """The word of an enumeration that `word` stands for, whatever its case (``BUY``, ``STOP_LIMIT``, ``stop-limit``).

    One that is none becomes ``other``, and that is said: a word that an application invents must not make a series, and
    must not pass for another one.
    """
    spelled = text_of(word).strip().lower().replace("-", "_").replace(" ", "_")
    try:
        return kind(spelled).value
    except ValueError:
        if spelled != semconv.OTHER:
            warn_once(
                f"{kind.__name__}={spelled:.40}",
                "ticktrace: %r is not one of %s and is recorded as %r; known: %s",
                text_of(word),
                kind.__name__,
                semconv.OTHER,
                ", ".join(kind),
            )
        return semconv.OTHER

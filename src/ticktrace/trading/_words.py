"""Words of the vocabulary, as applications and venues spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import text_of, warn_once

if TYPE_CHECKING:
    from enum import StrEnum

__all__ = ["known", "text_of"]


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

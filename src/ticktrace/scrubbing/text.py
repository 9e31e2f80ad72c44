"""Finds secrets in text: what was named, what looks like one, what was announced, and what stands behind a name of one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ticktrace.scrubbing.announced import redact_announced
from ticktrace.scrubbing.pairs import redact_pairs
from ticktrace.scrubbing.patterns import REDACTED, Hint, redact_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.scrubbing.keys import SecretKeys

__all__ = ["CUT", "LONGEST", "TextScrubber"]

LONGEST: Final = 65_536
"""Characters of a text with a hint of a secret that are searched; what follows is cut off."""

CUT: Final = "…[cut]"


class TextScrubber:
    """Replaces secrets in text.

    Args:
        is_secret: tells names of secrets.
        patterns: regular expressions of the user's.
        literals: secrets themselves.
    """

    def __init__(self, is_secret: SecretKeys, patterns: Sequence[str], literals: Sequence[str]) -> None:
        self._is_secret = is_secret
        self._hinted = Hint(is_secret.further)
        self._patterns = [re.compile(pattern) for pattern in patterns]
        self._literals = re.compile(_alternatives(literals)) if literals else None

    def __call__(self, text: str) -> str:
        """The text without its secrets; the same object where it has none."""
        hinted = self._hinted(text)
        literals = self._literals
        if not hinted and not self._patterns and (literals is None or literals.search(text) is None):
            return text
        scrubbed = text if len(text) <= LONGEST else f"{text[:LONGEST]}{CUT}"
        for pattern in self._patterns:
            scrubbed = pattern.sub(REDACTED, scrubbed)
        if literals is not None:
            scrubbed = literals.sub(REDACTED, scrubbed)
        if hinted:
            scrubbed = redact_announced(redact_tokens(scrubbed))
            scrubbed = redact_pairs(scrubbed, self._is_secret)
        return text if scrubbed == text else scrubbed


def _alternatives(literals: Sequence[str]) -> str:
    """Longest first; numbers only where they are not part of a longer one."""
    ordered = sorted(set(literals), key=lambda literal: (-len(literal), literal))
    return "|".join(
        rf"(?<![\d.]){literal}(?![\d.])" if literal.isdecimal() else re.escape(literal) for literal in ordered
    )

"""Reasons why not: how often, of which strategy, and when last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ticktrace.reports.timeline import Slice

__all__ = ["OTHER", "Reason", "Reasons"]

OTHER: Final = "other"
_MOST: Final = 2_000
_LONGEST: Final = 300


class Reason:
    """One reason of one strategy.

    Attributes:
        number: in `Counts.reasons`.
        text: the reason.
        strategy: whose.
        last: when it was given last, Unix seconds.
    """

    __slots__ = ("last", "number", "strategy", "text")

    def __init__(self, number: int, text: str, strategy: str | None) -> None:
        self.number: int = number
        self.text: str = text
        self.strategy: str | None = strategy
        self.last: float = 0.0


class Reasons:
    """All reasons, as many as fit; the rest is `OTHER`.

    Attributes:
        beyond: how often a reason found no place.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], Reason] = {}
        self.beyond: int = 0

    def all(self) -> list[Reason]:
        """Return them in the order of their numbers."""
        return list(self._known.values())

    def given(self, text: str, strategy: str | None, now: float, where: Slice, count: int = 1) -> None:
        """Count a reason."""
        reason = self._known.get((text, strategy)) or self._new(text, strategy, count)
        where.reasons[reason.number] = where.reasons.get(reason.number, 0) + count
        if now > reason.last and where.inside:
            reason.last = now

    def _new(self, text: str, strategy: str | None, count: int) -> Reason:
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        if len(self._known) >= _MOST and (text, strategy) not in self._known:
            self.beyond += count
            text, strategy = OTHER, None
        if (text, strategy) in self._known:
            return self._known[text, strategy]
        reason = self._known[text, strategy] = Reason(len(self._known), text, strategy)
        return reason

"""A running share: how many of the last answers were yes."""

from __future__ import annotations

from collections import deque

__all__ = ["Share"]

_WINDOW = 100


class Share:
    """Share of yes among the last hundred answers. Thread-safe without a lock: a deque's methods are atomic."""

    __slots__ = ("_answers",)

    def __init__(self, window: int = _WINDOW) -> None:
        self._answers: deque[int] = deque(maxlen=window)

    def add(self, yes: bool) -> float:
        """Count one answer; returns the share, 0 to 1."""
        self._answers.append(int(bool(yes)))
        answers = self._answers.copy()  # summing the deque itself would race with other threads
        return sum(answers) / len(answers)

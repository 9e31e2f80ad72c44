"""What was counted within the last hour, from what had been counted at each look."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

__all__ = ["Look", "Window"]

_MOST_LOOKS = 1_000


class Look(NamedTuple):
    """What had been counted at a moment.

    Attributes:
        at: seconds of the monotonic clock.
        good: good events since the start.
        total: events since the start.
    """

    at: float
    good: float
    total: float


class Window:
    """The looks of one window: some thousand at most, whatever its length and however often one looks.

    The events of a window are those since the latest look at or before its beginning: what PromQL's ``offset`` finds, too.
    So the window reaches back at most one look, or a thousandth of its length, too far.

    Args:
        seconds: its length.
        start: when counting began, with nothing counted.
    """

    def __init__(self, seconds: float, start: float) -> None:
        self.seconds: float = seconds
        self._step = seconds / _MOST_LOOKS
        self._looks: deque[Look] = deque((Look(start, 0, 0),))

    def add(self, look: Look) -> Look:
        """Note a look.

        Returns:
            The latest one at or before the beginning of the window that ends with it; the start where there is none.
        """
        looks = self._looks
        begin = look.at - self.seconds
        while len(looks) > 1 and looks[1].at <= begin:
            looks.popleft()
        since = looks[0]
        if look.at - looks[-1].at >= self._step:
            looks.append(look)
        return since

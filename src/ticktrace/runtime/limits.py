"""When a limit counts as exceeded, and when as kept again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from ticktrace.settings import LimitSettings

__all__ = ["LIMITS", "Crossing", "Watch", "limits_of"]

LIMITS: Final = (
    "cpu_percent",
    "host_cpu_percent",
    "memory_percent",
    "memory_bytes",
    "disk_percent",
    "threads",
    "open_files",
)
"""The figures that may have a limit."""

_RELEASE: Final = 0.95  # of the limit: who hovers at it has not come back

Change = Literal["crossed", "beyond", "back", "within"]


class Crossing:
    """One time that a limit was exceeded, from then on until its figure has come back.

    Attributes:
        limit: the figure's name.
        threshold: its limit.
        value: what it was when the limit counted as exceeded.
        number: which crossing of this limit it is, from 1.
        over: whether the figure has come back.
        done: names of the actions that have had their turn, so that none has a second.
        told: names of the actions of which it was recorded that they wait.
    """

    def __init__(self, limit: str, threshold: float, value: float, number: int) -> None:
        self.limit: str = limit
        self.threshold: float = threshold
        self.value: float = value
        self.number: int = number
        self.over: bool = False
        self.done: set[str] = set()
        self.told: set[str] = set()


class Watch:
    """Watches one figure.

    Args:
        limit: the figure's name.
        threshold: beyond which it must not be.
        observations: so many in a row have to be beyond it.

    Attributes:
        limit: the figure's name.
        threshold: its limit.
        crossing: the one that lasts; None while the limit is kept.
    """

    def __init__(self, limit: str, threshold: float, observations: int) -> None:
        self.limit: str = limit
        self.threshold: float = threshold
        self.crossing: Crossing | None = None
        self._observations = observations
        self._row = 0
        self._number = 0

    def see(self, value: float | None) -> Change:
        """Take an observation; a figure that could not be read changes nothing.

        Returns:
            ``crossed`` once, then ``beyond`` until ``back``, once, when it is 5 % below the limit; else ``within``.
        """
        if self.crossing is not None:
            if value is None or value > self.threshold * _RELEASE:
                return "beyond"
            self.crossing.over = True
            self.crossing = None
            self._row = 0
            return "back"
        if value is None:
            return "within"
        self._row = self._row + 1 if value > self.threshold else 0
        if self._row < self._observations:
            return "within"
        self._number += 1
        self.crossing = Crossing(self.limit, self.threshold, value, self._number)
        return "crossed"


def limits_of(settings: LimitSettings) -> dict[str, float]:
    """The limits that there are, by figure."""
    found = {name: getattr(settings, name) for name in LIMITS}
    return {name: limit for name, limit in found.items() if limit is not None}

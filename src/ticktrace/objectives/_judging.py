"""Whether an objective is met: compliance, what is left of the error budget, and how fast it burns."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Final

from ticktrace.objectives._window import Look, Window

if TYPE_CHECKING:
    from ticktrace.objectives._model import Objective
    from ticktrace.settings import SloSettings

__all__ = ["Judge", "Judgement", "duration_words"]

_FAST: Final = (300.0, 3_600.0)
_SLOW: Final = (1_800.0, 21_600.0)


def duration_words(seconds: float) -> str:
    """A length of time as settings have it: ``5m``, ``6h``, ``30d``."""
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= length and not seconds % length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1e3:g}ms"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an objective stands.

    Attributes:
        name: of the objective.
        promise: what it wants, in words.
        target: share of events that has to be good.
        window: seconds over which that is asked.
        covered: seconds of it that this process has seen.
        good: good events in the window.
        total: events in the window.
        burn: how many times faster than allowed the error budget was used up, by window (``5m``, ``30m``, ``1h``,
            ``6h``); windows without events, and those that are longer than the objective's, are left out.
        conditions: what is wrong now: ``missed``, ``fast_burn``, ``slow_burn``.
        violated: whether a violation was told and is not over.
        since: when it was told, in seconds since 1970; None where it was not.
    """

    name: str
    promise: str
    target: float
    window: float
    covered: float
    good: float
    total: float
    burn: dict[str, float]
    conditions: tuple[str, ...] = ()
    violated: bool = False
    since: float | None = None

    @property
    def compliance(self) -> float:
        """Share of the events that was good; NaN where there were none."""
        return self.good / self.total if self.total else nan

    @property
    def budget_remaining(self) -> float:
        """Share of the bad events that are allowed for which is left, 1 to minus any; NaN where there were no events."""
        return 1 - (1 - self.compliance) / (1 - self.target)

    @property
    def met(self) -> bool | None:
        """Whether the share is reached; None where there were no events."""
        return self.compliance >= self.target if self.total else None


class Judge:
    """Judges one objective from what has been counted. One thread at a time.

    Args:
        objective: the objective.
        slo: from which rates on the budget burns too fast.
        start: when counting began, on the monotonic clock.
    """

    def __init__(self, objective: Objective, slo: SloSettings, start: float) -> None:
        self.objective: Objective = objective
        self._start = start
        self._window = Window(objective.window, start)
        pairs = (("fast_burn", _FAST, slo.fast_burn), ("slow_burn", _SLOW, slo.slow_burn))
        # A window beyond the objective's own would speak of events that the objective has forgotten.
        self._burning = [pair for pair in pairs if pair[1][1] <= objective.window]
        self._burn_windows = {
            seconds: Window(seconds, start) for _, windows, _ in self._burning for seconds in windows
        }

    def judge(self, at: float, good: float, total: float) -> Judgement:
        """How it stands at a moment.

        Args:
            at: the moment, on the monotonic clock.
            good: good events since the start.
            total: events since the start.
        """
        objective = self.objective
        look = Look(at, good, total)
        since = self._window.add(look)
        good_in, total_in = good - since.good, total - since.total
        burn: dict[float, float] = {}
        events: dict[float, float] = {}
        for seconds, window in self._burn_windows.items():
            before = window.add(look)
            events[seconds] = total - before.total
            if events[seconds]:
                burn[seconds] = (1 - (good - before.good) / events[seconds]) / (1 - objective.target)
        conditions = []
        if total_in >= objective.min_events and total_in and good_in / total_in < objective.target:
            conditions.append("missed")
        for name, (short, long), rate in self._burning:
            enough = events[long] >= objective.min_events
            if enough and burn.get(short, 0) >= rate and burn.get(long, 0) >= rate:
                conditions.append(name)
        return Judgement(
            objective.name,
            objective.promise,
            objective.target,
            objective.window,
            min(at - self._start, objective.window),
            good_in,
            total_in,
            {duration_words(seconds): rate for seconds, rate in sorted(burn.items())},
            tuple(conditions),
        )

"""What can be tuned about the adaptive sampler, checked as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from ticktrace.errors import SettingsError

__all__ = ["DEFAULT_TARGET", "Policy", "Tuning"]

DEFAULT_TARGET = 20.0
"""Kept traces a second, where nothing else is said."""

Policy = tuple[tuple[float, float], ...]
"""Steps of (traces a second, probability): above that rate, that probability; below the first step, 1."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The dials of `AdaptiveSampler`; one valid set of them.

    Attributes:
        target: kept traces a second that started here; None, with a policy, sets no budget.
        burst_window: seconds of budget that may be spent at once, and the horizon of the quick reaction.
        recovery: seconds in which the estimated load falls to 37 % after traffic stops: the slow way up.
        floor: the least probability, for as long as the budget allows.
        ceiling: the greatest probability.
        policy: steps of (traces a second, probability), in ascending order.
    """

    target: float | None = DEFAULT_TARGET
    burst_window: float = 5.0
    recovery: float = 10.0
    floor: float = 0.0
    ceiling: float = 1.0
    policy: Policy = ()

    def __post_init__(self) -> None:
        # Lists, as YAML and callers bring them, become tuples.
        steps = tuple(tuple(step) if isinstance(step, list) else step for step in self.policy)
        object.__setattr__(self, "policy", steps)
        problems = self._problems()
        if problems:
            raise SettingsError(problems)

    def changed(self, **changes: Any) -> Tuning:
        """These dials with some changed, checked again; raises `SettingsError`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        return Tuning(**values)

    @property
    def burst(self) -> float:
        """How many traces may be kept at once, at least 1; infinite without a budget."""
        return math.inf if self.target is None else max(1.0, self.target * self.burst_window)

    @property
    def reaction(self) -> float:
        """Time constant of the quick rate, in seconds: well inside the burst window."""
        return self.burst_window / 4

    def step(self, rate: float) -> float:
        """What the policy says at `rate` traces a second, between floor and ceiling."""
        probability = 1.0
        for above, then in self.policy:
            if rate > above:
                probability = then
        return min(self.ceiling, max(self.floor, probability))

    def _problems(self) -> list[str]:
        problems = []
        if self.target is None:
            if not self.policy:
                problems.append("target: needed unless there is a policy; traces a second, above 0")
        elif not _positive(self.target):
            problems.append(f"target: must be traces a second above 0, not {self.target!r}")
        for name in ("burst_window", "recovery"):
            value = getattr(self, name)
            if not _positive(value):
                problems.append(f"{name}: must be seconds above 0, not {value!r}")
        bounds_are_shares = True
        for name in ("floor", "ceiling"):
            value = getattr(self, name)
            if not _share(value):
                bounds_are_shares = False
                problems.append(f"{name}: must be a probability from 0 to 1, not {value!r}")
        if bounds_are_shares and self.floor > self.ceiling:
            problems.append(f"floor: must not be above the ceiling, {self.ceiling!r}; it is {self.floor!r}")
        return problems + self._policy_problems()

    def _policy_problems(self) -> list[str]:
        problems = []
        previous = 0.0
        steps: tuple[Any, ...] = self.policy
        for index, step in enumerate(steps):
            if not isinstance(step, tuple) or len(step) != 2:  # noqa: PLR2004 - a pair
                problems.append(f"policy[{index}]: must be (traces a second, probability), not {step!r}")
                continue
            above, probability = step
            if not _number(above) or above < 0:
                problems.append(f"policy[{index}]: the rate must be traces a second from 0 up, not {above!r}")
            elif index and above <= previous:
                problems.append(f"policy[{index}]: rates must ascend, but {above!r} follows {previous!r}")
            else:
                previous = above
            if not _share(probability):
                problems.append(f"policy[{index}]: must be a probability from 0 to 1, not {probability!r}")
        return problems


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1

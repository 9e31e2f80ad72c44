"""What a sampler has done."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SamplerStatistics"]


@dataclass(frozen=True, slots=True)
class SamplerStatistics:
    """What an adaptive sampler has done since it was made, and how things stand.

    Attributes:
        decided: traces it decided about; what follows a parent is not counted.
        kept: how many of them it kept.
        limited: how many it dropped because not one token of the budget was left. Adjusted counts do not
            speak for these; all others are accounted for.
        failures: decisions that an exception spoiled, of the clock or of the key function.
        keys: keys with a rate of their own at present.
        arrival_rate: traces a second, as estimated now.
        probability: the share of them that is kept now.
    """

    decided: int
    kept: int
    limited: int
    failures: int
    keys: int
    arrival_rate: float
    probability: float

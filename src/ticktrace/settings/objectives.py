"""Settings of objectives: what share of which events has to be good, over which time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from .declare import Group, setting
from .values import Argument, Duration, Rate, Rule, Text, Thresholds, Whole, parse_duration, wrong

__all__ = ["ObjectiveSettings", "SloSettings"]

Matching = tuple[tuple[str, tuple[str, ...]], ...]
"""Attributes and the values that each may have; an empty value stands for its absence."""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise TypeError
    return str(value).strip()


def _matching(value: Any) -> Matching:
    if not isinstance(value, (Mapping, tuple)):
        raise TypeError
    pairs = value.items() if isinstance(value, Mapping) else value  # what this has made itself is pairs
    found: dict[str, tuple[str, ...]] = {}
    for key, values in pairs:
        several = values if isinstance(values, (list, tuple)) else (values,)
        if not isinstance(key, str) or not key.strip() or not several:
            raise ValueError(key)
        found[key.strip()] = tuple(dict.fromkeys(map(_text, several)))
    return tuple(found.items())


def _threshold(value: Any) -> float:
    """A number in the instrument's unit; text with a unit of time is a number of seconds."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return parse_duration(value)
    else:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError
        number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)
    if not 0 < number < 1:
        raise ValueError
    return number


_WORD = {"type": ["string", "number", "boolean", "null"]}
_MATCHING = Annotated[
    Matching,
    Rule(
        "a mapping of attributes to a value or a list of values",
        _matching,
        {"type": "object", "additionalProperties": {"anyOf": [_WORD, {"type": "array", "items": _WORD}]}},
    ),
]
_THRESHOLD = Annotated[
    float,
    Rule(
        'a number in the unit of the instrument, or a duration such as "50ms"',
        _threshold,
        {"type": ["number", "string"]},
    ),
]
_SHARE = Annotated[
    float,
    Rule(
        "a number above 0 and below 1",
        _share,
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
]


class ObjectiveSettings(Group):
    """One objective; its name is its key. Which events are good is said by one of `threshold`, `good` and `bad…`."""

    instrument: Text = Field(
        description="What counts the events: a histogram or a counter, by its full name."
    )
    attributes: _MATCHING = setting(
        (), "Only events with these attributes: for each a value, or a list of those allowed."
    )
    threshold: _THRESHOLD | None = setting(
        None, "Of a histogram: values up to this one are good. It becomes a bucket boundary."
    )
    good: _MATCHING = setting((), 'Events with these attributes are good; "" stands for an absent one.')
    bad: _MATCHING = setting(
        (), "Events with these attributes are bad; they are counted by `bad_instrument` where that is given."
    )
    bad_instrument: Text | None = setting(
        None, "Another instrument that counts the bad ones among the events."
    )
    target: _SHARE = setting(0.99, "Share of the events that has to be good.")
    window: Duration = setting(86_400.0, "Time over which that is asked, up to now.")
    min_events: Whole = setting(1, "With fewer events in the window nothing is judged.")
    description: Argument | None = setting(None, "What it is about, for messages.")

    @model_validator(mode="after")
    def _one_meaning_of_good(self) -> Self:
        given = [
            name
            for name, there in (
                ("threshold", self.threshold is not None),
                ("good", bool(self.good)),
                ("bad", bool(self.bad) or self.bad_instrument is not None),
            )
            if there
        ]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise wrong(
                f"needs exactly one of threshold, good, and bad or bad_instrument, to say which events are good; has {found}"
            )
        return self


class SloSettings(Group):
    """Service level objectives."""

    thresholds: dict[str, Thresholds] = setting(
        {}, "Durations per instrument that become bucket boundaries, so that compliance is exact."
    )
    objectives: dict[str, ObjectiveSettings] = setting({}, "Objectives by name.")
    interval: Duration = setting(
        10.0, "How often compliance is computed and judged; the resolution of the windows."
    )
    fast_burn: Rate = setting(
        14.4,
        "Violated when the error budget burns so many times too fast, both over 5 minutes and over 1 hour.",
    )
    slow_burn: Rate = setting(6.0, "As `fast_burn`, over 30 minutes and over 6 hours.")
    quiet: Duration = setting(
        300.0, "A violation of the same objective is told no sooner than this after the one before."
    )

    def boundaries(self, instrument: str) -> tuple[float, ...]:
        """The bucket boundaries that a histogram has to have beside its own."""
        thresholds = {
            objective.threshold
            for objective in self.objectives.values()
            if objective.instrument == instrument and objective.threshold is not None
        }
        return tuple(sorted({*self.thresholds.get(instrument, ()), *thresholds}))

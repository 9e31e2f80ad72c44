"""Instruments that an application declares itself, as the settings have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .declare import Group, setting
from .values import Argument, Names, Rule, Text, Whole, choice, parse_buckets

__all__ = ["InstrumentSettings"]

Kind = Literal["counter", "up_down_counter", "histogram", "gauge"]


def _buckets(value: Any) -> tuple[float, ...] | str:
    """A list of bounds, or the name of one of the catalog's sets, which only the catalog knows."""
    if isinstance(value, str) and not any(sign.isdigit() for sign in value):
        if not value.strip():
            raise ValueError
        return value.strip()
    return parse_buckets(value)


class InstrumentSettings(Group):
    """One instrument of the application's own; its name is its key."""

    kind: Annotated[Kind, choice(Kind)] = Field(description="What it counts like.")
    description: Text = Field(description="What it says, in one sentence.")
    unit: Argument = setting("1", "UCUM: `s`, `By`, `1`; an annotation such as `{order}` for things counted.")
    attributes: Names = setting((), "Keys that a measurement may carry, each with few values.")
    buckets: (
        Annotated[
            tuple[float, ...] | str,
            Rule(
                "a list of numbers, each above the one before, or the name of a set",
                _buckets,
                {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
            ),
        ]
        | None
    ) = setting(None, "Upper bounds of a histogram, in its unit, or the name of one of the catalog's sets.")
    max_series: Whole | None = setting(
        None,
        "Most attribute sets; more are counted together, all attributes `other`. When null: `metrics.series_limit`.",
    )
    group: Text = setting("custom", "The heading it stands under.")
    aliases: Names = setting((), "Further names that recording rules offer in Prometheus.")

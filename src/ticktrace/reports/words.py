"""Times, durations, numbers and shares as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

__all__ = ["NOTHING", "TIMES", "condition_name", "duration", "figure", "moment", "percent", "plural", "utc"]

NOTHING: Final = "\N{EN DASH}"
"""What a table shows where there is nothing to show."""

TIMES: Final = "\N{MULTIPLICATION SIGN}"

_WHOLE: Final = 1e15
_LEAST: Final = 0.0005


def utc(time: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, with milliseconds where it has some."""
    try:
        moment = datetime.fromtimestamp(round(time, 3), UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time:.0f}"
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace(
        "+00:00", "Z"
    )


def moment(time: float | None) -> str:
    """Return a Unix time as short as tables need it: UTC, to the minute."""
    return NOTHING if time is None else utc(time)[:16].replace("T", " ")


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``6 h``, ``2 d 3 h``, ``4 min 30 s``, ``0.25 s``."""
    if seconds < 1:
        return f"{seconds:.3g} s"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    left = round(seconds)
    for place, (name, size) in enumerate(units):
        if left >= size:
            count, rest = divmod(left, size)
            if place + 1 == len(units):
                return f"{count} {name}"
            smaller, smaller_size = units[place + 1]
            return f"{count} {name}" + (f" {rest // smaller_size} {smaller}" if rest // smaller_size else "")
    return "0 s"


def figure(value: float | str | bool | None, digits: int = 6) -> str:
    """Return a number with so many significant digits; whole ones in full; anything else as it is."""
    if value is None:
        return NOTHING
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, int) or (
        value == math.trunc(value) and abs(value) < _WHOLE if math.isfinite(value) else False
    ):
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def percent(share: float | None) -> str:
    """Return a share of 1 as a percentage."""
    if share is None:
        return NOTHING
    if 0 < share < _LEAST:
        return "<0.1 %"
    if 1 - _LEAST < share < 1:
        return ">99.9 %"
    return f"{share * 100:.1f} %" if 0 < share < 1 else f"{share * 100:.0f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word: ``1 line``, ``2 lines``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def condition_name(name: str, strategy: str | None) -> str:
    """Return a condition with whose it is."""
    return name if strategy is None else f"{strategy}: {name}"

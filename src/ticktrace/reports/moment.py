"""Times as users write them: `2026-11-21T14:05`, `1763733900`, `14:05`, `last`; and durations: `6h`, `2d`."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, time
from typing import Final

__all__ = ["parse_duration", "parse_time", "parse_time_of_day"]

_UNITS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DIGITS: Final = re.compile(r"\d+(?:\.\d+)?")
_EARLIEST: Final = 10_000  # what is less is a year
_LATEST: Final = 1e11


def parse_duration(text: str) -> float | None:
    """Return the seconds of ``90s``, ``15m``, ``6h``, ``2d``, ``1w`` or ``1d12h``; None for what is no duration."""
    seconds, place = 0.0, 0
    text = text.strip()
    while place < len(text):
        match = _DURATION.match(text, place)
        if match is None or match[2].lower() not in _UNITS:
            return None
        seconds += float(match[1]) * _UNITS[match[2].lower()]
        place = match.end()
    return seconds if place and math.isfinite(seconds) else None


def parse_time(text: str) -> float | None:
    """Return a time as Unix seconds; None for what is none.

    ISO 8601 is in UTC where it names no zone; Unix seconds may have decimals.
    """
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return number if _DIGITS.fullmatch(text) and _EARLIEST <= number < _LATEST else None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_time_of_day(text: str) -> float | None:
    """Return the seconds since midnight of ``14:05`` or ``14:05:30``; None for what is no time of day."""
    match = _OF_DAY.fullmatch(text.strip())
    if match is None:
        return None
    try:
        of_day = time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError:
        return None
    return of_day.hour * 3_600 + of_day.minute * 60 + of_day.second

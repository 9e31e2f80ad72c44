"""Times as traders have them: aware datetimes, or Unix numbers in whichever unit the venue sends."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite

from ticktrace.engine import warn_once

__all__ = ["Timestamp", "iso_utc", "timeframe_seconds", "unix_seconds", "usable_seconds"]

Timestamp = datetime | int | float
"""An aware datetime, or a Unix time in s, ms, µs or ns; the unit is told by magnitude."""

_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
_MICROSECONDS_FROM = 1e14
_NANOSECONDS_FROM = 1e17

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_TIMEFRAME = re.compile(r"(\d+)([smhdwMy])")


def unix_seconds(time: Timestamp) -> float:
    """Unix seconds of a datetime, or of a number in s, ms, µs or ns.

    Raises:
        ValueError: the datetime is naive, so it does not name a moment.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone; pass an aware datetime or a Unix number")
        return time.timestamp()
    if time < _MILLISECONDS_FROM:
        return float(time)
    if time < _MICROSECONDS_FROM:
        return time / 1e3
    if time < _NANOSECONDS_FROM:
        return time / 1e6
    return time / 1e9


def usable_seconds(time: Timestamp | None) -> float | None:
    """Unix seconds of a time; None for none, and, said once a minute, for what names no moment."""
    if time is None:
        return None
    try:
        seconds = unix_seconds(time)
    except (ValueError, TypeError, OverflowError) as error:
        warn_once("time", "ticktrace: a time was left out: %s", error)
        return None
    return seconds if isfinite(seconds) else None


def iso_utc(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC; an instant beyond the calendar stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return str(seconds)


def timeframe_seconds(timeframe: str) -> int | None:
    """Seconds of a timeframe as ccxt writes it (``1m``, ``4h``, ``1d``, ``1M`` for 30 days); None if it is not one."""
    match = _TIMEFRAME.fullmatch(timeframe)
    if match is None:
        return None
    return int(match[1]) * _UNITS[match[2]]

"""Where days, months and sampling periods end.

A period holds its end and not its beginning, as a bar does that is told at its close: what happens at midnight sharp is
the last of the old day.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from ticktrace.trading.ledger.config import LedgerConfig

__all__ = ["Calendar"]

_ONE_DAY = timedelta(days=1)


class Calendar:
    """The periods of one time zone. Times are Unix seconds.

    A day is from midnight to midnight and has 23, 24 or 25 hours. Where clocks skip midnight, the day begins when they do;
    where they show it twice, at the first.
    """

    def __init__(self, config: LedgerConfig) -> None:
        self._zone: tzinfo = config.tz
        self._period = config.period
        self._seconds = config.period_seconds

    def start_of(self, day: date) -> float:
        """When a day begins."""
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()

    def day_of(self, at: float) -> date:
        """The day that a moment belongs to.

        Raises:
            ValueError, OverflowError, OSError: the moment is beyond the calendar.
        """
        day = datetime.fromtimestamp(at, self._zone).date()
        return day - _ONE_DAY if self.start_of(day) == at else day

    def end_of_day(self, day: date) -> float:
        """When a day ends."""
        return self.start_of(day + _ONE_DAY)

    def end_of_period(self, at: float) -> float:
        """When the sampling period ends that a moment belongs to."""
        if self._seconds is not None:
            return float(ceil(at / self._seconds) * self._seconds)
        day = self.day_of(at)
        if self._period == "1w":
            return self.start_of(day + timedelta(days=7 - day.weekday()))
        if self._period == "1M":
            return self.start_of((day.replace(day=1) + timedelta(days=32)).replace(day=1))
        return self.end_of_day(day)

"""What is kept of periods, days and months that have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003  msgspec reads these annotations when books are restored
from decimal import Decimal  # noqa: TC003  see above

__all__ = ["CalendarResult", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """The account at the end of a period.

    Attributes:
        at: the end, Unix s.
        value: equity.
        index: worth of a unit, 1 at the start; flows do not move it.
        period_return: since the end of the period before; None while there is no equity.
        drawdown_ratio: below its peak at that moment; None while there is no equity.
    """

    at: float
    value: Decimal
    index: float
    period_return: float | None
    drawdown_ratio: float | None


@dataclass(frozen=True, slots=True)
class CalendarResult:
    """A day or month that has ended, of the account.

    Attributes:
        day: the day, or the first of the month.
        profit_loss: realised and unrealised.
        trades: how many were closed.
    """

    day: date
    profit_loss: Decimal
    trades: int

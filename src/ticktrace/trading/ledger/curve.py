"""The equity curve of a book, without its points: peaks, drawdowns, recoveries and sampled returns.

Money that is paid in or out is neither profit nor loss. Amounts are told from the *profit* (equity minus flows). Ratios and
returns are told from an *index* that starts at 1 and is what a unit of a fund would be worth: a flow buys or redeems units at
the price they have, so that it does not move the index (time-weighted return, GIPS 2020, "unit value method").
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from ticktrace.trading.ledger._exact import ZERO
from ticktrace.trading.ledger.ratios import Returns

__all__ = ["Curve"]


class Curve(Struct):
    """Where equity stands, and what it has been through.

    Attributes:
        units: how many units of the fund there are; None while there is no equity that they could be parts of.
        index: what one is worth.
        peak_index: the highest it has been.
        sampled: what it was at the end of the latest period.
        began: how many returns there were when the index last began at 1.
        worst_ratio: the deepest fall below a peak, as a part of it.
        profit: equity minus flows.
        peak: the highest it has been, and `peak_at` when it last was there, Unix s.
        worst: the deepest fall of the profit, as an amount; never negative.
        submerged: whether it is below its peak.
        recovered: s from peak to recovery of the latest drawdown that is over; `longest` of any.
        returns: of the periods that have ended.
    """

    units: float | None = None
    index: float = 1.0
    peak_index: float = 1.0
    sampled: float = 1.0
    began: int = 0
    worst_ratio: float = 0.0
    profit: Decimal = ZERO
    peak: Decimal = ZERO
    peak_at: float | None = None
    worst: Decimal = ZERO
    submerged: bool = False
    recovered: float = 0.0
    longest: float = 0.0
    returns: Returns = field(default_factory=Returns)

    def open(self, equity: Decimal, at: float | None) -> None:
        """Begin, with no profit yet."""
        self.peak_at = at
        if equity > 0:
            self.units = float(equity)

    def move(self, profit: Decimal, flows: Decimal, at: float) -> None:
        """Profit is `profit` now; `flows` is what was paid in so far, net."""
        self.profit = profit
        if profit >= self.peak:
            if self.submerged:
                self.recovered = self._since_peak(at)
                self.longest = max(self.longest, self.recovered)
                self.submerged = False
            self.peak = profit
            self.peak_at = at
        else:
            self.submerged = True
            self.worst = max(self.worst, self.peak - profit)
        units = self.units
        if units is not None:
            self.index = index = float(flows + profit) / units
            if index >= self.peak_index:
                self.peak_index = index
            elif 1.0 - index / self.peak_index > self.worst_ratio:
                self.worst_ratio = 1.0 - index / self.peak_index

    def flow(self, paid_in: Decimal, flows: Decimal) -> None:
        """Money was paid in (or out, when negative); `flows` is the sum of all, with this one."""
        equity = float(flows + self.profit)
        if self.units is not None and self.index > 0:
            self.units += float(paid_in) / self.index
            if equity <= 0 or self.units <= 0:
                self.units = None  # all of it was taken out
        elif equity > 0:
            if self.index <= 0:  # it had lost everything, and begins anew
                self.index = self.peak_index = self.sampled = 1.0
                self.began = self.returns.count
            self.units = equity / self.index

    def sample(self, target: float) -> float | None:
        """A period is over.

        Args:
            target: the return below which a period falls short.

        Returns:
            Its return; None while there is no equity.
        """
        if self.units is None:
            return None
        value = self.pending
        self.sampled = self.index
        if value is not None:
            self.returns.add(value, target)
        return value

    @property
    def pending(self) -> float | None:
        """The return since the end of the latest period; None while there is no equity."""
        return self.index / self.sampled - 1.0 if self.units is not None and self.sampled > 0 else None

    @property
    def fall(self) -> Decimal:
        """How far the profit is below its peak."""
        return self.peak - self.profit

    @property
    def fall_ratio(self) -> float | None:
        """How far the index is below its peak, as a part of it; None while there is no equity."""
        return None if self.units is None else max(0.0, 1.0 - self.index / self.peak_index)

    def _since_peak(self, at: float) -> float:
        return 0.0 if self.peak_at is None else max(0.0, at - self.peak_at)

    def recovery(self, now: float) -> float:
        """Seconds from the latest peak until it was reached again, or until `now` while it has not been."""
        return self._since_peak(now) if self.submerged else self.recovered

    def longest_recovery(self, now: float) -> float:
        """The longest such time, that of a drawdown that goes on included."""
        return max(self.longest, self.recovery(now))

"""The bot's own books: everything it saw and did, counted independently of telemetry so that the two can be compared."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakout_bot.positions import Trade

__all__ = ["Ledger"]

NOTHING = Decimal(0)


@dataclass
class Ledger:
    """Counts by the same keys that the metrics have as labels; money is Decimal and leaves as text."""

    candles: int = 0
    gaps: int = 0
    bad_ticks: int = 0
    candidates: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    signals: Counter[tuple[str, str]] = field(default_factory=Counter)
    signals_rejected: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    orders_acknowledged: int = 0
    orders_filled: int = 0
    orders_expired: int = 0
    orders_rejected: Counter[str] = field(default_factory=Counter)
    fills: int = 0
    trades: list[Trade] = field(default_factory=list)
    fees: Decimal = NOTHING
    realized: Decimal = NOTHING
    unrealized: Decimal = NOTHING
    value: Decimal = NOTHING
    peak: Decimal = NOTHING
    drawdown: Decimal = NOTHING
    worst_drawdown: Decimal = NOTHING
    exposure: Decimal = NOTHING
    positions_open: int = 0
    orders_open: int = 0
    mismatch: Decimal = NOTHING
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def count(self, what: str, *labels: str) -> None:
        """One more of `what`, among those of the same labels."""
        self.counts[what, *labels] += 1

    def counted(self, what: str) -> dict[str, int]:
        """How many of `what` there were, by labels with a blank between them; by "" where it has none."""
        return {
            " ".join(labels): number
            for (counted, *labels), number in sorted(self.counts.items())
            if counted == what
        }

    def valued(self, value: Decimal) -> None:
        """The account is worth `value` now; drawdowns are parts of the highest value before."""
        self.value = value
        self.peak = max(self.peak, value)
        self.drawdown = 1 - value / self.peak
        self.worst_drawdown = max(self.worst_drawdown, self.drawdown)

    @property
    def wins(self) -> int:
        return sum(trade.profit_loss > 0 for trade in self.trades)

    @property
    def losses(self) -> int:
        return len(self.trades) - self.wins

    def as_dict(self) -> dict[str, Any]:
        """The ledger as plain JSON values."""
        signals: dict[str, dict[str, int]] = {}
        for (strategy, kind), number in sorted(self.signals.items()):
            signals.setdefault(strategy, {})[kind] = number
        return {
            "candles": self.candles,
            "gaps": self.gaps,
            "bad_ticks": self.bad_ticks,
            "candidates": self.candidates,
            "filtered": dict(sorted(self.filtered.items())),
            "signals": signals,
            "signals_rejected": dict(sorted(self.signals_rejected.items())),
            "orders": {
                "submitted": self.orders,
                "acknowledged": self.orders_acknowledged,
                "filled": self.orders_filled,
                "expired": self.orders_expired,
                "rejected": dict(sorted(self.orders_rejected.items())),
                "open": self.orders_open,
            },
            "fills": self.fills,
            "trades": {
                "closed": len(self.trades),
                "won": self.wins,
                "lost": self.losses,
                "profit_loss": str(sum((trade.profit_loss for trade in self.trades), NOTHING)),
                "by_strategy": {
                    name: self._trades_of(name) for name in sorted({t.strategy for t in self.trades})
                },
            },
            "account": {
                "realized": str(self.realized),
                "unrealized": str(self.unrealized),
                "fees": str(self.fees),
                "value": str(self.value),
                "drawdown": str(self.drawdown),
                "worst_drawdown": str(self.worst_drawdown),
                "exposure": str(self.exposure),
                "positions_open": self.positions_open,
                "mismatch": str(self.mismatch),
            },
            "counts": {what: self.counted(what) for what in sorted({what for what, *_ in self.counts})},
        }

    def _trades_of(self, strategy: str) -> dict[str, Any]:
        trades = [trade for trade in self.trades if trade.strategy == strategy]
        return {
            "closed": len(trades),
            "won": sum(trade.profit_loss > 0 for trade in trades),
            "profit_loss": str(sum((trade.profit_loss for trade in trades), NOTHING)),
            "r_multiple": sum(trade.r_multiple or 0.0 for trade in trades),
            "holding_seconds": sum(trade.closed_at - trade.opened_at for trade in trades),
        }

    def write(self, path: str | Path) -> None:
        """Write the ledger as JSON."""
        Path(path).write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")

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


@dataclass
class Ledger:
    """Counts by the same keys that the metrics have as labels; money is Decimal and leaves as text."""

    candles: int = 0
    gaps: int = 0
    bad_ticks: int = 0
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
    realized: Decimal = Decimal(0)
    unrealized: Decimal = Decimal(0)
    positions_open: int = 0
    orders_open: int = 0

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
                "profit_loss": str(sum((trade.profit_loss for trade in self.trades), Decimal(0))),
                "profit_loss_by_strategy": {
                    strategy: str(
                        sum((t.profit_loss for t in self.trades if t.strategy == strategy), Decimal(0))
                    )
                    for strategy in sorted({trade.strategy for trade in self.trades})
                },
            },
            "profit_loss": {"realized": str(self.realized), "unrealized": str(self.unrealized)},
            "positions_open": self.positions_open,
        }

    def write(self, path: str | Path) -> None:
        """Write the ledger as JSON."""
        Path(path).write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")

"""The trade store: closed trades in SQLite, each statement told to telemetry by OpenTelemetry's conventions for databases."""

from __future__ import annotations

import sqlite3
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakout_bot.ledger import Ledger
    from breakout_bot.positions import Trade
    from ticktrace.trading import Trading

__all__ = ["TradeStore"]

COLUMNS = (
    "strategy",
    "direction",
    "quantity",
    "entry_price",
    "exit_price",
    "profit_loss",
    "opened_at",
    "closed_at",
    "reason",
)


class TradeStore:
    """Closed trades in a file, or in memory. Amounts are text there, because SQLite has no decimals."""

    def __init__(self, path: str | Path, trading: Trading, ledger: Ledger) -> None:
        self._database = trading.database("sqlite", namespace=Path(path).name)
        self._ledger = ledger
        # Whoever lets go of the bot last closes it, and that may be another thread.
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._connection.close)
        self._execute("CREATE", f"CREATE TABLE IF NOT EXISTS trade ({', '.join(COLUMNS)})")

    def add(self, trade: Trade) -> None:
        """Keep a trade."""
        values = [getattr(trade, column) for column in COLUMNS]
        self._execute(
            "INSERT",
            "INSERT INTO trade VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [value if isinstance(value, str | float) else str(value) for value in values],
        )

    def trades(self, last: int = 100) -> list[dict[str, Any]]:
        """The latest trades, oldest first."""
        rows = self._execute(
            "SELECT",
            "SELECT * FROM (SELECT rowid, * FROM trade ORDER BY rowid DESC LIMIT ?) ORDER BY 1",
            [last],
        )
        return [dict(zip(COLUMNS, row[1:], strict=True)) for row in rows]

    def _execute(self, operation: str, statement: str, values: list[Any] | None = None) -> list[Any]:
        self._ledger.count("database_operations", operation)
        with self._database.operation(operation):
            return self._connection.execute(statement, values or ()).fetchall()

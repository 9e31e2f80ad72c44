"""What trading has earned: positions, trades, equity and every figure that is told from them."""

from ticktrace.trading.ledger.books import Names
from ticktrace.trading.ledger.config import LedgerConfig, Lots
from ticktrace.trading.ledger.history import CalendarResult, Sample
from ticktrace.trading.ledger.ledger import Ledger
from ticktrace.trading.ledger.report import (
    DrawdownFigures,
    ExposureFigures,
    Figures,
    OpenPosition,
    Report,
    ReturnFigures,
    TradeFigures,
)
from ticktrace.trading.ledger.trades import Trade

__all__ = [
    "CalendarResult",
    "DrawdownFigures",
    "ExposureFigures",
    "Figures",
    "Ledger",
    "LedgerConfig",
    "Lots",
    "Names",
    "OpenPosition",
    "Report",
    "ReturnFigures",
    "Sample",
    "Trade",
    "TradeFigures",
]

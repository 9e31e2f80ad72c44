"""What quantstats makes of returns and of results of trades: the file named first says of which, the answer is printed.

A process of its own, because the library brings 1,700 modules and warning filters of its own.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# By name: neither has type hints that are complete, and this file is checked strictly.
pd: Any = importlib.import_module("pandas")
stats: Any = importlib.import_module("quantstats.stats")


def series(values: list[float]) -> Any:
    """Values on days that follow each other; the library wants dates, and counts periods."""
    return pd.Series(values, index=pd.date_range("2000-01-01", periods=len(values), freq="D"), dtype=float)


def of_returns(values: list[float], periods: float, risk_free: float) -> dict[str, float]:
    returns = series(values)
    return {
        "total": stats.comp(returns),
        "annual": stats.cagr(returns, periods=periods),
        "sharpe": stats.sharpe(returns, rf=risk_free, periods=periods),
        "sortino": stats.sortino(returns, rf=risk_free, periods=periods),
        "volatility": stats.volatility(returns, periods=periods, prepare_returns=False),
        "max_drawdown": stats.max_drawdown(returns),
    }


def of_trades(values: list[float]) -> dict[str, float]:
    results = series(values)
    return {
        "win_rate": stats.win_rate(results, prepare_returns=False),
        "average_win": stats.avg_win(results, prepare_returns=False),
        "average_loss": stats.avg_loss(results, prepare_returns=False),
        "profit_factor": stats.profit_factor(results, prepare_returns=False),
        "win_streak": stats.consecutive_wins(results, prepare_returns=False),
        "loss_streak": stats.consecutive_losses(results, prepare_returns=False),
        "best": stats.best(results, prepare_returns=False),
        "worst": stats.worst(results, prepare_returns=False),
    }


def main(path: str) -> None:
    asked = json.loads(Path(path).read_text(encoding="utf-8"))
    figures = {
        "returns": {name: of_returns(**returns) for name, returns in asked["returns"].items()},
        "trades": {name: of_trades(trades) for name, trades in asked["trades"].items()},
    }
    print(json.dumps(figures, default=float))


if __name__ == "__main__":
    main(sys.argv[1])

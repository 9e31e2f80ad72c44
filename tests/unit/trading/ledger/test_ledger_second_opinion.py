"""The ledger's figures on real candles are those of an independent library, and of plain books."""

from __future__ import annotations

import importlib.util
import json
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from support.programs import run_program
from support.trading_history import PlainBooks, orders_of, real_bars
from ticktrace.trading.ledger import Ledger, LedgerConfig, Report

if TYPE_CHECKING:
    from pathlib import Path

CAPITAL = 20_000
RISK_FREE = 0.03
PERIODS = {"1m": (60, 525_600.0), "1h": (3_600, 8_760.0), "1d": (86_400, 365.0)}
EXACT = 1e-9


class Run:
    """A history in ledgers that sample by each period, in plain books, and what the library makes of the latter."""

    def __init__(self, folder: Path) -> None:
        bars = real_bars("btc_perp_1m_20220119_20220125.csv", 60)
        assert len(bars) == 10_080
        ledgers = {
            period: Ledger(LedgerConfig(capital=CAPITAL, period=period, risk_free=RISK_FREE))
            for period in PERIODS
        }
        self.plain = PlainBooks(float(CAPITAL))
        closing = [float(CAPITAL)]  # equity after each bar, its fills included
        for bar, fills in zip(bars, orders_of(bars), strict=True):
            self.plain.mark(bar.close)
            for ledger in ledgers.values():
                ledger.mark("BTC", bar.close, bar.at)
            for fill in fills:
                self.plain.fill(fill)
                for ledger in ledgers.values():
                    ledger.fill(
                        symbol="BTC",
                        side="buy" if fill.units > 0 else "sell",
                        price=fill.price,
                        quantity=abs(fill.units),
                        fee=fill.fee,
                        at=bar.at,
                        strategy=fill.strategy,
                    )
            closing.append(self.plain.equity[-1])
        self.reports: dict[str, Report] = {
            period: ledger.report(bars[-1].at) for period, ledger in ledgers.items()
        }
        sampled = {
            period: {
                "values": changes(closing[:: seconds // 60]),
                "periods": a_year,
                "risk_free": RISK_FREE,
            }
            for period, (seconds, a_year) in PERIODS.items()
        }
        events = {"values": changes(self.plain.equity), "periods": 1, "risk_free": 0}
        trades = dict(self.plain.trades)
        asked = folder / "asked.json"
        asked.write_text(json.dumps({"returns": {**sampled, "events": events}, "trades": trades}))
        self.told: dict[str, Any] = json.loads(run_program("independent_figures.py", asked).stdout)


def changes(equity: list[float]) -> list[float]:
    return [after / before - 1 for before, after in pairwise(equity)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    if importlib.util.find_spec("quantstats") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("quantstats is not installed", pytrace=False)
        pytest.skip("quantstats is not installed; it is in the dependency group `test`")
    return Run(tmp_path_factory.mktemp("figures"))


def same(told: float) -> Any:
    return pytest.approx(told, rel=EXACT, abs=0)


def test_the_history_has_everything_that_makes_books_hard(run: Run) -> None:
    trades = run.reports["1m"].trades
    assert {trade.side for trade in trades} == {"long", "short"}
    assert {trade.strategy for trade in trades} == {"breakout", "reversion"}
    assert max(trade.fills for trade in trades) > 4
    assert len(trades) > 100
    # Through zero: a trade that begins with the fill that ended another.
    own = [trade for trade in trades if trade.strategy == "breakout"]
    assert any(before.closed_at == after.opened_at for before, after in pairwise(own))


@pytest.mark.parametrize("period", PERIODS)
def test_profit_and_return_are_the_librarys(run: Run, period: str) -> None:
    account, told = run.reports[period].account, run.told["returns"][period]
    assert float(account.profit_loss) == same(CAPITAL * told["total"])
    assert float(account.value) == same(run.plain.equity[-1])
    assert account.returns.total == same(told["total"])
    assert account.returns.annual == same(told["annual"])
    assert account.profit_loss == account.realized + account.unrealized


@pytest.mark.parametrize("period", PERIODS)
def test_sharpe_and_sortino_are_the_librarys(run: Run, period: str) -> None:
    returns, told = run.reports[period].account.returns, run.told["returns"][period]
    assert returns.periods == 7 * 86_400 // PERIODS[period][0]
    assert returns.sharpe == same(told["sharpe"])
    assert returns.sortino == same(told["sortino"])
    assert returns.volatility == same(told["volatility"])


def test_the_worst_drawdown_is_the_librarys(run: Run) -> None:
    """Of equity after each event, which is when the ledger looks."""
    drawdown = run.reports["1h"].account.drawdown
    assert drawdown.worst_ratio == same(-run.told["returns"]["events"]["max_drawdown"])
    peak = worst = 0.0
    for equity in run.plain.equity:
        peak = max(peak, equity)
        worst = max(worst, peak - equity)
    assert float(drawdown.worst_amount) == same(worst)
    assert float(drawdown.amount) == same(peak - run.plain.equity[-1])


def test_calmar_is_the_librarys_annual_return_over_its_drawdown(run: Run) -> None:
    told = run.told["returns"]
    calmar = told["1h"]["annual"] / -told["events"]["max_drawdown"]
    assert run.reports["1h"].account.returns.calmar == same(calmar)


@pytest.mark.parametrize("strategy", ["breakout", "reversion"])
def test_figures_of_trades_are_the_librarys(run: Run, strategy: str) -> None:
    trades, told = run.reports["1h"].strategies[strategy].trades, run.told["trades"][strategy]
    assert trades.count == len(run.plain.trades[strategy])
    assert trades.even == 0  # the library leaves these out of its win rate, the ledger does not
    assert trades.win_rate == same(told["win_rate"])
    assert trades.profit_factor == same(told["profit_factor"])
    assert trades.longest_win_streak == told["win_streak"]
    assert trades.longest_loss_streak == told["loss_streak"]
    for figure in ("average_win", "average_loss", "best", "worst"):
        assert float(getattr(trades, figure)) == same(told[figure]), figure


@pytest.mark.parametrize("strategy", ["breakout", "reversion"])
def test_each_trade_is_the_one_of_the_plain_books(run: Run, strategy: str) -> None:
    trades = [trade for trade in run.reports["1h"].trades if trade.strategy == strategy]
    assert [float(trade.profit_loss) for trade in trades] == [
        pytest.approx(result, rel=EXACT, abs=1e-8) for result in run.plain.trades[strategy]
    ]

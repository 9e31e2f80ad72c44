"""What the books say, as the catalog's instruments."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypedDict

from ticktrace import semconv
from ticktrace.trading._figures import result_labels
from ticktrace.trading.checks import finite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.checks import Number
    from ticktrace.trading.ledger.report import Figures, Report
    from ticktrace.trading.ledger.trades import Trade

__all__ = ["PerformanceInstruments", "ToldFigures"]


class ToldFigures(TypedDict, total=False):
    """Running figures of a bot that has books of its own. Amounts are in the account's currency; definitions are the ledger's.

    Attributes:
        realized, unrealized: profit and loss of closed positions since the start, fees deducted, and of open ones.
        daily, monthly: profit and loss since midnight, and since the first of the month.
        value: portfolio value.
        win_rate: share of winning among closed trades, 0 to 1.
        average_win, average_loss: mean results; the latter negative.
        profit_factor: gross profit over gross loss.
        sharpe_ratio: annualised.
        drawdown_ratio, max_drawdown_ratio: fall from the highest value, 0 to 1, now and at worst.
        recovery_seconds: from the latest peak until it was reached again, or until now.
        win_streak, loss_streak: trades in a row.
        best_trade, worst_trade: results.
        trades_per_hour, trades_per_day: closed within the last hour and the last 24.
    """

    realized: Number | None
    unrealized: Number | None
    daily: Number | None
    monthly: Number | None
    value: Number | None
    win_rate: float | None
    average_win: Number | None
    average_loss: Number | None
    profit_factor: float | None
    sharpe_ratio: float | None
    drawdown_ratio: float | None
    max_drawdown_ratio: float | None
    recovery_seconds: float | None
    win_streak: int | None
    loss_streak: int | None
    best_trade: Number | None
    worst_trade: Number | None
    trades_per_hour: int | None
    trades_per_day: int | None


# Each gauge of the account and of strategies: as it is told, and where it is among the ledger's figures.
_GAUGES: dict[str, tuple[str, Callable[[Figures], Any]]] = {
    name: (told, attrgetter(path))
    for name, told, path in (
        ("pnl.realized", "realized", "realized"),
        ("pnl.unrealized", "unrealized", "unrealized"),
        ("pnl.daily", "daily", "daily"),
        ("pnl.monthly", "monthly", "monthly"),
        ("portfolio.value", "value", "value"),
        ("win_rate", "win_rate", "trades.win_rate"),
        ("average_win", "average_win", "trades.average_win"),
        ("average_loss", "average_loss", "trades.average_loss"),
        ("profit_factor", "profit_factor", "trades.profit_factor"),
        ("sharpe_ratio", "sharpe_ratio", "returns.sharpe"),
        ("drawdown.ratio", "drawdown_ratio", "drawdown.ratio"),
        ("drawdown.max_ratio", "max_drawdown_ratio", "drawdown.worst_ratio"),
        ("recovery.duration", "recovery_seconds", "drawdown.recovery_seconds"),
        ("win_streak", "win_streak", "trades.win_streak"),
        ("loss_streak", "loss_streak", "trades.loss_streak"),
        ("best_trade", "best_trade", "trades.best"),
        ("worst_trade", "worst_trade", "trades.worst"),
        ("trades.per_hour", "trades_per_hour", "trades.per_hour"),
        ("trades.per_day", "trades_per_day", "trades.per_day"),
    )
}
_SYMBOL_GAUGES = ("pnl.realized", "pnl.unrealized", "win_rate")  # each is a series for every symbol


class PerformanceInstruments:
    """The instruments of the catalog's group "performance", and the two of a strategy's results."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def show(self, report: Report) -> None:
        """Set every gauge to what the books say; a figure that cannot be told is left as it was."""
        self._show(report.account, {})
        for name, figures in report.strategies.items():
            labels = {semconv.STRATEGY_NAME: name}
            self._show(figures, labels)
            self._set("strategy.win_rate", figures.trades.win_rate, labels)
            self._set("strategy.profit_loss", figures.profit_loss, labels)
        for name, figures in report.symbols.items():
            labels = {semconv.SYMBOL: name}
            for gauge in _SYMBOL_GAUGES:
                self._set(gauge, _GAUGES[gauge][1](figures), labels)

    def _show(self, figures: Figures, labels: Mapping[str, str]) -> None:
        for name, (_, find) in _GAUGES.items():
            self._set(name, find(figures), labels)

    def _set(self, name: str, value: Number | None, labels: Mapping[str, str]) -> None:
        if value is not None:
            self._recorder.gauge(name, labels).set(float(value))

    def tell(self, told: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        """Set the gauges of `ToldFigures`; what is no finite number is said and left out."""
        for name, (word, _) in _GAUGES.items():
            self._set(name, finite(told.get(word)), labels)
        realized = finite(told.get("realized"))
        if semconv.STRATEGY_NAME in labels:
            self._set("strategy.win_rate", finite(told.get("win_rate")), labels)
            if realized is not None:
                self._set("strategy.profit_loss", realized + (finite(told.get("unrealized")) or 0.0), labels)

    def closed(self, trade: Trade) -> None:
        """A trade was closed."""
        labels = result_labels(
            self._recorder.words,
            symbol=trade.symbol or None,
            strategy=trade.strategy or None,
            venue=trade.venue or None,
        )
        self.trade(labels, float(trade.profit_loss), trade.holding_seconds, trade.r_multiple)

    def trade(
        self,
        labels: Mapping[str, str],
        profit_loss: float | None,
        holding_seconds: float | None,
        r_multiple: float | None,
    ) -> None:
        """A trade was closed: what it brought, how long it was held in s, and the multiple of its risk."""
        for name, value in (
            ("trade.profit_loss", profit_loss),
            ("position.holding.duration", holding_seconds),
            ("r_multiple", r_multiple),
        ):
            if value is not None:
                self._recorder.histogram(name, labels).record(value)

"""How the bot performs: set by whoever keeps the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import contained
from ticktrace.trading.checks import Number, finite

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder

__all__ = ["Performance"]


class Performance:
    """Profit and loss as the bot's own ledger has them; reached as `Trading.performance`.

    Amounts are in the account's currency; each call sets what it is given and leaves the rest as it was.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @contained(None)
    def trade_closed(
        self,
        *,
        profit_loss: Number,
        strategy: str,
        symbol: str | None = None,
        venue: str | None = None,
        holding_seconds: float | None = None,
        r_multiple: float | None = None,
    ) -> None:
        """A round trip is over.

        Args:
            profit_loss: what it brought, fees deducted; negative for a loss.
            strategy: whose trade it was.
            symbol: what was traded.
            venue: where.
            holding_seconds: from the first fill to the last.
            r_multiple: profit or loss in units of the risk taken at entry.
        """
        recorder = self._recorder
        labels: dict[str, Any] = {semconv.STRATEGY_NAME: recorder.words.strategies.label(strategy)}
        if symbol is not None:
            labels[semconv.SYMBOL] = recorder.words.symbols.label(symbol)
        if venue is not None:
            labels[semconv.VENUE] = recorder.words.venues.label(venue)
        recorder.histogram("trade.profit_loss", labels).record(float(profit_loss))
        if holding_seconds is not None:
            recorder.histogram("position.holding.duration", labels).record(holding_seconds)
        if r_multiple is not None:
            recorder.histogram("r_multiple", labels).record(r_multiple)

    @contained(None)
    def update(
        self,
        *,
        strategy: str | None = None,
        realized: Number | None = None,
        unrealized: Number | None = None,
        value: Number | None = None,
        drawdown_ratio: float | None = None,
        max_drawdown_ratio: float | None = None,
        win_rate: float | None = None,
        profit_factor: float | None = None,
    ) -> None:
        """Set the running figures, of the whole account or of one strategy.

        Args:
            strategy: whose figures these are; the account's when left out.
            realized: profit and loss of closed positions since the start, fees deducted.
            unrealized: profit and loss of open positions at the current mark.
            value: portfolio value.
            drawdown_ratio: fall from the highest value, 0 to 1.
            max_drawdown_ratio: the worst such fall, 0 to 1.
            win_rate: share of winning among closed trades, 0 to 1.
            profit_factor: gross profit over gross loss.
        """
        labels = (
            {}
            if strategy is None
            else {semconv.STRATEGY_NAME: self._recorder.words.strategies.label(strategy)}
        )
        for name, figure in (
            ("pnl.realized", realized),
            ("pnl.unrealized", unrealized),
            ("portfolio.value", value),
            ("drawdown.ratio", drawdown_ratio),
            ("drawdown.max_ratio", max_drawdown_ratio),
            ("win_rate", win_rate),
            ("profit_factor", profit_factor),
        ):
            value_now = finite(figure)
            if value_now is not None:
                self._recorder.gauge(name, labels).set(value_now)

"""The account: orders at work, positions, money. What the exchange reports comes in here; candles value what is open."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from breakout_bot.exchange import Fill
from breakout_bot.positions import PositionBook

if TYPE_CHECKING:
    from breakout_bot.events import OrderPlaced, OrderWanted
    from breakout_bot.exchange import Report
    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger
    from breakout_bot.market import Market
    from breakout_bot.positions import Trade
    from breakout_bot.risk import RiskDesk
    from breakout_bot.store import TradeStore
    from ticktrace import Telemetry

__all__ = ["Account"]


@dataclass(slots=True)
class _Working:
    """An order the exchange has taken and not finished."""

    wanted: OrderWanted
    acknowledged_at: float


class Account:
    """Books fills and values positions; what it books is told to `trading` as it happens."""

    def __init__(
        self,
        market: Market,
        equity: Decimal,
        *,
        risk: RiskDesk,
        store: TradeStore,
        ledger: Ledger,
        latencies: Latencies,
        telemetry: Telemetry,
    ) -> None:
        self.book = PositionBook()
        self.entering: set[str] = set()
        self.leaving: set[str] = set()
        self._venue, self._symbol = market.venue, market.symbol
        self._started_with = equity
        self._price, self._priced_at = Decimal(0), 0.0
        self._working: dict[str, _Working] = {}
        self._early: dict[str, list[Report]] = {}
        self._risk = risk
        self._store = store
        self._ledger = ledger
        self._latencies = latencies
        self._telemetry = telemetry
        self._trading = telemetry.trading
        self._orders = telemetry.gauge("trading.engine.orders.open", venue=market.venue)
        # ticktrace keeps books, too: fed by the fills that orders are told of, and by a mark for each candle.
        self._trading.performance.configure(capital=equity, period="1h")
        self._trading.performance.follow_orders()
        ledger.valued(equity)

    # --- orders ----------------------------------------------------------------------------------------------------

    def wants(self, wanted: OrderWanted) -> None:
        """An order is on its way; until it is over, its strategy wants no other of that kind."""
        if wanted.exit_reason is not None:
            self.leaving.add(wanted.strategy)
            return
        self.entering.add(wanted.strategy)
        # What is at risk is known now; the fills, which come without it, are booked against this stop.
        self._trading.performance.plan(
            symbol=self._symbol, strategy=wanted.strategy, venue=self._venue, stop=wanted.stop
        )

    def placed(self, placed: OrderPlaced) -> None:
        """The exchange has taken an order."""
        self._working[placed.order_id] = _Working(placed.wanted, placed.acknowledged_at)
        self._count_orders()
        # A fill can overtake the answer to its own order; it has waited here for us to learn the order's id.
        for report in self._early.pop(placed.order_id, ()):
            self.reported(report)

    def reported(self, report: Report) -> None:
        """The exchange says what became of an order."""
        working = self._working.get(report.order_id)
        if working is None:
            self._early.setdefault(report.order_id, []).append(report)
        elif isinstance(report, Fill):
            self._on_fill(report, working)
        else:
            self._trading.order_expired(report.order_id)
            self._ledger.orders_expired += 1
            self._close(report.order_id, working.wanted)

    def over(self, wanted: OrderWanted) -> None:
        """The order is over, one way or another: the strategy may act again."""
        (self.entering if wanted.exit_reason is None else self.leaving).discard(wanted.strategy)

    def _on_fill(self, fill: Fill, working: _Working) -> None:
        wanted, ledger = working.wanted, self._ledger
        # The fill comes from the exchange, outside any span of ours: ticktrace links it to its order by the id.
        self._trading.fill(fill.order_id, price=fill.price, quantity=fill.quantity, fee=fill.fee, at=fill.at)
        ledger.fills += 1
        ledger.fees += fill.fee
        self._latencies.fill.append(fill.at - working.acknowledged_at)
        trade: Trade | None = None
        if wanted.exit_reason is None:
            self.book.entered(
                wanted.strategy,
                wanted.direction,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
                at=fill.at,
                stop=wanted.stop,
                target=wanted.target,
            )
        else:
            trade = self.book.exited(
                wanted.strategy,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
                at=fill.at,
                reason=wanted.exit_reason,
            )
        position = self.book.open.get(wanted.strategy)
        self._trading.positions.update(
            self._symbol,
            position.signed if position else 0,
            price=fill.price,
            venue=self._venue,
            strategy=wanted.strategy,
        )
        ledger.positions_open = len(self.book.open)
        if fill.last:
            ledger.orders_filled += 1
            self._close(fill.order_id, wanted)
        if trade is not None:
            self._risk.closed(trade)
            self._store.add(trade)
            ledger.trades.append(trade)
        self._value(fill.price, fill.at)

    def _close(self, order_id: str, wanted: OrderWanted) -> None:
        del self._working[order_id]
        self._count_orders()
        self.over(wanted)

    def _count_orders(self) -> None:
        self._ledger.orders_open = len(self._working)
        self._orders.set(len(self._working))

    # --- money -----------------------------------------------------------------------------------------------------

    def mark(self, price: Decimal, at: float) -> None:
        """The market is at this price, which is what positions are worth from now on."""
        self._trading.performance.mark(self._symbol, price, at=at, venue=self._venue)
        self._value(price, at)

    def _value(self, price: Decimal, at: float) -> None:
        """Value the account at the newest price, be it a candle's or a fill's."""
        if at >= self._priced_at:
            self._price, self._priced_at = price, at
        ledger, book = self._ledger, self.book
        ledger.realized, ledger.unrealized = book.realized, book.unrealized(self._price)
        ledger.valued(self._started_with + ledger.realized + ledger.unrealized)
        if book.open or ledger.exposure:
            held = sum(position.quantity for position in book.open.values())
            ledger.exposure = held * self._price / ledger.value if held else Decimal(0)
            self._trading.positions.set_exposure(float(ledger.exposure))

    def compare(self, theirs: Decimal) -> None:
        """Hold what we think that we have against what the exchange has."""
        self._trading.positions.reconcile({self._symbol: theirs}, venue=self._venue)
        ours = sum((position.signed for position in self.book.open.values()), Decimal(0))
        self._ledger.mismatch = ours - theirs
        self._ledger.count("reconciliations")
        if self._ledger.mismatch:
            self._telemetry.error(
                f"we have {ours}, the exchange says {theirs}",
                component="account",
                error_type="position_mismatch",
                severity="critical",
            )
            self._ledger.count("errors", "account", "position_mismatch")
            self._ledger.count("critical_errors", "account", "position_mismatch")

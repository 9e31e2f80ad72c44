"""The engine: one candle in, decisions out. This is the file to read to see what ticktrace looks like in use."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from breakout_bot.events import CandleClosed, OrderPlaced, OrderRefused, OrderWanted
from breakout_bot.exchange import Expiry, Fill
from breakout_bot.indicators import Window
from breakout_bot.market import is_bad_tick
from breakout_bot.positions import PositionBook
from breakout_bot.risk import Limits, RiskDesk
from breakout_bot.scanner import Filters, scan
from breakout_bot.strategies import Momentum, Retest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from breakout_bot.bus import Bus
    from breakout_bot.exchange import Report
    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger
    from breakout_bot.market import Candle, Market
    from breakout_bot.money import MarketRules
    from breakout_bot.positions import Position, Trade
    from breakout_bot.strategies import Setup, Strategy
    from ticktrace import trading as ticktrace_trading

__all__ = ["TRANSITIONS", "Engine", "State"]

State = Literal["idle", "scanning", "signal_wait", "managing"]
TRANSITIONS: Mapping[str, tuple[State, ...]] = {
    "idle": ("scanning", "signal_wait", "managing"),
    "scanning": ("idle", "signal_wait", "managing"),
    "signal_wait": ("idle", "scanning", "managing"),
    "managing": ("idle", "scanning", "signal_wait"),
}
MAX_BARS = 90  # a breakout that has gone nowhere for this long is not one


@dataclass(slots=True)
class _Working:
    """An order the exchange has taken and not finished."""

    wanted: OrderWanted
    acknowledged_at: float


class Engine:
    """Decides on candles and books fills; everything it does is told to `trading` as it happens."""

    def __init__(
        self,
        market: Market,
        rules: MarketRules,
        equity: Decimal,
        *,
        bus: Bus,
        ledger: Ledger,
        latencies: Latencies,
        trading: ticktrace_trading.Trading,
        strategies: Sequence[Strategy] | None = None,
        filters: Filters | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.state: State = "idle"
        self.book = PositionBook()
        self.risk = RiskDesk(limits or Limits(), equity)
        self._step = market.step
        self._rules = rules
        self._bus = bus
        self._ledger = ledger
        self._latencies = latencies
        self._strategies = strategies or (Momentum(), Retest())
        self._filters = filters or Filters()
        self._window = Window()
        self._last_open: int | None = None
        self._last_close: float | None = None
        self._working: dict[str, _Working] = {}
        self._early: dict[str, list[Report]] = {}
        self._entering: set[str] = set()
        self._leaving: set[str] = set()
        self._peak = equity
        self._trading = trading
        # Labels are resolved once, here, and not on every candle.
        self._market = trading.market(venue=market.venue, symbol=market.symbol, timeframe=market.timeframe)
        self._scanner = trading.scanner("breakout")
        self._observed = trading.engine(states=tuple(TRANSITIONS), initial="idle", transitions=TRANSITIONS)

    @property
    def orders_open(self) -> int:
        return len(self._working)

    async def handle(self, event: object) -> None:
        """Take an event from the bus."""
        match event:
            case CandleClosed(candle):
                self._on_candle(candle)
            case OrderPlaced():
                self._on_placed(event)
            case OrderRefused():
                self._finish(event.wanted)
            case Fill() | Expiry():
                self._on_report(event)
            case _:
                raise TypeError(f"the engine cannot handle {type(event).__name__}")

    def start(self) -> None:
        if self.state == "idle":
            self._enter("scanning", "started")

    def stop(self) -> None:
        self._enter("idle", "stopped")

    # --- candles ---------------------------------------------------------------------------------------------------

    def _on_candle(self, candle: Candle) -> None:
        began = time.perf_counter()
        after_gap = self._last_open is not None and candle.open_time - self._last_open > self._step
        self._last_open = candle.open_time
        self._ledger.candles += 1
        self._ledger.gaps += after_gap
        with (
            self._observed.cycle(),
            self._market.candle(open_time=candle.open_time, close_time=candle.close_time) as observed,
        ):
            if is_bad_tick(candle, self._last_close):
                self._ledger.bad_ticks += 1
                observed.span.set_attribute("breakout_bot.bad_tick", True)
            else:
                self._last_close = candle.close
                with self._market.buffer_update():
                    self._window.add(candle, after_gap=after_gap)
                for strategy in self._strategies:
                    strategy.observe(self._window)
                self._decide(candle, observed)
        self._value()
        self._latencies.candle.append(time.perf_counter() - began)

    def _decide(self, candle: Candle, observed: ticktrace_trading.Candle) -> None:
        for position in tuple(self.book.open.values()):
            position.bars += 1
            if position.strategy not in self._leaving:
                self._look_for_exit(position, candle, observed)
        candidate = self._scan()
        if candidate:
            for strategy in self._strategies:
                if strategy.name not in self.book.open and strategy.name not in self._entering:
                    self._look_for_entry(strategy, candle, observed)
        if self.book.open or self._entering:
            self._enter("managing", "a position is open or on its way")
        elif candidate:
            self._enter("signal_wait", "every filter passed")
        else:
            self._enter("scanning", "a filter failed")

    def _scan(self) -> bool:
        verdicts = scan(self._window, self._filters)
        with self._scanner.scan() as seen:
            seen.scanned(1)
            for verdict in verdicts:
                if not verdict.holds:
                    seen.filtered(verdict.name, 1)
                    self._ledger.filtered[verdict.name] += 1
            passed = all(verdict.holds for verdict in verdicts)
            seen.candidates(int(passed))
        return passed

    def _look_for_entry(self, strategy: Strategy, candle: Candle, observed: ticktrace_trading.Candle) -> None:
        began = time.perf_counter()
        with observed.signal(strategy.name) as signal:
            setup = strategy.evaluate(self._window)
            for condition in setup.conditions:
                signal.check(
                    condition.name,
                    value=condition.value,
                    threshold=condition.threshold,
                    comparison=condition.comparison,
                )
            if all(condition.holds for condition in setup.conditions):
                entry = self._rules.price(setup.entry)
                signal.emit(setup.direction, confidence=setup.confidence, price=entry)
                self._ledger.signals[strategy.name, setup.direction] += 1
                self._weigh(setup, entry, candle, signal)
        self._latencies.signal.append(time.perf_counter() - began)

    def _weigh(self, setup: Setup, entry: Decimal, candle: Candle, signal: ticktrace_trading.Signal) -> None:
        """Ask the risk desk; what passes becomes an order."""
        quantity = self.risk.position_size(entry, self._rules.price(setup.stop), self._rules)
        checks = self.risk.checks(
            setup.strategy,
            now=candle.closed_at,
            open_positions=len(self.book.open.keys() | self._entering),
            size=quantity,
        )
        for check in checks:
            self._trading.risk.check(check.rule, check.passed)
        denied = next((check for check in checks if not check.passed), None)
        if denied is not None:
            signal.reject(denied.denial, denied.message)
            self._ledger.signals_rejected[denied.denial] += 1
            return
        self._entering.add(setup.strategy)
        self._bus.publish(
            "execution",
            OrderWanted(
                signal,
                setup.strategy,
                setup.direction,
                side="buy" if setup.direction == "long" else "sell",
                order_type=setup.order_type,
                quantity=quantity,
                expected_price=entry,
                limit_price=entry if setup.order_type == "limit" else None,
                stop=setup.stop,
                target=setup.target,
            ),
        )

    def _look_for_exit(self, position: Position, candle: Candle, observed: ticktrace_trading.Candle) -> None:
        with observed.signal(position.strategy) as signal:
            conditions = position.exit_conditions(candle, MAX_BARS)
            for _, condition in conditions:
                signal.check(
                    condition.name,
                    value=condition.value,
                    threshold=condition.threshold,
                    comparison=condition.comparison,
                )
            reason = next((reason for reason, condition in conditions if condition.holds), None)
            if reason is None:
                return
            price = self._rules.price(candle.close)
            kind = "exit_long" if position.direction == "long" else "exit_short"
            signal.emit(kind, confidence=1.0, price=price)
            self._ledger.signals[position.strategy, kind] += 1
            self._leaving.add(position.strategy)
            self._bus.publish(
                "execution",
                OrderWanted(
                    signal,
                    position.strategy,
                    position.direction,
                    side="sell" if position.direction == "long" else "buy",
                    order_type="market",
                    quantity=position.quantity,
                    expected_price=price,
                    exit_reason=reason,
                ),
            )

    # --- orders ----------------------------------------------------------------------------------------------------

    def _on_placed(self, placed: OrderPlaced) -> None:
        self._working[placed.order_id] = _Working(placed.wanted, placed.acknowledged_at)
        # A fill can overtake the answer to its own order; it has waited here for us to learn the order's id.
        for report in self._early.pop(placed.order_id, ()):
            self._on_report(report)

    def _on_report(self, report: Report) -> None:
        working = self._working.get(report.order_id)
        if working is None:
            self._early.setdefault(report.order_id, []).append(report)
        elif isinstance(report, Fill):
            self._on_fill(report, working)
        else:
            self._trading.order_expired(report.order_id)
            self._ledger.orders_expired += 1
            self._close(report.order_id, working.wanted)

    def _on_fill(self, fill: Fill, working: _Working) -> None:
        wanted = working.wanted
        # The fill comes from the exchange, outside any span of ours: ticktrace links it to its order by the id.
        self._trading.fill(fill.order_id, price=fill.price, quantity=fill.quantity, fee=fill.fee, at=fill.at)
        self._ledger.fills += 1
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
        if fill.last:
            self._ledger.orders_filled += 1
            self._close(fill.order_id, wanted)
        if trade is not None:
            self._on_trade(trade)
        self._value()

    def _on_trade(self, trade: Trade) -> None:
        self.risk.closed(trade)
        self._ledger.trades.append(trade)
        self._trading.performance.trade_closed(
            profit_loss=trade.profit_loss,
            strategy=trade.strategy,
            symbol=self._market.symbol,
            venue=self._market.venue,
            holding_seconds=trade.closed_at - trade.opened_at,
        )

    def _close(self, order_id: str, wanted: OrderWanted) -> None:
        del self._working[order_id]
        self._finish(wanted)

    def _finish(self, wanted: OrderWanted) -> None:
        """The order is over, one way or another: the strategy may act again."""
        (self._entering if wanted.exit_reason is None else self._leaving).discard(wanted.strategy)

    # --- state -----------------------------------------------------------------------------------------------------

    def _enter(self, state: State, reason: str) -> None:
        if state != self.state:
            self._observed.transition(state, reason=reason)
            self.state = state

    def _value(self) -> None:
        """Mark the account to market."""
        if self._last_close is None:
            return
        price = self._rules.price(self._last_close)
        ledger = self._ledger
        ledger.realized, ledger.unrealized = self.book.realized, self.book.unrealized(price)
        ledger.positions_open, ledger.orders_open = len(self.book.open), len(self._working)
        value = self.risk.equity + ledger.unrealized
        self._peak = max(self._peak, value)
        self._trading.performance.update(
            realized=ledger.realized,
            unrealized=ledger.unrealized,
            value=value,
            drawdown_ratio=float(1 - value / self._peak),
        )
        self._observed.positions_open(ledger.positions_open)
        self._observed.orders_open(ledger.orders_open)

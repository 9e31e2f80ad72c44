"""The engine: one candle in, decisions out. This is the file to read to see what ticktrace looks like in use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from breakout_bot.events import (
    CandleClosed,
    OrderPlaced,
    OrderRefused,
    OrderWanted,
    PositionAsked,
    PositionTold,
)
from breakout_bot.exchange import Expiry, Fill
from breakout_bot.indicators import Window
from breakout_bot.market import is_bad_tick
from breakout_bot.scanner import Filters, scan
from breakout_bot.strategies import Momentum, Retest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from breakout_bot.account import Account
    from breakout_bot.bus import Bus
    from breakout_bot.conditions import Condition
    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger
    from breakout_bot.market import Candle, Market
    from breakout_bot.money import MarketRules
    from breakout_bot.positions import Position
    from breakout_bot.risk import RiskCheck, RiskDesk
    from breakout_bot.sentiment import SentimentDesk
    from breakout_bot.strategies import Setup, Strategy
    from ticktrace import Telemetry
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
COMPARE_EVERY = 3_600_000  # ms of market time between two looks at what the exchange says that we hold


class Engine:
    """Decides on candles; everything it does is told to `trading` as it happens."""

    def __init__(
        self,
        market: Market,
        rules: MarketRules,
        account: Account,
        risk: RiskDesk,
        sentiment: SentimentDesk,
        *,
        bus: Bus,
        ledger: Ledger,
        latencies: Latencies,
        telemetry: Telemetry,
        strategies: Sequence[Strategy] | None = None,
        filters: Filters | None = None,
    ) -> None:
        self.state: State = "idle"
        self._step = market.step
        self._rules = rules
        self._account = account
        self._risk = risk
        self._sentiment = sentiment
        self._bus = bus
        self._ledger = ledger
        self._latencies = latencies
        self._strategies = strategies or (Momentum(), Retest())
        self._filters = filters or Filters()
        self._window = Window()
        self._last_open: int | None = None
        self._last_close: float | None = None
        self._compared = -1
        self._telemetry = telemetry
        self._trading = trading = telemetry.trading
        # Labels are resolved once, here, and not on every candle.
        self._market = trading.market(venue=market.venue, symbol=market.symbol, timeframe=market.timeframe)
        self._scanner = trading.scanner("breakout", venue=market.venue)
        self._observed_strategies = [trading.strategy(strategy.name) for strategy in self._strategies]
        self._observed = trading.engine(states=tuple(TRANSITIONS), initial="idle", transitions=TRANSITIONS)

    async def handle(self, event: object) -> None:
        """Take an event from the bus."""
        match event:
            case CandleClosed(candle):
                self._on_candle(candle)
            case OrderPlaced():
                self._account.placed(event)
            case OrderRefused():
                self._account.over(event.wanted)
            case Fill() | Expiry():
                self._account.reported(event)
            case PositionTold(quantity):
                self._account.compare(quantity)
            case _:
                raise TypeError(f"the engine cannot handle {type(event).__name__}")

    def start(self) -> None:
        if self.state == "idle":
            self._enter("scanning", "started")
            for strategy in self._observed_strategies:
                strategy.activate()

    def stop(self) -> None:
        self._enter("idle", "stopped")
        for strategy in self._observed_strategies:
            strategy.deactivate()

    def heartbeat(self) -> None:
        """Say that the engine is alive although no candle comes."""
        self._observed.heartbeat()

    # --- candles ---------------------------------------------------------------------------------------------------

    def _on_candle(self, candle: Candle) -> None:
        began = time.perf_counter()
        after_gap = self._last_open is not None and candle.open_time - self._last_open > self._step
        self._last_open = candle.open_time
        self._ledger.candles += 1
        self._ledger.gaps += after_gap
        with (
            self._observed.cycle() as cycle,
            self._market.candle(open_time=candle.open_time, close_time=candle.close_time) as observed,
        ):
            if is_bad_tick(candle, self._last_close):
                self._ledger.bad_ticks += 1
                self._telemetry.error(
                    "the bar is not believed", component="feed", error_type="bad_tick", severity="warning"
                )
                self._ledger.count("errors", "feed", "bad_tick")
            else:
                self._last_close = candle.close
                with self._market.buffer_update():
                    self._window.add(candle, after_gap=after_gap)
                for strategy in self._strategies:
                    strategy.observe(self._window)
                self._account.mark(self._rules.price(candle.close), candle.closed_at)
                cycle.signals(self._decide(candle, observed))
        if candle.close_time // COMPARE_EVERY != self._compared:
            self._compared = candle.close_time // COMPARE_EVERY
            self._bus.publish("execution", PositionAsked())
        self._latencies.candle.append(time.perf_counter() - began)

    def _decide(self, candle: Candle, observed: ticktrace_trading.Candle) -> int:
        """Look for exits, then for entries; returns how many signals there were."""
        account, signals = self._account, 0
        for position in tuple(account.book.open.values()):
            position.bars += 1
            if position.strategy not in account.leaving:
                signals += self._look_for_exit(position, candle, observed)
        candidate = self._scan()
        if candidate:
            for strategy in self._strategies:
                if strategy.name not in account.book.open and strategy.name not in account.entering:
                    signals += self._look_for_entry(strategy, candle, observed)
        if account.book.open or account.entering:
            self._enter("managing", "a position is open or on its way")
        elif candidate:
            self._enter("signal_wait", "every filter passed")
        else:
            self._enter("scanning", "a filter failed")
        return signals

    def _scan(self) -> bool:
        verdicts = scan(self._window, self._filters)
        with self._scanner.scan() as seen:
            seen.scanned(1)
            for verdict in verdicts:
                seen.check(
                    verdict.name,
                    value=verdict.value,
                    threshold=verdict.threshold,
                    comparison=verdict.comparison,
                )
                self._ledger.count("checks", verdict.name)
                if not verdict.holds:
                    self._ledger.filtered[verdict.name] += 1
            passed = all(verdict.holds for verdict in verdicts)
            seen.candidates(int(passed))
        self._ledger.candidates += passed
        return passed

    # --- signals ---------------------------------------------------------------------------------------------------

    def _look_for_entry(self, strategy: Strategy, candle: Candle, observed: ticktrace_trading.Candle) -> bool:
        began = time.perf_counter()
        self._ledger.count("evaluations", strategy.name)
        with observed.signal(strategy.name) as signal:
            setup = strategy.evaluate(self._window)
            for condition in setup.conditions:
                self._check(signal, condition)
            found = all(condition.holds for condition in setup.conditions)
            if found:
                entry = self._rules.price(setup.entry)
                signal.emit(setup.direction, confidence=setup.confidence, price=entry)
                self._ledger.signals[strategy.name, setup.direction] += 1
                self._weigh(setup, entry, candle, signal)
        self._latencies.signal.append(time.perf_counter() - began)
        return found

    def _check(self, signal: ticktrace_trading.Signal, condition: Condition) -> None:
        signal.check(
            condition.name,
            value=condition.value,
            threshold=condition.threshold,
            comparison=condition.comparison,
        )
        self._ledger.count("checks", condition.name)

    def _weigh(self, setup: Setup, entry: Decimal, candle: Candle, signal: ticktrace_trading.Signal) -> None:
        """Ask the risk desk; what passes becomes an order."""
        mood = self._sentiment.score(candle.closed_at)
        quantity = self._risk.position_size(entry, self._rules.price(setup.stop), self._rules)
        checks = self._risk.checks(
            setup.strategy,
            now=candle.closed_at,
            open_positions=len(self._account.book.open.keys() | self._account.entering),
            size=quantity,
            sentiment=mood if setup.direction == "long" else -mood,
        )
        denied = self._denial(checks, setup.strategy)
        if denied is not None:
            signal.reject(denied.denial, denied.message)
            self._ledger.signals_rejected[denied.denial] += 1
            return
        side: Literal["buy", "sell"] = "buy" if setup.direction == "long" else "sell"
        self._trading.risk.position_sized(
            quantity=quantity,
            price=entry,
            side=side,
            confidence=setup.confidence,
            symbol=self._market.symbol,
            strategy=setup.strategy,
            venue=self._market.venue,
        )
        self._ledger.count("positions_sized", setup.strategy)
        self._want(
            OrderWanted(
                signal,
                setup.strategy,
                setup.direction,
                side=side,
                order_type=setup.order_type,
                quantity=quantity,
                expected_price=entry,
                limit_price=entry if setup.order_type == "limit" else None,
                stop=setup.stop,
                target=setup.target,
            )
        )

    def _denial(self, checks: Sequence[RiskCheck], strategy: str) -> RiskCheck | None:
        """Tell what every rule says; the first that says no is the reason."""
        for check in checks:
            self._trading.risk.check(
                check.rule, check.passed, value=check.value, limit=check.limit, strategy=strategy
            )
            self._count_check(check, strategy)
        denied = next((check for check in checks if not check.passed), None)
        return denied or self._day_trade_denial(strategy)

    def _day_trade_denial(self, strategy: str) -> RiskCheck | None:
        """The same for the rule of pattern day traders, where the account has to keep it."""
        check, most = self._risk.day_trade_check(), self._risk.limits.day_trades
        if check is None:
            return None
        venue, compliance = self._market.venue, self._trading.compliance
        compliance.day_trades(self._risk.day_trades.count, limit=most, venue=venue)
        self._count_check(check)
        if check.passed:
            return None
        compliance.pdt_avoided(strategy=strategy, venue=venue, message=check.message)
        self._ledger.count("pdt_avoided", strategy)
        return check

    def _count_check(self, check: RiskCheck, strategy: str = "") -> None:
        self._ledger.count("risk_checks", check.rule)
        if not check.passed:
            self._ledger.count("risk_checks_failed", check.rule)
        if self._risk.hits(check, strategy):
            self._ledger.count("risk_limit_hits", check.rule)

    def _look_for_exit(self, position: Position, candle: Candle, observed: ticktrace_trading.Candle) -> bool:
        strategy = position.strategy
        self._ledger.count("evaluations", strategy)
        with observed.signal(strategy) as signal:
            conditions = position.exit_conditions(candle, MAX_BARS)
            for _, condition in conditions:
                self._check(signal, condition)
            reason = next((reason for reason, condition in conditions if condition.holds), None)
            if reason is None:
                return False
            price = self._rules.price(candle.close)
            kind = "exit_long" if position.direction == "long" else "exit_short"
            signal.emit(kind, confidence=1.0, price=price)
            self._ledger.signals[strategy, kind] += 1
            where = {"symbol": self._market.symbol, "strategy": strategy, "venue": self._market.venue}
            if reason == "stop":
                self._trading.risk.stop_loss_triggered(**where, price=price, stop=position.stop)
            elif reason == "target":
                self._trading.risk.take_profit_triggered(**where, price=price, target=position.target)
            self._ledger.count("exits", strategy, reason)
            self._want(
                OrderWanted(
                    signal,
                    strategy,
                    position.direction,
                    side="sell" if position.direction == "long" else "buy",
                    order_type="market",
                    quantity=position.quantity,
                    expected_price=price,
                    exit_reason=reason,
                )
            )
            return True

    def _want(self, wanted: OrderWanted) -> None:
        self._account.wants(wanted)
        self._bus.publish("execution", wanted)

    # --- state -----------------------------------------------------------------------------------------------------

    def _enter(self, state: State, reason: str) -> None:
        if state != self.state:
            self._observed.transition(state, reason=reason)
            self._ledger.count("transitions", self.state, state)
            self.state = state

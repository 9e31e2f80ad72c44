"""The trading room's front door: markets, engine, scanner, and what arrives late."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakSet

from ticktrace.engine import contained, text_of
from ticktrace.trading._decorate import staged
from ticktrace.trading._stage import current_stage
from ticktrace.trading.candle import Candle
from ticktrace.trading.engine import EngineMonitor
from ticktrace.trading.market import Market
from ticktrace.trading.order import Order
from ticktrace.trading.orders import OpenOrders, RejectRatio
from ticktrace.trading.performance import Performance
from ticktrace.trading.risk import Risk
from ticktrace.trading.scanner import Scanner
from ticktrace.trading.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.checks import Number

__all__ = ["Trading", "current_candle", "current_signal"]

P = ParamSpec("P")
R = TypeVar("R")


def current_candle() -> Candle | None:
    """The candle that is being processed here, if one is."""
    stage = current_stage()
    if isinstance(stage, Order):
        return stage.signal.candle
    if isinstance(stage, Signal):
        return stage.candle
    return stage if isinstance(stage, Candle) else None


def current_signal() -> Signal | None:
    """The signal that is being evaluated here, if one is."""
    stage = current_stage()
    if isinstance(stage, Order):
        return stage.signal
    return stage if isinstance(stage, Signal) else None


class Trading:
    """Trading in OpenTelemetry's terms; reached as `Telemetry.trading`.

    Attributes:
        performance: profit and loss, as the bot's ledger has them.
        risk: checks and their verdicts.
        open_orders: orders whose end has not been told yet.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._markets: dict[tuple[str, str, str], Market] = {}
        self._ratios: dict[str, RejectRatio] = {}
        self._monitors: WeakSet[EngineMonitor] = WeakSet()
        self.open_orders: OpenOrders = OpenOrders(recorder, recorder.settings.trading.open_orders)
        self.performance: Performance = Performance(recorder)
        self.risk: Risk = Risk(recorder)

    def use_clock(self, now: Callable[[], float] | None) -> None:
        """Let `now` (Unix seconds) be the market's present, against which a bar's delay is measured.

        A replay passes the clock of its simulation. None stops measuring delays, which is the default in backtests.
        """
        self._recorder.market_now = now

    def market(self, *, venue: str, symbol: str, timeframe: str) -> Market:
        """The market of a symbol: resolve it once, keep it, use it for every bar.

        Args:
            venue: exchange id: binance, ibkr, …
            symbol: as the bot names it: BTC/USDT.
            timeframe: as ccxt writes it: 1m, 4h, 1d.
        """
        # Words of whatever type: a number or None where a name was due must not end the bot.
        venue, symbol, timeframe = text_of(venue), text_of(symbol), text_of(timeframe)
        key = (venue, symbol, timeframe)
        market = self._markets.get(key)
        if market is None:
            market = self._markets.setdefault(key, Market(self, self._recorder, venue, symbol, timeframe))
        return market

    def engine(
        self,
        *,
        states: Sequence[str] = ("idle", "scanning", "signal_wait", "managing"),
        initial: str = "idle",
        transitions: Mapping[str, Sequence[str]] | None = None,
    ) -> EngineMonitor:
        """Watch the bot's state machine.

        Args:
            states: every state it can be in.
            initial: the one it starts in.
            transitions: from each state to which; every step is legal when left out.
        """
        monitor = EngineMonitor(self._recorder, states, initial, transitions)
        self._monitors.add(monitor)
        return monitor

    def scanner(self, name: str) -> Scanner:
        """Watch a scanner; `name` is one of few."""
        return Scanner(self._recorder, text_of(name))

    def strategy(self, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a strategy, sync or async, so that each call of it is a `Signal` of the current candle.

        The function finds its signal with `ticktrace.trading.current_signal`. Outside a candle it simply runs.
        """
        name = text_of(name)

        def stage(_args: Sequence[Any], _kwargs: Mapping[str, Any]) -> AbstractContextManager[object]:
            candle = current_candle()
            return nullcontext() if candle is None else candle.signal(name)

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            return staged(function, stage)

        return decorate

    @contained(None)
    def order(self, order_id: str) -> Order | None:
        """The open order of that id, the venue's or the bot's own; None when there is none (any more)."""
        return self.open_orders.get(text_of(order_id))

    @contained(None)
    def fill(
        self,
        order_id: str,
        *,
        price: Number,
        quantity: Number,
        fee: Number | None = None,
        at: Timestamp | None = None,
        complete: bool | None = None,
    ) -> None:
        """A fill arrived, from whichever task or thread; see `Order.filled`.

        One for an unknown order is counted in ``ticktrace.dropped``.
        """
        order = self._known(order_id)
        if order is not None:
            order.filled(price=price, quantity=quantity, fee=fee, at=at, complete=complete)

    @contained(None)
    def order_rejected(self, order_id: str, reason: str, message: str = "") -> None:
        """The venue refused an order after all; see `Order.rejected`."""
        order = self._known(order_id)
        if order is not None:
            order.rejected(reason, message)

    @contained(None)
    def order_canceled(self, order_id: str, message: str = "") -> None:
        """An order was taken back; see `Order.canceled`."""
        order = self._known(order_id)
        if order is not None:
            order.canceled(message)

    @contained(None)
    def order_expired(self, order_id: str, message: str = "") -> None:
        """An order's time ran out; see `Order.expired`."""
        order = self._known(order_id)
        if order is not None:
            order.expired(message)

    def _known(self, order_id: str) -> Order | None:
        order = self.open_orders.get(text_of(order_id))
        if order is None and self._recorder.enabled:
            self._recorder.dropped("open_orders", "unknown_order").add(1)
        return order

    def start_afresh(self) -> None:
        """In a forked child: the parent's orders are the parent's to follow, and its locks may be held for ever."""
        self.open_orders = OpenOrders(self._recorder, self._recorder.settings.trading.open_orders)
        self._ratios = {}
        for market in self._markets.values():
            market.reset_lock()
        for monitor in self._monitors:
            monitor.reset_lock()

    def reject_ratio(self, venue: str) -> RejectRatio:
        """The running share of rejected orders of a venue."""
        return self._ratios.setdefault(venue, RejectRatio())

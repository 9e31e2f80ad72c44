"""The trading room's front door: markets, engine, scanner, and what arrives late."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ticktrace.engine import contained, text_of
from ticktrace.trading._figures import result_labels
from ticktrace.trading._machinery import Machinery
from ticktrace.trading._surroundings import Surroundings
from ticktrace.trading._time import usable_seconds
from ticktrace.trading.checks import finite
from ticktrace.trading.current import current_candle, current_signal
from ticktrace.trading.market import Market
from ticktrace.trading.orders import OpenOrders, RejectRatio
from ticktrace.trading.performance import Performance

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ticktrace.engine import Instruments
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.checks import Number
    from ticktrace.trading.order import Order

__all__ = ["Trading", "current_candle", "current_signal"]


class Trading(Machinery, Surroundings):
    """Trading in OpenTelemetry's terms; reached as `Telemetry.trading`.

    Attributes:
        performance: profit and loss, as the bot's ledger has them.
        open_orders: orders whose end has not been told yet.
        order_lock: held while an order's state changes.
    """

    def __init__(self, recorder: Recorder, instruments: Instruments) -> None:
        Surroundings.__init__(self, recorder, instruments)
        Machinery.__init__(self, recorder)
        self._markets: dict[tuple[str, str, str], Market] = {}
        self._ratios: dict[str, RejectRatio] = {}
        self.order_lock: AbstractContextManager[object] = threading.RLock()
        self.open_orders: OpenOrders = OpenOrders(recorder, recorder.settings.trading.open_orders)
        self.performance: Performance = Performance(recorder)

    def use_clock(self, now: Callable[[], float] | None) -> None:
        """Let `now` (Unix seconds) be the market's present, against which a bar's delay is measured.

        A replay passes the clock of its simulation. None stops measuring delays, which is the default in backtests.
        """
        self._recorder.market_now = now

    @contained(None)
    def clock_skew(self, reference: Timestamp, *, venue: str, round_trip: float = 0.0) -> float | None:
        """A venue has told its time (``trading.clock.skew``): how far the local clock is ahead of it.

        Venues refuse what is signed too early or too late, by a second or by five. Binance, Bybit and OKX tell their
        time on request (ccxt: `fetch_time`); now and the offset that an NTP client found will do as well.

        Args:
            reference: the time told: an aware datetime or Unix s, ms, µs or ns.
            venue: whose.
            round_trip: seconds that asking took; half of it has passed since the time was told.

        Returns:
            Seconds, negative when the local clock is behind; None when that is no time, or telemetry is off.
        """
        seconds, trip = usable_seconds(reference), finite(round_trip)
        if seconds is None or not self._recorder.enabled:
            return None
        skew = self._recorder.clock.wall() * 1e-9 - max(0.0, trip or 0.0) / 2 - seconds
        labels = result_labels(self._recorder.words, venue=text_of(venue))
        self._recorder.gauge("clock.skew", labels).set(skew)
        return skew

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

    @contained(None)
    def order(self, order_id: str) -> Order | None:
        """The open order of that id, the venue's or the bot's own; None when there is none (any more)."""
        return self.open_orders.get(text_of(order_id))

    @contained(None)
    def fill(
        self,
        order_id: str,
        price: Number,
        quantity: Number,
        fee: Number | None = None,
        *,
        fee_currency: str | None = None,
        at: Timestamp | None = None,
        complete: bool | None = None,
        fill_id: str | None = None,
    ) -> None:
        """A fill arrived, from whichever task or thread; see `Order.filled`.

        One for an order that is not known is counted in ``ticktrace.dropped``, and kept until an order is acknowledged
        under that id: a venue's stream may be faster than the answer to the request.
        """
        fill: dict[str, Any] = {
            "price": price,
            "quantity": quantity,
            "fee": fee,
            "fee_currency": fee_currency,
            "at": at,
            "complete": complete,
            "fill_id": fill_id,
        }
        order = self.open_orders.ended(text_of(order_id)) or self._known(order_id)
        if order is not None:
            order.filled(**fill)
        elif self._recorder.enabled:
            self.open_orders.hold(text_of(order_id), fill)
            self.performance.order_unknown(text_of(order_id))

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
        self._start_afresh()
        self.performance.start_afresh()
        self.order_lock = threading.RLock()
        for market in self._markets.values():
            market.reset_lock()
        self._restart_machinery()

    def reject_ratio(self, venue: str) -> RejectRatio:
        """The running share of rejected orders of a venue."""
        return self._ratios.setdefault(venue, RejectRatio())

"""How the bot performs: a ledger that is fed with fills and marks, and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from ticktrace import semconv
from ticktrace.engine import contained, text_of, warn_once
from ticktrace.trading._figures import result_labels
from ticktrace.trading._words import known
from ticktrace.trading.checks import Number, finite
from ticktrace.trading.ledger.instruments import PerformanceInstruments
from ticktrace.trading.ledger.kept import KeptLedger

if TYPE_CHECKING:
    from typing import Unpack

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.ledger import Report, Trade
    from ticktrace.trading.ledger.instruments import ToldFigures
    from ticktrace.trading.order import Order

__all__ = ["Performance"]


class Performance(KeptLedger):
    """What trading has earned; reached as `Trading.performance`. Thread-safe.

    Tell it fills and marks, and it keeps a `Ledger` and records every instrument of the catalog's group "performance", of
    the account and of each strategy: trades as they are closed, the rest whenever metrics are read. A bot that has books of
    its own tells their figures with `trade_closed` and `update` instead.

    What cannot be booked is left out, said in the log once a minute, and counted in ``ticktrace.dropped``, buffer
    ``ledger``. The books are kept while telemetry is off, too: they survive a restart, and must not have holes.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._instruments = PerformanceInstruments(recorder)
        self._following = False
        recorder.before_collection(self.refresh)

    def follow_orders(self) -> None:
        """Book every fill that orders are told of (`Order.filled`, `Trading.fill`); `fill` is then not to be called for them."""
        self._following = True

    # --- what happens ------------------------------------------------------------------------------------------------

    def fill(
        self,
        *,
        symbol: str,
        side: str,
        price: Number,
        quantity: Number,
        fee: Number = 0,
        fee_currency: str | None = None,
        at: Timestamp | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        trade_id: str | None = None,
        fill_id: str | None = None,
        stop: Number | None = None,
        risk: Number | None = None,
    ) -> Trade | None:
        """An order was filled, or a part of it. Records a trade's instruments when it closes one.

        Args:
            symbol: what was traded, as the bot names it: BTC/USDT.
            side: buy or sell.
            price: of a unit, in the account's currency.
            quantity: units, above 0.
            fee: what the venue took; negative for a rebate.
            fee_currency: what the fee is in; the account's currency when left out.
            at: when, on the venue; now when left out.
            strategy: whose it is; each strategy has positions of its own.
            venue: where.
            trade_id: the bot's name of the round trip, for bots that have several at once in one market.
            fill_id: the venue's name of the fill; a second one of that name is not booked.
            stop: stop price of an entry, which the initial risk is told from.
            risk: the initial risk of an entry, as an amount.

        Returns:
            The trade that this fill closed, if it did.
        """
        try:
            closed = self._ledger.fill(
                symbol=_text(symbol),
                side="buy" if side == "buy" else "sell" if side == "sell" else _side(side),
                price=price,
                quantity=quantity,
                fee=fee,
                fee_currency=_text(fee_currency),
                at=self._seconds(at),
                strategy=_text(strategy),
                venue=_text(venue),
                trade_id=_text(trade_id),
                fill_id=_text(fill_id),
                stop=stop,
                risk=risk,
            )
            if closed is not None and self._recorder.enabled:
                self._instruments.closed(closed)
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("fill", error)
            return None
        return closed

    def mark(self, symbol: str, price: Number, at: Timestamp | None = None, venue: str | None = None) -> None:
        """The market is at `price`: open positions in it are worth that from now on.

        Args:
            symbol: of the market.
            price: last, mid or mark price, as the bot values positions.
            at: when; now when left out. A mark older than the market's latest is left out.
            venue: where; every venue's market of that symbol when left out.
        """
        try:
            self._ledger.mark(_text(symbol), price, self._seconds(at), _text(venue))
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("mark", error)

    def deposit(self, money: Number, at: Timestamp | None = None) -> None:
        """Money was paid in: equity grows, and that is no profit."""
        try:
            self._ledger.deposit(money, self._seconds(at))
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("deposit", error)

    def withdraw(self, money: Number, at: Timestamp | None = None) -> None:
        """Money was taken out: equity shrinks, and that is no loss."""
        try:
            self._ledger.withdraw(money, self._seconds(at))
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("withdraw", error)

    def income(
        self,
        money: Number,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        trade_id: str | None = None,
        at: Timestamp | None = None,
    ) -> None:
        """What a position brought without a fill: funding, a dividend, interest; negative when it was paid.

        It is realised at once. If that position is open, it belongs to its trade.
        """
        try:
            self._ledger.income(
                money,
                symbol=_text(symbol),
                strategy=_text(strategy),
                venue=_text(venue),
                trade_id=_text(trade_id),
                at=self._seconds(at),
            )
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("income", error)

    def rate(self, currency: str, price: Number) -> None:
        """What a unit of another currency is worth in the account's, for fees in it from now on."""
        try:
            self._ledger.rate(_text(currency), price)
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("rate", error)

    def plan(
        self,
        *,
        symbol: str,
        strategy: str | None = None,
        venue: str | None = None,
        trade_id: str | None = None,
        stop: Number | None = None,
        risk: Number | None = None,
    ) -> None:
        """What will be at stake in the next entry, for bots whose fills arrive without it (`follow_orders`).

        Args:
            symbol: of the position.
            strategy: whose it is.
            venue: where.
            trade_id: its name, where the bot has one.
            stop: its stop price; the risk is then the distance of each entry from it, times units.
            risk: the amount at stake, instead.
        """
        try:
            self._ledger.plan(
                symbol=_text(symbol),
                strategy=_text(strategy),
                venue=_text(venue),
                trade_id=_text(trade_id),
                stop=stop,
                risk=risk,
            )
        except Exception as error:  # noqa: BLE001  the barrier
            self._left_out("plan", error)

    def order_filled(
        self,
        order: Order,
        *,
        price: Number,
        quantity: Number,
        fee: Number | None = None,
        fee_currency: str | None = None,
        at: Timestamp | None = None,
        fill_id: str | None = None,
    ) -> None:
        """An order was told of a fill; booked after `follow_orders`. Called by `Order.filled`."""
        if not self._following:
            return
        signal = order.signal
        market = signal.market
        self.fill(
            symbol=market.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=0 if fee is None else fee,
            fee_currency=fee_currency,
            at=at,
            strategy=signal.strategy,
            venue=market.venue,
            fill_id=fill_id,
        )

    def order_unknown(self, order_id: str) -> None:
        """A fill was told of an order that nobody knows (yet); said and counted after `follow_orders`."""
        if self._following:
            warn_once(
                "ledger.unknown_order",
                "ticktrace: a fill of the order %s is not in the books until an order is acknowledged under that id; if none"
                " will be, as after a restart, tell it with performance.fill()",
                order_id,
            )
            self._ledger.refuse("unknown_order")

    # --- what follows ------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        """Everything the books say, as of the market's present (see `Trading.use_clock`)."""
        return self._ledger.report(self._now())

    def to_json(self) -> str:
        """Everything the books know, for `restore` after a restart; some 300 bytes a trade that is kept."""
        return self._ledger.to_json()

    @contained(None)
    def refresh(self) -> None:
        """Set every gauge to what the books say; called whenever metrics are read."""
        if self._ledger.present is None:
            return
        told = self._ledger.report(self._now())
        self._instruments.show(told)
        for reason, count in told.refused.items():
            self._count(reason, count)

    # --- for bots with books of their own ------------------------------------------------------------------------------

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
        """A round trip is over. Only for bots that do not tell their fills.

        Args:
            profit_loss: what it brought, fees deducted; negative for a loss.
            strategy: whose trade it was.
            symbol: what was traded.
            venue: where.
            holding_seconds: from the first fill to the last.
            r_multiple: profit or loss in units of the risk taken at entry.
        """
        labels = result_labels(self._recorder.words, symbol=symbol, strategy=strategy, venue=venue)
        self._instruments.trade(labels, finite(profit_loss), finite(holding_seconds), finite(r_multiple))

    @contained(None)
    def update(self, *, strategy: str | None = None, **told: Unpack[ToldFigures]) -> None:
        """Set running figures, of the whole account or of one strategy; those that are left out stay as they were.

        Only for bots that do not tell their fills.

        Args:
            strategy: whose figures these are; the account's when left out.
            told: see `ToldFigures`.
        """
        labels = result_labels(self._recorder.words, strategy=strategy)
        self._instruments.tell(told, labels)


def _text(word: str | None) -> str:
    return word if type(word) is str else "" if word is None else text_of(word)


def _side(word: str) -> Literal["buy", "sell"]:
    """A side in whatever case; what is none is left to the ledger to refuse."""
    return cast("Literal['buy', 'sell']", known(semconv.Side, word))

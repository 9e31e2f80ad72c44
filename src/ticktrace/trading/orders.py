"""The orders that are still open, so that what the venue says of them later finds its way back."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.order import Order

__all__ = ["OpenOrders", "RejectRatio"]

_RATIO_WINDOW = 100


class OpenOrders:
    """Open orders by venue id and by the bot's own id, at most as many as the settings allow.

    When there are more, the oldest is forgotten and counted in ``ticktrace.dropped``: its later fills are then recorded
    nowhere, which beats a bot that grows.
    """

    def __init__(self, recorder: Recorder, most: int) -> None:
        self._recorder = recorder
        self._most = most
        self._lock = threading.Lock()
        self._orders: OrderedDict[str, Order] = OrderedDict()

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order_id: str, order: Order) -> None:
        """Let `order` be found by `order_id`."""
        with self._lock:
            self._orders[order_id] = order
            self._orders.move_to_end(order_id)
            forgotten = len(self._orders) > self._most and self._orders.popitem(last=False)
        if forgotten:
            self._recorder.dropped("open_orders", "full").add(1)

    def get(self, order_id: str) -> Order | None:
        """The open order of that id, or None."""
        return self._orders.get(order_id)

    def discard(self, order: Order) -> None:
        """Forget an order that is done."""
        with self._lock:
            for order_id in (order.order_id, order.client_id):
                if order_id is not None and self._orders.get(order_id) is order:
                    del self._orders[order_id]


class RejectRatio:
    """Share of rejected among the last hundred orders that were answered."""

    __slots__ = ("_answers", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: deque[int] = deque(maxlen=_RATIO_WINDOW)

    def answered(self, *, rejected: bool) -> float:
        """Count one answer; returns the ratio, 0 to 1."""
        with self._lock:
            answers = self._answers
            answers.append(int(rejected))
            return sum(answers) / len(answers)

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
    """Open orders, found by venue id or by the bot's own id; at most as many as the settings allow.

    When there are more, the oldest is forgotten and counted in ``ticktrace.dropped``: its later fills are then recorded
    nowhere, which beats a bot that grows.
    """

    def __init__(self, recorder: Recorder, most: int) -> None:
        self._recorder = recorder
        self._most = most
        self._lock = threading.Lock()
        self._by_id: dict[str, Order] = {}
        self._ids: OrderedDict[Order, list[str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, order_id: str, order: Order) -> None:
        """Let `order` be found by `order_id`."""
        with self._lock:
            self._forget_id(order_id)
            self._by_id[order_id] = order
            self._ids.setdefault(order, []).append(order_id)
            full = len(self._ids) > self._most
            if full:
                self._forget(next(iter(self._ids)))
        if full:
            self._recorder.dropped("open_orders", "full").add(1)

    def get(self, order_id: str) -> Order | None:
        """The open order of that id, or None."""
        return self._by_id.get(order_id)

    def discard(self, order: Order) -> None:
        """Forget an order that is done."""
        with self._lock:
            self._forget(order)

    def _forget(self, order: Order) -> None:
        for order_id in self._ids.pop(order, ()):
            del self._by_id[order_id]

    def _forget_id(self, order_id: str) -> None:
        """An id that is used again belongs to the newer order."""
        before = self._by_id.pop(order_id, None)
        if before is not None:
            ids = self._ids[before]
            ids.remove(order_id)
            if not ids:
                del self._ids[before]


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

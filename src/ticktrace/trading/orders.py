"""The orders that are still open, so that what the venue says of them later finds its way back."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.order import Order

__all__ = ["OpenOrders", "RejectRatio"]

_RATIO_WINDOW = 100
_REMEMBERED = 1_000  # ids that were canceled lately, and ids that are not known yet
_MOST_EARLY_FILLS = 100


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
        self._ended: OrderedDict[str, Order] = OrderedDict()
        self._early: OrderedDict[str, list[Mapping[str, Any]]] = OrderedDict()

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

    def ended(self, order_id: str) -> Order | None:
        """One that was taken back lately, else None: its last fill may cross the cancellation."""
        return self._ended.get(order_id)

    def discard(self, order: Order, *, filled: bool = True) -> None:
        """Forget an order that is done: at once if it was filled, so that a fill told twice is not counted twice."""
        with self._lock:
            if not filled:
                for order_id in self._ids.get(order, ()):
                    self._ended[order_id] = order
                while len(self._ended) > _REMEMBERED:
                    self._ended.popitem(last=False)
            self._forget(order)

    def hold(self, order_id: str, fill: Mapping[str, Any]) -> bool:
        """Keep a fill whose order is not known yet: a stream may be faster than the answer to the request.

        Returns:
            False when there is no room for it.
        """
        with self._lock:
            fills = self._early.setdefault(order_id, [])
            if len(fills) >= _MOST_EARLY_FILLS:
                return False
            fills.append(fill)
            while len(self._early) > _REMEMBERED:
                self._early.popitem(last=False)
            return True

    def claim(self, order_id: str) -> list[Mapping[str, Any]]:
        """The fills that came before the order was known by this id; they are told once."""
        if not self._early:
            return []
        with self._lock:
            return self._early.pop(order_id, [])

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

"""How often errors of one kind are written down: a reader learns nothing from the thousandth."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, NamedTuple

__all__ = ["ErrorKind", "Gate"]

_AT_ONCE: Final = 5  # so many records of one kind of error, then so many a minute
_REFILL_NS: Final = 60_000_000_000 // _AT_ONCE
_MOST_KINDS: Final = 500


class ErrorKind(NamedTuple):
    """What makes two errors the same to a reader of logs.

    Attributes:
        component: where in the application.
        error_type: of what class.
        place: file and line where it was raised.
    """

    component: str
    error_type: str
    place: tuple[str, int] | None


class _Allowance:
    """How many records of one kind of error may yet be written, and how many were not."""

    __slots__ = ("at", "left", "suppressed")

    def __init__(self, now: int) -> None:
        self.at: int = now
        self.left: int = _AT_ONCE
        self.suppressed: int = 0


class Gate:
    """Lets a few errors of each kind through; remembers the five hundred kinds that came last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: OrderedDict[ErrorKind, _Allowance] = OrderedDict()
        self._forgotten = 0

    def enter(self, kind: ErrorKind, now: int) -> int | None:
        """Whether one may be written: how many like it were not since the last; None when it may not either.

        Args:
            kind: of which kind it is.
            now: monotonic clock, ns.
        """
        with self._lock:
            allowance = self._kinds.get(kind)
            if allowance is None:
                allowance = self._kinds[kind] = _Allowance(now)
                if len(self._kinds) > _MOST_KINDS:
                    self._forgotten += self._kinds.popitem(last=False)[1].suppressed
            self._kinds.move_to_end(kind)
            earned = min(_AT_ONCE - allowance.left, (now - allowance.at) // _REFILL_NS)
            allowance.left += earned
            allowance.at = now if allowance.left == _AT_ONCE else allowance.at + earned * _REFILL_NS
            if not allowance.left:
                allowance.suppressed += 1
                return None
            allowance.left -= 1
            suppressed, allowance.suppressed = allowance.suppressed, 0
            return suppressed

    def close(self) -> int:
        """How many were not written and not told of in a later one."""
        with self._lock:
            untold = self._forgotten + sum(kind.suppressed for kind in self._kinds.values())
            self._kinds.clear()
            self._forgotten = 0
            return untold

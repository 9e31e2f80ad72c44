"""When and under which context an event was published, found again by the event itself.

A bus that is somebody else's hands on the event and nothing else. So what belongs to it is kept here beside it, for as
long as it waits; not on it, because events are often frozen, and not around it, because the bus looks at its class.
"""

from __future__ import annotations

import enum
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ticktrace.propagation import Handoff

__all__ = ["Stamps"]

# One object stands for every occurrence of such an event, so nothing can be told of one of them.
_SHARED = (str, bytes, int, float, bool, complex, type(None), type, enum.Enum)

# Of events that cannot be weakly referenced (tuples, dicts, slotted classes): so many that nobody has handled yet. The
# bus holds those anyway, unless nobody has subscribed to them.
_MOST_WAITING = 1_000
_MOST_HANDLED = 32  # so many that may have another handler to come


class _Stamp:
    __slots__ = ("event", "handed", "handoff", "label")

    def __init__(self, event: Any, label: str, handoff: Handoff) -> None:
        self.event = event  # or a weak reference to it
        self.label = label
        self.handoff = handoff
        self.handed = False

    def hand_over(self) -> tuple[str, Handoff, bool]:
        first, self.handed = not self.handed, True
        return self.label, self.handoff, first


class Stamps:
    """The hand-overs of events on their way. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a weak reference may die while its thread holds it
        self._weak: dict[int, _Stamp] = {}
        self._waiting: OrderedDict[int, _Stamp] = OrderedDict()
        self._handled: OrderedDict[int, _Stamp] = OrderedDict()

    def __len__(self) -> int:
        return len(self._weak) + len(self._waiting) + len(self._handled)

    def put(self, event: object, label: str, handoff: Handoff) -> None:
        """An event is being published."""
        if isinstance(event, _SHARED):
            return
        key = id(event)
        try:
            reference = weakref.ref(event, lambda dead: self._forget(key, dead))
        except TypeError:
            with self._lock:
                self._handled.pop(key, None)
                self._waiting[key] = _Stamp(event, label, handoff)
                if len(self._waiting) > _MOST_WAITING:
                    self._waiting.popitem(last=False)
            return
        with self._lock:
            self._weak[key] = _Stamp(reference, label, handoff)

    def _forget(self, key: int, dead: weakref.ref[Any]) -> None:
        with self._lock:
            stamp = self._weak.get(key)
            if stamp is not None and stamp.event is dead:
                del self._weak[key]

    def get(self, event: object) -> tuple[str, Handoff, bool] | None:
        """What `put` was told of an event, and whether this is its first handler.

        None when it was never put, or too long ago.
        """
        key = id(event)
        stamp = self._weak.get(key)
        if stamp is not None:
            return stamp.hand_over() if stamp.event() is event else None
        with self._lock:
            stamp = self._waiting.pop(key, None) or self._handled.get(key)
            if stamp is None or stamp.event is not event:
                return None
            self._handled[key] = stamp
            if len(self._handled) > _MOST_HANDLED:
                self._handled.popitem(last=False)
            return stamp.hand_over()

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.RLock()

"""Measurements that are not valid: dropped, counted, and warned of in the SDK's words, once for each instrument."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Counter, Histogram, UpDownCounter

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics._internal.instrument import _Synchronous

__all__ = ["Invalid"]

# The SDK's own words, under the SDK's own name: who silences or greps them there finds them.
_log = logging.getLogger("opentelemetry.sdk.metrics._internal.instrument")


class Invalid:
    """Takes what is not valid.

    Args:
        on_dropped: told ``invalid``, and how many there were. Never raises.

    Attributes:
        count: how many there were so far.
    """

    def __init__(self, on_dropped: Callable[[str, int], None]) -> None:
        self._on_dropped = on_dropped
        self._lock = threading.RLock()
        self._warned: set[_Synchronous] = set()
        self.count: int = 0

    def reject(self, instrument: _Synchronous, values: Sequence[Any]) -> None:
        """Drop these measurements of an instrument. May be called on the trading thread; never raises."""
        number = len(values)
        self.count += number  # no call in here, so no other thread: see `intake`
        self._on_dropped("invalid", number)
        if instrument in self._warned:
            return
        with self._lock:
            first = instrument not in self._warned
            self._warned.add(instrument)
        if first:
            try:
                _warn(instrument, values[0])
            except Exception as error:  # noqa: BLE001  a logging handler's, or a value that cannot be written
                report("metrics.reject", error)

    def reset_lock(self) -> None:
        """In a forked child: a thread that is gone may have held the lock."""
        self._lock = threading.RLock()


def _warn(instrument: _Synchronous, value: Any) -> None:
    verb = "Set"
    if isinstance(instrument, (Counter, UpDownCounter)):
        verb = "Add"
    elif isinstance(instrument, Histogram):
        verb = "Record"
    kind = type(instrument).__name__.lstrip("_")
    try:
        finite = math.isfinite(value)
    except Exception:  # noqa: BLE001  the SDK raises this into the application
        _log.warning(
            "%s amount of type %s is not a number on %s %s, ignoring measurement.",
            verb,
            type(value).__name__,
            kind,
            instrument.name,
        )
        return
    if finite:
        _log.warning("%s amount must be non-negative on %s %s.", verb, kind, instrument.name)
    else:
        _log.warning(
            "%s amount %s is not finite on %s %s, ignoring measurement.", verb, value, kind, instrument.name
        )

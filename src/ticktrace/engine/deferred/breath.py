"""Long work on a background thread lets go of the GIL now and then, so that a trading thread gets it at once.

CPython takes the GIL away from who holds it only after 5 ms; see `ticktrace.engine.drain`.
"""

from __future__ import annotations

import threading
from time import perf_counter, sleep

__all__ = ["breathe"]

_SLICE_SECONDS = 0.0004
_PAUSE_SECONDS = 0.00005


class _Slice(threading.local):
    """When the slice of each thread began."""

    began: float = 0.0


_slice = _Slice()


def breathe() -> None:
    """Pause if that is due: called between pieces of work of a few microseconds each.

    Not on the main thread: there it would only hold up what is waiting on that thread.
    """
    if perf_counter() - _slice.began > _SLICE_SECONDS:
        if threading.current_thread() is not threading.main_thread():
            sleep(_PAUSE_SECONDS)
        _slice.began = perf_counter()

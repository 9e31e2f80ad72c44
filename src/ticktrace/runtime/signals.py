"""SIGUSR2 makes a memory snapshot."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ticktrace.runtime.snapshot import MemorySnapshots

__all__ = ["snapshot_on_signal"]

_log = logging.getLogger("ticktrace")


def snapshot_on_signal(snapshots: MemorySnapshots) -> Callable[[], None]:
    """Have a snapshot taken at each SIGUSR2, beside what the signal did before, until what is returned is called.

    Only in the main thread, and where the system has that signal; else a warning says so and nothing happens.
    """
    number = getattr(signal, "SIGUSR2", None)
    why = None
    if number is None:
        why = "this system has no SIGUSR2"
    elif threading.current_thread() is not threading.main_thread():
        why = "it works only when watch_resources() is called in the main thread"
    if number is None or why is not None:
        _log.warning("ticktrace: resources.snapshots.on_signal does nothing: %s", why)
        return lambda: None
    previous = signal.getsignal(number)
    snapshots.prepare()  # a handler may run while its own thread holds a lock: it must not need one

    def handle(received: int, frame: FrameType | None) -> None:
        snapshots.request_prepared("signal")
        if callable(previous):
            previous(received, frame)

    signal.signal(number, handle)

    def undo() -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is handle:
            signal.signal(number, signal.SIG_DFL if previous is None else previous)

    return undo

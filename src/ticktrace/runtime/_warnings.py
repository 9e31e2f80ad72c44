"""Lines in the log about what stopped the bot, from a thread of their own and at most one a minute."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from ticktrace.engine import Interruption, report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Warner"]

_log = logging.getLogger("ticktrace")

_QUIET_SECONDS: Final = 60.0
_MOST_WAITING: Final = 100


class Warner:
    """Says the first interruption at once; of the following, a minute later, how many they were and the longest.

    The one that notes a garbage collection may hold the lock of a log handler, so it must not log: another thread does.

    Args:
        describe: says of one what it was, in words that continue a line.
    """

    def __init__(self, describe: Callable[[Interruption], str]) -> None:
        self._describe = describe
        self._said = -_QUIET_SECONDS
        self._unsaid = 0
        self._longest: Interruption | None = None
        self._over = False
        _all.add(self)
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin the thread; again in a forked child, where it does not exist."""
        self._queue: SimpleQueue[Interruption | None] = (
            SimpleQueue()
        )  # may be put to wherever memory is taken
        if not self._over:
            threading.Thread(target=self._run, name="ticktrace-jitter", daemon=True).start()

    def note(self, interruption: Interruption) -> None:
        """One that is worth a line. Never blocks."""
        if self._queue.qsize() < _MOST_WAITING:
            self._queue.put(interruption)

    def close(self) -> None:
        """Say nothing more."""
        self._over = True
        self._queue.put(None)

    def _run(self) -> None:
        queue = self._queue
        while (interruption := queue.get()) is not None:
            try:
                self._say(interruption, time.monotonic())
            except Exception as error:  # noqa: BLE001  a handler of the application's
                report("runtime.warning", error)

    def _say(self, interruption: Interruption, now: float) -> None:
        longest = self._longest
        if longest is None or interruption.seconds > longest.seconds:
            self._longest = longest = interruption
        if now - self._said < _QUIET_SECONDS:
            self._unsaid += 1
            return
        more = ""
        if self._unsaid:
            more = f"; there were {self._unsaid} more since the last such line, the longest {self._describe(longest)}"
        self._said, self._unsaid, self._longest = now, 0, None
        _log.warning("ticktrace: %s%s", self._describe(interruption), more)


_all: weakref.WeakSet[Warner] = weakref.WeakSet()


def _start_afresh_in_child() -> None:
    for warner in list(_all):
        try:
            warner.start_afresh()
        except RuntimeError as error:  # no thread to be had; a fork must succeed
            report("fork", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)

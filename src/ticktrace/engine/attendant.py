"""A thread that waits on one exporter's behalf, so that nobody else has to.

Flushing and shutting down an exporter may block for as long as its peer likes. Each pipe therefore has an attendant
that does these calls, while the caller waits no longer than its own deadline. The thread is started at set-up because
CPython 3.12 and later refuse to start one while the interpreter exits, which is when it is needed most.
"""

from __future__ import annotations

import math
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Attendant", "Deadline", "Request", "wait_for_all"]


# No wait accepts more than TIMEOUT_MAX, and some add a little to what they are given.
_FOREVER = threading.TIMEOUT_MAX / 2


def _bounded(seconds: object, default: float) -> float:
    try:
        number = float(seconds)  # type: ignore[arg-type]  # whatever it is: this is how one finds out
    except OverflowError:  # an integer beyond all floats
        return _FOREVER
    except Exception:  # noqa: BLE001  a __float__ may raise anything
        return default
    return default if math.isnan(number) else min(max(0.0, number), _FOREVER)


class Deadline:
    """A point in monotonic time that several waits share.

    Args:
        seconds: from now. Infinity means no limit, and what is negative has passed already.
        default: seconds to use when `seconds` is no number at all.
    """

    __slots__ = ("_at",)

    def __init__(self, seconds: float | None, default: float = 0.0) -> None:
        self._at = time.monotonic() + _bounded(seconds, default)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return min(max(0.0, self._at - time.monotonic()), _FOREVER)


class Request:
    """One call that was handed to an attendant."""

    __slots__ = ("_call", "_done", "succeeded")

    def __init__(self, call: Callable[[], bool]) -> None:
        self._call = call
        self._done = threading.Event()
        self.succeeded: bool = False

    def run(self) -> None:
        """Do the call; what it raises is reported and counts as failure."""
        try:
            self.succeeded = self._call()
        except Exception as error:  # noqa: BLE001  an exporter may raise anything
            report("exporter", error)
        finally:
            self._done.set()

    def cancel(self) -> None:
        """End it undone."""
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """True when the call has ended, well or badly, within `seconds`."""
        return self._done.wait(seconds)


class Attendant:
    """A daemon thread that does one call after the other."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._lock = threading.RLock()  # reentrant: a signal handler may dismiss what its thread is asking
        self._dismissed = False
        self._pending: Request | None = None
        self._thread = threading.Thread(target=self._attend, name=f"ticktrace-{name}", daemon=True)
        self._thread.start()

    def _attend(self) -> None:
        while (request := self._queue.get()) is not None:
            request.run()

    def ask(self, call: Callable[[], bool]) -> Request:
        """Hand over a call; while an earlier one has not ended, that one is returned instead.

        So a caller that flushes every second against a peer that never answers queues up nothing. An attendant that
        was dismissed does nothing any more: what it is asked has ended at once, without success.
        """
        with self._lock:
            pending = self._pending
            if pending is not None and not pending.wait(0):
                return pending
            self._pending = request = Request(call)
            if self._dismissed:
                request.cancel()
            else:
                self._queue.put(request)
            return request

    def insist(self, call: Callable[[], bool]) -> Request:
        """Hand over a call that must be done even when an earlier one still runs."""
        request = Request(call)
        self._queue.put(request)
        return request

    def dismiss(self) -> None:
        """Let the thread end once it has done what it was asked."""
        with self._lock:
            self._dismissed = True
            self._queue.put(None)


def wait_for_all(requests: Iterable[Request], deadline: Deadline) -> bool:
    """Wait until all have ended or the deadline has passed.

    Returns:
        True when each ended in time and succeeded.
    """
    good = True
    for request in requests:
        good = request.wait(deadline.remaining()) and request.succeeded and good
    return good

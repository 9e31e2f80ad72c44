"""The drain: the one background thread that does what the trading thread only stamped.

What hurts a trading thread is not work done elsewhere but work done elsewhere *while holding the GIL*: CPython hands it
over only every 5 ms. So sources do their work in small pieces, and between pieces the drain sleeps, which gives the GIL
away at once. Measured on two cores: OTLP encoding without a pause makes a trading thread wake 5.2 ms late, sixteen spans
at a time with pauses of 200 µs 0.11 ms.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

from ticktrace.engine.attendant import Deadline
from ticktrace.engine.barrier import attempt, report
from ticktrace.engine.patience import CALLED, Patience, Stall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["STUCK", "Drain", "Source"]

_PERIOD_SECONDS = 0.1
_SLICE_SECONDS = 0.0004
_PAUSE_SECONDS = 0.0001
_PATIENCE_SECONDS = 5.0
_INLINE_SECONDS = 0.05  # so long a thread makes room for itself, or it would have to for every span
_LOOK_AGAIN_SECONDS = 0.002

STUCK: Final = object()
"""What a source yields when it could go on, but should not now."""


class Source(Protocol):
    """Something that is to be drained."""

    def steps(self) -> Iterator[object]:
        """Do the pending work in pieces of at most a few hundred microseconds, yielding after each. Never raises.

        `STUCK`, when it is yielded, leaves the rest to the next pass; who drains now and has time tries again.
        One thread at a time iterates, though not always the same. A pass that runs out of time leaves the iterator
        where it is and the next one goes on with it, before it asks for another.
        """


class Drain:
    """Drains its sources every 100 ms, and when it is woken.

    The thread is a daemon: what it has not drained when the process ends without a shutdown is lost, at most one
    period's worth. In a forked child there is none, until the child calls `start` or `wake`.

    Args:
        sources: what is to be drained, in this order; may be changed.
        period: seconds between passes.
        patience: of those who wait for room; by default nobody does.

    Attributes:
        on_pass: told the seconds that each pass took, pauses included.
        cpu_seconds: CPU time spent on passes, on whatever thread.
        inline_cpu_seconds: as much of it as other threads than the drain's have spent.
    """

    def __init__(
        self, sources: Sequence[Source], period: float = _PERIOD_SECONDS, patience: Patience | None = None
    ) -> None:
        self._sources = sources
        self._period = period
        self._patience = patience or Patience()
        self._stall = Stall(self._patience)
        self._wanted = False
        self._ended = False
        self.on_pass: Callable[[float], None] | None = None
        self.cpu_seconds: float = 0.0
        self.inline_cpu_seconds: float = 0.0
        self._passed_at = 0.0
        self._begin_afresh()
        _drains.add(self)

    def _begin_afresh(self) -> None:
        """As at the beginning; also in a forked child, where neither locks nor iterators can be trusted any more."""
        # Not an Event: its lock is not reentrant, and a signal handler that interrupts `wake` may end a span itself.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.RLock()  # reentrant: a signal handler may end a span
        # One pass at a time: who drains now must find nothing half done by another. Reentrant, because a span processor
        # may flush, or end spans, while it is handed some.
        self._pass = threading.RLock()
        self._passing: int | None = None  # the thread that is at it
        self._gently = False
        self._running: list[Source] = []
        self._left: dict[Source, Iterator[object]] = {}
        self._hurried = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, once."""
        with self._lock:
            if not self._wanted:
                self._passed_at = time.monotonic()
            self._wanted = True
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="ticktrace-drain", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Let the thread drain soon. Cheap, never blocks, never raises."""
        if self._woken.empty():
            self._woken.put(None)
        if self._thread is None and self._wanted and not self._ended:  # in a forked child
            try:
                self.start()
            except RuntimeError as error:  # no more threads, or the interpreter exits
                report("drain.start", error)

    def drain_now(
        self,
        seconds: float = _PATIENCE_SECONDS,
        sources: Sequence[Source] | None = None,
        *,
        pause: bool = False,
    ) -> bool:
        """Drain on the calling thread; a pass under way is awaited, and hurried.

        Args:
            seconds: for all of it.
            sources: which; all by default.
            pause: as the drain's own thread does it, for threads that nobody waits for.

        Returns:
            False when that has not ended in time, as where a span processor blocks.
        """
        wanted = self._sources if sources is None else sources
        return self._on_this_thread(Deadline(seconds), wanted, None, pause=pause)

    def make_room(self, source: Source, has_room: Callable[[], bool]) -> bool:
        """Have `source` drained, here or by whoever is at it, until there is room; for a thread that has found none.

        A thread that is in a pass drains the source at once, unless it is at that very source, as when a span processor
        ends a span while it is handed another. Other threads do, and wait for each other, only where there is patience,
        and not while a processor sees a span begin.

        Args:
            source: what has to be drained for that.
            has_room: whether there is some.

        Returns:
            Whether there is room now.
        """
        if self.passing:
            if source not in self._running:
                # As gently as the pass itself, unless what is stuck has to be waited for.
                self._exhaust(source, has_room, pause=self._gently and self._patience.seconds <= 0)
            return has_room()
        if CALLED.on_start:
            return has_room()
        deadline = Deadline(self._patience.seconds)
        while not has_room():
            seconds = min(deadline.remaining(), self._stall.remaining())
            if seconds <= 0:
                return False
            # Short, because room may be made, and patience may end, by others.
            self._on_this_thread(Deadline(min(seconds, _LOOK_AGAIN_SECONDS)), [source], has_room, pause=False)
        return True

    @property
    def silent_for(self) -> float:
        """Seconds since its thread has last ended a pass: many where it hangs, or is gone; 0 where there is none to be."""
        return max(0.0, time.monotonic() - self._passed_at) if self._wanted and not self._ended else 0.0

    @property
    def passing(self) -> bool:
        """Whether the calling thread is in a pass."""
        return self._passing == threading.get_ident()

    def stop(self, seconds: float) -> bool:
        """End the thread; True when it has ended within `seconds`. What is left is the caller's to drain."""
        self._ended = True
        self._woken.put(None)
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(seconds)
        return not thread.is_alive()

    def _run(self) -> None:
        while not self._ended:
            with suppress(Empty):
                self._woken.get(timeout=self._period)
            with self._pass:
                self._pass_over(self._sources, lambda: self._ended, pause=True)
            self._passed_at = time.monotonic()

    def _on_this_thread(
        self,
        deadline: Deadline,
        sources: Sequence[Source],
        has_room: Callable[[], bool] | None,
        *,
        pause: bool,
    ) -> bool:
        turn = self._pass
        with self._lock:
            self._hurried += 1
        try:
            if not turn.acquire(timeout=deadline.remaining()):
                return False
        finally:
            with self._lock:
                self._hurried -= 1
        try:
            before = self.cpu_seconds
            done = self._pass_over(sources, self._until(deadline, has_room), pause=pause)
            self.inline_cpu_seconds += self.cpu_seconds - before
            return done
        finally:
            turn.release()

    def _until(self, deadline: Deadline, has_room: Callable[[], bool] | None) -> Callable[[], bool]:
        """When to stop: with the deadline; or, where it is room that is wanted, once there is some and it took a while."""
        if has_room is None:
            return lambda: deadline.remaining() <= 0
        enough = Deadline(_INLINE_SECONDS)
        return lambda: enough.remaining() <= 0 and has_room()

    def _pass_over(self, sources: Sequence[Source], enough: Callable[[], bool], *, pause: bool) -> bool:
        """One pass; the caller holds `_pass`. True when nothing is left of what there was."""
        if self._passing is not None:  # within a pass: its time is being taken
            return self._exhaust_all(sources, enough, pause=pause)
        self._passing, self._gently = threading.get_ident(), pause
        began, began_cpu = time.perf_counter(), time.thread_time()
        try:
            return self._exhaust_all(sources, enough, pause=pause)
        finally:
            self.cpu_seconds += time.thread_time() - began_cpu
            self._passing = None
            told = self.on_pass
            if told is not None:
                attempt("drain.on_pass", lambda: told(time.perf_counter() - began))

    def _exhaust_all(self, sources: Sequence[Source], enough: Callable[[], bool], *, pause: bool) -> bool:
        done = True
        for source in tuple(sources):
            if not self._exhaust(source, enough, pause=pause):
                done = False
                if enough():
                    break
        return done

    def _exhaust(self, source: Source, enough: Callable[[], bool], *, pause: bool) -> bool:
        running = self._running
        running.append(source)
        try:
            left = self._left.pop(source, None)
            if left is not None and not self._go_on(source, left, enough, pause=pause):
                return False
            return self._go_on(source, source.steps(), enough, pause=pause)
        except BaseException as error:  # a source that breaks its promise must not end the drain
            if not isinstance(error, Exception) and threading.current_thread() is not self._thread:
                raise  # somebody wants this thread to end
            report("drain", error)
            return True
        finally:
            running.remove(source)

    def _go_on(
        self, source: Source, steps: Iterator[object], enough: Callable[[], bool], *, pause: bool
    ) -> bool:
        began = time.perf_counter()
        for step in steps:
            stuck = step is STUCK
            if enough() or (stuck and pause):
                self._left[source] = steps
                return False
            if stuck:
                time.sleep(_LOOK_AGAIN_SECONDS)
                continue
            self._stall.over()
            if pause and not self._hurried and time.perf_counter() - began > _SLICE_SECONDS:
                time.sleep(_PAUSE_SECONDS)
                began = time.perf_counter()
        return True


_drains: weakref.WeakSet[Drain] = weakref.WeakSet()


def _begin_afresh_in_child() -> None:
    for drain in _drains:
        drain._begin_afresh()  # noqa: SLF001  fork handlers cannot be taken back, so there is one for all


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_afresh_in_child)

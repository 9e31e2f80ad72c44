"""How long garbage collections stop the process (``python.gc.pause.duration``), and which."""

from __future__ import annotations

import gc
from collections import deque
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from ticktrace import semconv
from ticktrace.engine import Cause, Interruption
from ticktrace.runtime._warnings import Warner

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import Instruments, Interruptions

__all__ = ["watch_garbage"]

_MOST_PAUSES: Final = 10_000  # that wait to be read; a busy process collects some hundred times a second
_WORTH_NOTING_NS: Final = 1_000_000  # a collection of the youngest takes less
_WORTH_SAYING_NS: Final = 10_000_000


class _Pauses:
    """Notes each collection.

    It begins wherever memory is taken, also while that thread holds a lock of ours or of the SDK's. So a pause is only
    noted here, recorded where metrics are read, and said by another thread.
    """

    def __init__(self, instruments: Instruments, interruptions: Interruptions | None) -> None:
        self._waiting: deque[tuple[int, int]] = deque(maxlen=_MOST_PAUSES)
        self._began = 0
        self._interruptions = interruptions
        self._histograms = tuple(
            instruments.histogram("python.gc.pause.duration", {semconv.CPYTHON_GC_GENERATION: generation})
            for generation in range(3)
        )
        self.warner: Warner = Warner(_described)
        instruments.before_collection(self._record)

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """What CPython calls at the start and the stop of each collection."""
        if phase == "start":
            self._began = perf_counter_ns()
            return
        began, now = self._began, perf_counter_ns()
        if not began:
            return
        generation = info["generation"]
        self._waiting.append((generation, now - began))
        if now - began < _WORTH_NOTING_NS:
            return
        pause = Interruption(Cause.GC, began, now, str(generation))
        if self._interruptions is not None:
            self._interruptions.add(pause)
        if now - began >= _WORTH_SAYING_NS:
            self.warner.note(pause)

    def _record(self) -> None:
        waiting = self._waiting
        for _ in range(len(waiting)):
            try:
                generation, nanoseconds = waiting.popleft()
            except IndexError:  # another reader collects, too
                return
            self._histograms[min(generation, 2)].record(nanoseconds * 1e-9)


def _described(pause: Interruption) -> str:
    return f"a garbage collection of generation {pause.name} stopped the process for {1e3 * pause.seconds:.1f} ms"


def watch_garbage(instruments: Instruments, interruptions: Interruptions | None = None) -> Callable[[], None]:
    """Time every garbage collection, by generation, until the function that is returned is called.

    One of over 10 ms is a warning in the log, at most one a minute.

    Args:
        instruments: records them.
        interruptions: is told of those that take 1 ms or longer.
    """
    pauses = _Pauses(instruments, interruptions)
    gc.callbacks.append(pauses)

    def undo() -> None:
        with suppress(ValueError):
            gc.callbacks.remove(pauses)
        pauses.warner.close()

    return undo

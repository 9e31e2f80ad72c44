"""How long garbage collections stop the process (``python.gc.pause.duration``)."""

from __future__ import annotations

import gc
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ticktrace import semconv

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import Instruments

__all__ = ["watch_garbage"]

_MOST_PAUSES = 10_000  # that wait to be read; a busy process collects some hundred times a second


class _Pauses:
    """Notes each collection.

    It begins wherever memory is taken, also while that thread holds a lock of ours or of the SDK's. So a pause is only
    noted here, and recorded where metrics are read.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._waiting: deque[tuple[int, float]] = deque(maxlen=_MOST_PAUSES)
        self._began = 0.0
        self._histograms = tuple(
            instruments.histogram("python.gc.pause.duration", {semconv.CPYTHON_GC_GENERATION: generation})
            for generation in range(3)
        )
        instruments.before_collection(self._record)

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """What CPython calls at the start and the stop of each collection."""
        if phase == "start":
            self._began = perf_counter()
        elif self._began:
            self._waiting.append((info["generation"], perf_counter() - self._began))

    def _record(self) -> None:
        waiting = self._waiting
        for _ in range(len(waiting)):
            generation, seconds = waiting.popleft()
            self._histograms[min(generation, 2)].record(seconds)


def watch_garbage(instruments: Instruments) -> Callable[[], None]:
    """Time every garbage collection, by generation, until the function that is returned is called."""
    pauses = _Pauses(instruments)
    gc.callbacks.append(pauses)

    def undo() -> None:
        with suppress(ValueError):
            gc.callbacks.remove(pauses)

    return undo

"""Full collections: what telemetry's objects make the garbage collector do to a bot with a large heap."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Self

from bench.ours import candle_of, started
from bench.rivals import rivals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.interleaved import Pace, Row
    from bench.ours import Keep

__all__ = ["collections"]

_HEAP = 800_000
_CANDLES = 20_000
_AT_ONCE = 500  # then the rest is done: at full speed the drain would not come round in time


class _Collections:
    """Counts the full collections of a block, and how long the longest of all took."""

    def __init__(self) -> None:
        self.full: int = 0
        self.longest: float = 0.0
        self._began = 0.0

    def _seen(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        self.longest = max(self.longest, time.perf_counter() - self._began)
        self.full += info["generation"] == 2

    def __enter__(self) -> Self:
        gc.collect()
        gc.callbacks.append(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._seen)


def _caused_by(candle: Callable[[], object], rest: Callable[[], object] | None) -> _Collections:
    with _Collections() as caused:
        for number in range(_CANDLES):
            candle()
            if rest is not None and number % _AT_ONCE == _AT_ONCE - 1:
                rest()
    return caused


def collections(_: Pace) -> Iterator[Row]:
    """Full collections that 20,000 candles cause over a heap of 800,000 objects."""
    heap: Any = [[number] for number in range(_HEAP)]
    sdk = rivals("candle", only=("sdk",))["sdk"]
    theirs = _caused_by(sdk.names["function"], sdk.rest)
    keeps: tuple[tuple[Keep, str], ...] = (
        ("nothing", "gc.full_collections"),
        ("everything", "gc.full_collections.kept"),
    )
    for keep, name in keeps:
        with started(keep=keep) as ours:
            mine = _caused_by(candle_of(ours.telemetry), ours.settle)
        yield {
            "name": name,
            "ours_ns": mine.full,
            "unit": "collections",
            "ratio": {"sdk": mine.full / theirs.full} if theirs.full else {},
            "note": f"the SDK caused {theirs.full}; longest collection of any generation:"
            f" ours {mine.longest * 1e3:.1f} ms, the SDK's {theirs.longest * 1e3:.1f} ms",
        }
    heap.clear()

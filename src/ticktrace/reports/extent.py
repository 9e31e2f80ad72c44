"""How far journals reach in time, which only a look at every line tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ticktrace.reports.reading import Batch, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.reports.sources import Source
    from ticktrace.reports.tally import Scope

__all__ = ["Extent", "extent_of"]

_LATEST: Final = 1e11
_LATEST_NS: Final = 10**20
_LATE: Final = frozenset({"risk", "order", "fill"})


class _Moment(msgspec.Struct, gc=False):
    ts: int
    stage: str
    symbol: str | None = None
    strategy: str | None = None
    candle: float | None = None


_MOMENTS: Final = msgspec.json.Decoder(_Moment)


@dataclass
class Extent:
    """From when to when.

    Attributes:
        first, newest: market time, Unix seconds; infinite where there is no line.
        last_fill: of the symbols and strategies asked for; None where there is none.
    """

    first: float = math.inf
    newest: float = -math.inf
    last_fill: float | None = None


def extent_of(sources: Sequence[Source], scope: Scope, read: Callable[[int], object]) -> Extent:
    """Read everything, and return from when to when it reaches. What cannot be read is passed over.

    Args:
        sources: the journals.
        scope: whose fills are meant, and until when.
        read: is told how many bytes were read.

    Raises:
        OSError: a file cannot be read.
    """
    extent = Extent()
    for source in sources:
        clock = _Clock()
        with source.open() as file:
            for batch in lines_of(file, read):
                if isinstance(batch, Batch):
                    clock.take(_moments(batch), extent, scope)
    return extent


def _moments(batch: Batch) -> list[_Moment]:
    try:
        return _MOMENTS.decode_lines(batch.lines)
    except Exception:  # noqa: BLE001 - whatever is wrong, the lines are now looked at one by one
        found = []
        for line in batch.lines.splitlines():
            try:
                found.append(_MOMENTS.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return found


class _Clock:
    """Market time of the lines of a file, as `Tally` has it."""

    def __init__(self) -> None:
        self._candle: float | None = None
        self._ts: int = 0

    def take(self, moments: Sequence[_Moment], extent: Extent, scope: Scope) -> None:
        if self._candle is None:
            self._candle, self._ts = _first(moments)
        candle, ts = self._candle, self._ts
        until = _LATEST if scope.until is None else min(scope.until, _LATEST)
        first, newest = extent.first, extent.newest
        for one in moments:
            if not 0 <= one.ts < _LATEST_NS:
                continue
            now = one.candle
            if now is None:
                now = candle + (one.ts - ts) * 1e-9
            elif not 0 <= now < _LATEST:
                continue
            elif one.stage not in _LATE:
                candle, ts = now, one.ts
            if one.stage == "session" or not 0 <= now < until:
                continue
            if not first <= now <= newest:
                first, newest = min(first, now), max(newest, now)
            if one.stage == "fill" and _meant(one, scope) and now > (extent.last_fill or 0.0):
                extent.last_fill = now
        self._candle, self._ts = candle, ts
        extent.first, extent.newest = first, newest


def _first(moments: Sequence[_Moment]) -> tuple[float, int]:
    for one in moments:
        if one.candle is None or one.stage in _LATE:
            continue
        if 0 <= one.candle < _LATEST and 0 <= one.ts < _LATEST_NS:
            return one.candle, one.ts
    return 0.0, 0


def _meant(one: _Moment, scope: Scope) -> bool:
    return (not scope.symbols or one.symbol in scope.symbols) and (
        not scope.strategies or one.strategy in scope.strategies
    )

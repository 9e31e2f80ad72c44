"""Look for a candle: by time, or the last one, in journals that may hold millions."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ticktrace.reports.event import Event, ScanPayload, UnreadableLine, event_of, payload_as
from ticktrace.reports.moment import parse_duration
from ticktrace.reports.reading import Batch, lines_of
from ticktrace.reports.words import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ticktrace.reports.sources import Source

__all__ = [
    "LATE",
    "Near",
    "NotFound",
    "Wanted",
    "candles_near",
    "events_with",
    "moment_of",
    "quoted",
    "same",
    "what_there_is",
]

LATE: Final = frozenset({"risk", "order", "fill"})
"""Stages that may speak of a candle long after it."""

SCAN: Final = b'"stage":"scan"'

_NEIGHBOURS: Final = 3
_REMEMBERED: Final = 5_000
_NAMED: Final = 10
_SAME: Final = 0.001


class NotFound(LookupError):  # noqa: N818 - the message is what the user sees
    """There is no such candle; the message says what there is near it."""


@dataclass(frozen=True)
class Wanted:
    """Which candle is asked for: by one of these, else the last one.

    Attributes:
        at: Unix seconds.
        of_day: seconds since midnight, UTC, of the last day on which the symbol has a candle.
        rejected: the last one that came to nothing because something failed.
    """

    at: float | None = None
    of_day: float | None = None
    rejected: bool = False


@dataclass
class Near:
    """Candles of a symbol near a time: when they closed, and how long they are, as far as anybody knows."""

    before: list[float] = field(default_factory=list)
    exact: float | None = None
    after: list[float] = field(default_factory=list)
    length: float | None = None

    def begin_of(self, candle: float) -> float:
        """Return when a candle began: by its timeframe, else when the one before closed."""
        if self.length is not None:
            return candle - self.length
        return self.before[-1] if self.before else candle


@dataclass
class _Fate:
    mine: bool = False
    failed: bool = False
    emitted: bool = False
    rejected: bool = False


def quoted(symbol: str) -> bytes:
    """Return a word as it stands in a line."""
    return msgspec.json.encode(symbol)


def same(candle: float | None, other: float) -> bool:
    """Whether two times are of one candle: to the millisecond."""
    return candle is not None and abs(candle - other) < _SAME


def events_with(source: Source, *words: bytes) -> Iterator[tuple[Event, bytes]]:
    """Yield the lines of a file that hold one of some words; those that cannot be read are passed over.

    Raises:
        OSError: the file cannot be read.
    """
    with source.open() as file:
        for batch in lines_of(file):
            if not isinstance(batch, Batch):
                continue
            held = [word for word in words if word in batch.lines]
            if not held:
                continue
            for line in batch.lines.split(b"\n"):
                if any(word in line for word in held):
                    try:
                        yield event_of(line), line
                    except UnreadableLine:
                        continue


def moment_of(sources: Sequence[Source], symbol: str, wanted: Wanted) -> tuple[float, str]:
    """Return the time that is asked for, and how it will have been matched.

    Raises:
        NotFound: the symbol has no candle, or none that was rejected.
        OSError: a file cannot be read.
    """
    if wanted.at is not None:
        return wanted.at, "closed"
    fates: OrderedDict[float, _Fate] = OrderedDict()
    newest = -math.inf
    for source in sources:
        newest = max(newest, _note_all(source, symbol, fates, scans=wanted.rejected))
    if not math.isfinite(newest):
        raise NotFound(what_there_is(sources, symbol, None, Near()))
    if wanted.rejected:
        blocked = [candle for candle, fate in fates.items() if _came_to_nothing(fate)]
        if not blocked:
            raise NotFound(f"no candle of {symbol} was rejected; the last one closed at {utc(newest)}")
        return max(blocked), "last-rejected"
    if wanted.of_day is not None:
        return newest - newest % 86_400 + wanted.of_day, "closed"
    return newest, "last"


def _note_all(source: Source, symbol: str, fates: OrderedDict[float, _Fate], *, scans: bool) -> float:
    """Note what became of the candles of a file; return when the last one closed."""
    newest = -math.inf
    decided: OrderedDict[int, float] = OrderedDict()
    for event, _ in events_with(source, quoted(symbol), *([SCAN] if scans else [])):
        mine = event.symbol == symbol
        if not mine and event.stage != "scan":
            continue
        candle = event.candle
        if event.decision is not None:
            if candle is None:
                candle = decided.get(event.decision)
            elif mine:
                decided[event.decision] = candle
                if len(decided) > _REMEMBERED:
                    decided.popitem(last=False)
        if candle is None:
            continue
        if mine and event.stage not in LATE:
            newest = max(newest, candle)
        _note(fates, candle, event, mine=mine)
    return newest


def _note(fates: OrderedDict[float, _Fate], candle: float, event: Event, *, mine: bool) -> None:
    fate = fates.get(candle)
    if fate is None:
        if len(fates) >= _REMEMBERED:
            fates.popitem(last=False)
        fate = fates[candle] = _Fate()
    fate.mine |= mine
    if event.stage == "scan":
        try:
            told = payload_as(event, ScanPayload)
        except UnreadableLine:
            return
        fate.failed |= not told.candidates and any(told.filtered.values())
    elif event.stage == "signal" and event.passed:
        fate.emitted = True
    elif event.passed is False:
        fate.failed |= event.stage not in LATE
        fate.rejected |= event.stage in LATE


def _came_to_nothing(fate: _Fate) -> bool:
    return fate.mine and (fate.rejected or (fate.failed and not fate.emitted))


def candles_near(sources: Sequence[Source], symbol: str, at: float) -> Near:
    """Return the candles of a symbol that closed at a time, before and after it.

    Raises:
        OSError: a file cannot be read.
    """
    near = Near()
    for source in sources:
        for event, _ in events_with(source, quoted(symbol)):
            candle = event.candle
            if candle is None or event.symbol != symbol or event.stage in LATE:
                continue
            if same(candle, at):
                near.exact = candle
            elif candle < at:
                if _insert(near.before, candle) and len(near.before) > _NEIGHBOURS:
                    del near.before[0]
            elif _insert(near.after, candle):
                del near.after[_NEIGHBOURS:]
            if event.stage == "candle" and near.length is None:
                near.length = _length(event)
    return near


def _insert(times: list[float], time: float) -> bool:
    place = bisect_left(times, time)
    if place < len(times) and times[place] == time:
        return False
    insort(times, time)
    return True


class _CandlePayload(msgspec.Struct):
    timeframe: str | None = None


def _length(event: Event) -> float | None:
    try:
        told = msgspec.json.decode(event.payload, type=_CandlePayload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # A month, 1M, is no fixed time; in lower case it would be a minute.
    return None if told.timeframe is None or told.timeframe.endswith("M") else parse_duration(told.timeframe)


def what_there_is(sources: Sequence[Source], symbol: str, at: float | None, near: Near) -> str:
    """Say which candles or symbols there are instead."""
    if at is not None and (near.before or near.after):
        there = ", ".join(utc(candle) for candle in (*near.before, *near.after))
        return f"no candle of {symbol} closed at or contains {utc(at)}; near it: {there}"
    symbols: set[str] = set()
    for source in sources:
        for event, _ in events_with(source, b'"symbol"'):
            if event.symbol is not None and len(symbols) < _NAMED:
                symbols.add(event.symbol)
            if len(symbols) >= _NAMED:
                break
    known = ", ".join(sorted(symbols)) or "none"
    if symbol in symbols:
        return f"{symbol} has no candle in these journals"
    return f"no line is about {symbol}; symbols in these journals: {known}"

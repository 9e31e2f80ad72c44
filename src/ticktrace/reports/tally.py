"""Count the lines of journals: the loop that sees every one of them, and so does little with each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ticktrace.reports.conditions import Conditions
from ticktrace.reports.counting import VOID, asked
from ticktrace.reports.event import EVENTS, UnreadableLine, event_of
from ticktrace.reports.process import Process
from ticktrace.reports.reasons import Reasons
from ticktrace.reports.silence import Book, Cell, Pair
from ticktrace.reports.stages import other_stage
from ticktrace.reports.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.reports.conditions import Condition
    from ticktrace.reports.event import Event
    from ticktrace.reports.reading import Batch, Trouble
    from ticktrace.reports.timeline import Slice

__all__ = ["Malformed", "Scope", "Tally"]

_FIRST: Final = 20
_LATEST: Final = 1e11  # Unix seconds, the year 5138: what is beyond was meant as milliseconds
_LATEST_NS: Final = 10**20
_LONGEST_WORD: Final = 1_000
_SETTLE_EVERY: Final = 16  # batches of a megabyte

_ASKED: Final = frozenset({"condition", "filter"})
_LATE: Final = frozenset({"risk", "order", "fill"})
"""Stages that may speak of a candle long after it."""


@dataclass(frozen=True)
class Scope:
    """Which lines are reported.

    Attributes:
        since, until: market time, Unix seconds: from `since` on, and before `until`.
        history: from where on lines are counted to compare with.
        symbols, strategies: of which; all where empty. Lines that have none are kept where they speak of all.
    """

    since: float | None = None
    until: float | None = None
    history: float | None = None
    symbols: frozenset[str] = frozenset()
    strategies: frozenset[str] = frozenset()


@dataclass
class Malformed:
    """Lines that cannot be read: how many, and where the first are."""

    count: int = 0
    first: list[tuple[str, int, int, str]] = field(default_factory=list)

    def add(self, file: str, line: int, byte: int, error: str) -> None:
        """Take note of one."""
        self.count += 1
        if len(self.first) < _FIRST:
            self.first.append((file, line, byte, error))


class Tally:
    """What is known after the lines so far.

    Attributes:
        lines: read, malformed ones included.
        counted: of the period and of what was asked for.
        with_candle: of those, the ones that have market time of their own.
        without_clock: of those, the ones of processes that have no market time at all.
        first, last: market time of the counted ones; infinite where there are none.
        symbols: some of those in the journals, to name them where none is found.
        newer: files of a newer schema, and which.
        beyond: what did not fit: symbols of a scan, decisions that never ended.
        left_out: checks of filters that have no line, as scans tell.
        unwatched: evaluations whose symbol was one too many to watch over its silence.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope
        self.timeline: Timeline = Timeline(scope.since, scope.until, scope.history)
        self.conditions: Conditions = Conditions()
        self.reasons: Reasons = Reasons()
        self.malformed: Malformed = Malformed()
        self.closed: Book = Book()
        self.processes: dict[str, Process] = {}
        self.newer: dict[str, int] = {}
        self.symbols: set[str] = set()
        self.lines: int = 0
        self.counted: int = 0
        self.with_candle: int = 0
        self.without_clock: int = 0
        self.first: float = math.inf
        self.last: float = -math.inf
        self.beyond: int = 0
        self.unwatched: int = 0
        self.left_out: int = 0
        self._singles: dict[tuple[str | None, ...], Cell] = {}
        self._batches = 0
        self._at = 0

    def process(self, name: str) -> Process:
        """Return the state of a process."""
        found = self.processes.get(name)
        if found is None:
            found = self.processes[name] = Process(self.timeline)
        return found

    def finish(self, name: str) -> None:
        """Let go of a process that will write no more."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.finish()
            self.closed.add(process.watch)
            self.beyond += process.beyond
            self.unwatched += process.watch.beyond

    def trouble(self, file: str, trouble: Trouble) -> None:
        """Take note of what could not be read."""
        self.lines += 1
        self.malformed.add(file, *trouble)

    def take(self, file: str, process: Process, batch: Batch) -> None:
        """Count the lines of a batch."""
        events = self._decoded(file, batch)
        self.lines += batch.size
        begin = 0
        while begin < len(events):
            try:
                self._count(events, begin, process)
            except (UnreadableLine, OverflowError) as error:
                begin = self._at + 1
                why = str(error) if isinstance(error, UnreadableLine) else "a number is too large"
                self.malformed.add(file, *_place(batch, begin - 1), why)
            else:
                break
        self._batches += 1
        if self._batches % _SETTLE_EVERY == 0:
            self.settle()

    def settle(self) -> None:
        """Keep memory in bounds."""
        self.conditions.settle()
        for process in self.processes.values():
            process.watch.settle()

    def _decoded(self, file: str, batch: Batch) -> Sequence[Event | None]:
        """Return one event for each line; None for those that are none, which are taken note of."""
        lines = batch.lines
        try:
            if not lines.isascii():
                lines.decode()
            events = EVENTS.decode_lines(lines)
            if len(events) == batch.size:
                return events
        except Exception:  # noqa: BLE001, S110 - whatever it is, the lines are now looked at one by one
            pass
        found: list[Event | None] = []
        byte = batch.byte
        for number, line in enumerate(lines.split(b"\n")[: batch.size]):
            try:
                found.append(event_of(line) if line.strip() else None)
            except UnreadableLine as error:
                self.malformed.add(file, batch.line + number, byte, str(error))
                found.append(None)
            byte += len(line) + 1
        return found

    # A call for each step would cost more than the step itself.
    def _count(self, events: Sequence[Event | None], begin: int, process: Process) -> None:  # noqa: C901
        """Count events from `begin` on.

        Raises:
            UnreadableLine: the event `_at` makes no sense; it was not counted.
        """
        timeline, watch = self.timeline, process.watch
        cells, reasons = watch.cells, self.reasons.given
        picky = bool(self.scope.symbols or self.scope.strategies)
        if process.anchor_candle is None:
            process.anchor_candle, process.anchor_ts = _first_candle(events)
        a_candle, a_ts = process.anchor_candle, process.anchor_ts
        low = high = 0.0
        where: Slice | None = None
        inside = False
        counted = with_candle = 0
        newest = watch.newest
        first, last = self.first, self.last
        self._at = begin - 1
        try:
            for event in events[begin:] if begin else events:
                self._at += 1
                if event is None:
                    continue
                stage, candle = event.stage, event.candle
                now = a_candle + (event.ts - a_ts) * 1e-9 if candle is None else candle
                if not low <= now < high:
                    _check_time(event, now)
                    where = timeline.find(now)
                    low, high = timeline.low, timeline.high
                    inside = where is not None and where.inside
                if candle is not None and stage not in _LATE:
                    if not 0 <= event.ts < _LATEST_NS:
                        _check_time(event, now)
                    a_candle, a_ts = candle, event.ts
                if where is None or (picky and not self._wanted(event, process)):
                    continue
                if inside and stage != "session":
                    counted += 1
                    if candle is not None:
                        with_candle += 1
                    if not first <= now <= last:
                        first, last = min(first, now), max(last, now)
                    if now > newest:  # noqa: PLR1730 - max() takes four times as long
                        newest = now
                passed = event.passed
                if passed is False and event.reason is not None:
                    reasons(event.reason, event.strategy, now, where)
                if stage in _ASKED:
                    if passed is None:
                        continue
                    row = VOID
                    if inside:
                        key = (
                            stage,
                            event.component,
                            event.strategy,
                            event.symbol,
                            event.name,
                            event.comparison,
                        )
                        cell = cells.get(key) or self._new_cell(key, event, process, now)
                        if cell is not None:
                            row = asked(cell, event, now)
                    if stage == "filter":
                        process.filtered(event, row, now)
                    elif event.decision is None:
                        process.loose(event, row, now)
                    else:
                        if event.decision != process.open_decision:
                            process.open(event.decision)
                        if not passed:
                            process.open_failed.append(row)
                else:
                    other_stage(self, process, event, now, where)
        finally:
            process.anchor_candle, process.anchor_ts = a_candle, a_ts
            watch.newest = newest
            self.counted += counted
            self.with_candle += with_candle
            if not a_ts:
                self.without_clock += counted
            self.first, self.last = first, last

    def cell(self, event: Event, process: Process, now: float) -> Cell | None:
        """Return the cell of an evaluation; None where it does not fit.

        Raises:
            UnreadableLine: a name is too long to be one.
        """
        key = (event.stage, event.component, event.strategy, event.symbol, event.name, event.comparison)
        return process.watch.cells.get(key) or self._new_cell(key, event, process, now)

    def _new_cell(
        self, key: tuple[str | None, ...], event: Event, process: Process, now: float
    ) -> Cell | None:
        condition = self._condition(key, event)
        return None if condition is None else process.watch.cell(key, event, condition, now)

    def single(self, event: Event) -> Cell | None:
        """Return a cell for what has no part in silences, such as a risk check; None where it does not fit."""
        key = (event.stage, event.component, event.strategy, None, event.name, event.comparison)
        found = self._singles.get(key)
        if found is None:
            condition = self._condition(key, event)
            if condition is None:
                return None
            found = self._singles[key] = Cell(
                condition, condition.row_for(event.threshold), Pair(0, 0, 0), None
            )
            condition.cells.append(found)
        found.clear()
        return found

    def _condition(self, key: tuple[str | None, ...], event: Event) -> Condition | None:
        if any(len(word) > _LONGEST_WORD for word in key if word is not None):
            raise UnreadableLine(f"a name of more than {_LONGEST_WORD:,} characters")
        condition = self.conditions.of(event)
        if condition is None:
            self.conditions.beyond += 1
        return condition

    def _wanted(self, event: Event, process: Process) -> bool:
        """Whether an event is of a symbol and strategy that is reported; late lines follow their decision."""
        if event.symbol is not None and len(self.symbols) < _FIRST:
            self.symbols.add(event.symbol)
        if event.stage == "session":
            return True
        scope = self.scope
        known = event.decision is not None and event.decision in process.fates
        if scope.symbols and event.symbol not in scope.symbols and (event.symbol is not None or not known):
            return False
        if not scope.strategies or event.strategy in scope.strategies:
            return True
        return event.strategy is None and (known or event.stage not in _LATE)


def _first_candle(events: Sequence[Event | None]) -> tuple[float, int]:
    """Return market time and wall clock of the first event that has both; else the wall clock stands for both."""
    for event in events:
        if event is None or event.candle is None or event.stage in _LATE:
            continue
        if 0 <= event.candle < _LATEST and 0 <= event.ts < _LATEST_NS:
            return event.candle, event.ts
    return 0.0, 0


def _check_time(event: Event, now: float) -> None:
    if not 0 <= event.ts < _LATEST_NS:
        raise UnreadableLine(f"ts {event.ts} is no Unix time in nanoseconds")
    if not 0 <= now < _LATEST:
        raise UnreadableLine(f"candle {event.candle} is no Unix time in seconds")


def _place(batch: Batch, index: int) -> tuple[int, int]:
    """Return number and byte of a line of a batch."""
    before = batch.lines.split(b"\n", index)[:index]
    return batch.line + index, batch.byte + sum(len(line) + 1 for line in before)

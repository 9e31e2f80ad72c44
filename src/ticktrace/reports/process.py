"""What belongs together in the lines of one process: the conditions of a decision, the filters of a scan, the fate of a signal."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ticktrace.reports.silence import Watch

if TYPE_CHECKING:
    from ticktrace.reports.conditions import Row
    from ticktrace.reports.event import Event
    from ticktrace.reports.timeline import Timeline

__all__ = ["Fate", "Group", "Process"]

MOST_PARKED: Final = 1_000
MOST_ASKED: Final = 20_000
MOST_FATES: Final = 50_000


@dataclass(slots=True)
class Fate:
    """What became of a decision after its conditions.

    Attributes:
        at: of the signal, or the first line about it.
        emitted: whether it is a signal.
        rejected: whether the bot rejected it.
        ordered: whether an order followed.
        risks: risk checks that failed.
    """

    at: float
    emitted: bool = False
    rejected: bool = False
    ordered: bool = False
    risks: list[Row] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether a signal got no further than risk management."""
        return self.emitted and (self.rejected or bool(self.risks and not self.ordered))


@dataclass(slots=True)
class Group:
    """Filters that were asked in one go, or conditions that no decision's number holds together.

    Attributes:
        key: what holds them together.
        at: of the first.
        asked: of each symbol, the filters that failed.
        names: asked of the symbol that came last.
    """

    key: tuple[object, ...] | int
    at: float
    asked: dict[str | None, list[Row]] = field(default_factory=dict)
    names: set[str | None] = field(default_factory=set)
    symbol: str | None = None


class Process:
    """The state of one process's lines; numbers of decisions are its own.

    Attributes:
        anchor_candle, anchor_ts: a candle, Unix seconds, and the wall clock of its line, ns: market time for lines that
            have none of their own.
        watch: its silences.
        open_decision: whose conditions came last.
        open_failed: those that failed.
        fates: of decisions that may still get lines, the oldest first.
        beyond: symbols and decisions that found no place.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.anchor_candle: float | None = None
        self.anchor_ts: int = 0
        self.watch: Watch = Watch()
        self.open_decision: int | None = None
        self.open_failed: list[Row] = []
        # Ordered ones, because taking the first out of a plain dictionary looks at all places that are empty.
        self.fates: OrderedDict[int, Fate] = OrderedDict()
        self.beyond: int = 0
        self._timeline = timeline
        self._parked: OrderedDict[int, list[Row]] = OrderedDict()
        self._quiet: OrderedDict[int, list[Row]] = OrderedDict()
        self._scan: Group | None = None
        self._scanned: int | None = None  # the decision of the last scan that had a line
        self._loose: Group | None = None

    # Conditions of a decision.

    def open(self, decision: int) -> list[Row]:
        """Turn to the conditions of another decision; the answer takes those that fail."""
        if self.open_decision is not None:
            if len(self._parked) >= MOST_PARKED:
                self._parked.popitem(last=False)
                self.beyond += 1
            self._parked[self.open_decision] = self.open_failed
        self.open_decision = decision
        self.open_failed = self._parked.pop(decision, [])
        return self.open_failed

    def close(self, event: Event) -> list[Row]:
        """Return what failed in a decision that has come to its end, as the line of its signal says."""
        decision = event.decision
        if decision is None:
            return self._loose_signal(event)
        if decision == self.open_decision:
            self.open_decision = None
            failed, self.open_failed = self.open_failed, []
            return failed
        return self._parked.pop(decision, [])

    def kept_quiet(self, decision: int, failed: list[Row]) -> None:
        """Remember for a while what failed in a decision that emitted nothing, in case it does so late."""
        if len(self._quiet) >= MOST_PARKED:
            self._quiet.popitem(last=False)
        self._quiet[decision] = failed

    def spoke_late(self, decision: int) -> bool:
        """Take back what is not so any more; return whether it had failed conditions, and emitted nevertheless."""
        failed = self._quiet.pop(decision, [])
        if len(failed) == 1:
            failed[0].blocked_alone(-1)
        return bool(failed)

    # Conditions without a number: those of one strategy, symbol and candle that follow each other.

    def loose(self, event: Event, row: Row, now: float) -> None:
        """Take a condition that no decision's number joins to others."""
        key = (event.strategy, event.symbol, event.candle)
        group = self._loose
        if group is None or group.key != key or event.name in group.names:
            self.end_loose()
            group = self._loose = Group(key, now, {None: []})
        group.names.add(event.name)
        if event.passed is False:
            group.asked[None].append(row)

    def _loose_signal(self, event: Event) -> list[Row]:
        group = self._loose
        if group is None or group.key[:2] != (event.strategy, event.symbol):  # type: ignore[index]
            self.end_loose()
            return []
        self._loose = None
        return group.asked[None]

    def end_loose(self) -> None:
        """Count loose conditions that no signal followed as an evaluation that emitted nothing."""
        group, self._loose = self._loose, None
        if group is None:
            return
        counts = self._timeline.find(group.at)
        if counts is None:
            return
        failed = group.asked[None]
        counts.evaluations += 1
        counts.conditions_passed += not failed
        strategy, symbol = group.key[:2] if isinstance(group.key, tuple) else (None, None)
        self.watch.evaluated(
            strategy if isinstance(strategy, str) else None,
            symbol if isinstance(symbol, str) else None,
            group.at,
            emitted=False,
        )
        if len(failed) == 1:
            failed[0].blocked_alone()

    # Filters.

    def filtered(self, event: Event, row: Row, now: float) -> None:
        """Take a filter that was asked about a symbol."""
        decision, symbol = event.decision, event.symbol
        group = self._scan
        key: tuple[object, ...] | int
        if decision is not None:
            key = decision
        else:
            key = (event.candle,) if event.candle is not None else ("symbol", symbol)
        if (
            group is None
            or group.key != key
            or (decision is None and symbol == group.symbol and event.name in group.names)
        ):
            self.end_scan()
            group = self._scan = Group(key, now)
        if decision is None:
            if symbol != group.symbol:
                group.symbol, group.names = symbol, set()
            group.names.add(event.name)
        failed = group.asked.get(symbol)
        if failed is None:
            if len(group.asked) >= MOST_ASKED:
                self.beyond += 1
                return
            failed = group.asked[symbol] = []
        if event.passed is False:
            failed.append(row)

    def scanned(self, decision: int | None) -> int:
        """Take note that a scan ended and tells its own numbers; return how many symbols failed one by one."""
        group = self._scan
        self._scanned = decision
        if group is None or group.key != decision:
            return 0
        self._scan = None
        return _blocked(group)

    def end_scan(self) -> None:
        """Close a group of filters; where no scan tells numbers, the symbols asked are what was scanned."""
        group, self._scan = self._scan, None
        if group is None:
            return
        failed = _blocked(group)
        counts = self._timeline.find(group.at)
        if counts is not None and (self._scanned is None or group.key != self._scanned):
            counts.scanned += len(group.asked)
            counts.scanned_passed += len(group.asked)
            counts.candidates += len(group.asked) - failed

    # What comes after a signal.

    def fate(self, decision: int, now: float) -> Fate:
        """Return what is known of a decision; the oldest is settled where there are too many."""
        found = self.fates.get(decision)
        if found is None:
            if len(self.fates) >= MOST_FATES:
                self._settle(self.fates.popitem(last=False)[1])
            found = self.fates[decision] = Fate(now)
        return found

    def _settle(self, fate: Fate) -> None:
        counts = self._timeline.find(fate.at)
        if fate.lost:
            if counts is not None:
                counts.lost_to_risk += 1
            if len(fate.risks) == 1:
                fate.risks[0].blocked_alone()

    def finish(self) -> None:
        """Settle everything: no further line will come."""
        self.end_scan()
        self.end_loose()
        for fate in self.fates.values():
            self._settle(fate)
        self.fates.clear()
        self._parked.clear()


def _blocked(group: Group) -> int:
    """Return how many symbols were blocked, and tell those filters that did it alone."""
    blocked = 0
    for failed in group.asked.values():
        if failed:
            blocked += 1
            if len(failed) == 1:
                failed[0].blocked_alone()
    return blocked

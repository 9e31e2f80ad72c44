"""Ratios that can be trusted on a shared machine: contestants take turns in one process, medians are compared.

What counts is CPU time of the calling thread, which does not grow while other processes run. Two things are told apart:

- the caller's cost: what the thread that calls pays before it can go on;
- the total: that, plus what the call has left for later, on this thread or on threads of the contestant's own.

Each operation is a statement, run in a compiled loop; the cost of the loop is measured in the same rounds and taken off.
"""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
import timeit
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "FULL",
    "QUICK",
    "Contestant",
    "Pace",
    "Row",
    "Threads",
    "calling",
    "compare",
    "compare_cold",
    "progress",
]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to measure.

    Attributes:
        rounds: how often each contestant takes its turn.
        turn: seconds of CPU that a turn should take.
        cold_rounds: how many single calls make a cold measurement.
        quick: whether rows that take seconds shall do with less.
    """

    rounds: int
    turn: float
    cold_rounds: int
    quick: bool


FULL = Pace(rounds=25, turn=0.010, cold_rounds=400, quick=False)
QUICK = Pace(rounds=9, turn=0.005, cold_rounds=120, quick=True)


@dataclass(frozen=True)
class Contestant:
    """One way of doing what is measured.

    Attributes:
        statement: one operation, as Python text.
        names: what the statement speaks of.
        rest: does what operations have left for later; its cost belongs to the total.
        elsewhere: CPU seconds that the contestant's own threads have used so far.
        most: operations in one turn, at most, where more would overflow a buffer.
    """

    statement: str
    names: Mapping[str, Any] = field(default_factory=dict)
    rest: Callable[[], object] | None = None
    elsewhere: Callable[[], float] | None = None
    most: int = 500_000


def calling(function: Callable[[], object], **more: Any) -> Contestant:
    """A contestant that calls a function; `more` is the rest of its attributes."""
    return Contestant("function()", {"function": function}, **more)


class Threads:
    """The CPU time of the threads that were started since this was made, except the calling one's."""

    def __init__(self) -> None:
        self._others = {thread.ident for thread in threading.enumerate()}

    def __call__(self) -> float:
        """Seconds so far, of those that live."""
        seconds = 0.0
        for thread in threading.enumerate():
            if thread.ident is not None and thread.ident not in self._others:
                seconds += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        return seconds


class _Turns:
    """A contestant at work: its compiled loop, how many calls make a turn, and what its turns have cost."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        # timeit switches the garbage collector off, but collections are a part of what allocating costs.
        self._loop = timeit.Timer(
            contestant.statement, gc.enable, timer=time.thread_time, globals=dict(contestant.names)
        )
        self.calls = 1
        self.caller: list[float] = []
        self.total: list[float] = []

    def take(self, *, warm: bool = False) -> tuple[float, float]:
        """One turn: seconds of the caller, and in total.

        Args:
            warm: begin with some calls that do not count, as the others have just had the processor's caches.
        """
        rest, elsewhere = self.contestant.rest, self.contestant.elsewhere
        uncounted = self.calls // 4 + 1 if warm else 0
        share = self.calls / (self.calls + uncounted)  # of what is done later, for all calls together
        before = elsewhere() if elsewhere is not None else 0.0
        if uncounted:
            self._loop.timeit(uncounted)
        caller = total = self._loop.timeit(self.calls)
        if rest is not None:
            began = time.thread_time()
            rest()
            total += (time.thread_time() - began) * share
        if elsewhere is not None:
            total += (elsewhere() - before) * share
        return caller, total

    def settle_on_calls(self, seconds: float) -> None:
        """Find how many calls make a turn, which also warms everything up."""
        most = self.contestant.most
        while True:
            took, _ = self.take()
            if took > seconds / 4 or self.calls >= most:
                break
            self.calls = min(most, self.calls * 4)
        self.calls = max(1, min(most, round(self.calls * seconds / max(took, 1e-9))))

    def record(self, *, warm: bool) -> None:
        """Take a turn and note what a call of it has cost, in ns."""
        caller, total = self.take(warm=warm)
        self.caller.append(caller / self.calls * 1e9)
        self.total.append(total / self.calls * 1e9)


def compare(
    name: str,
    ours: Contestant,
    theirs: Mapping[str, Contestant],
    pace: Pace,
    *,
    total: bool = False,
    loop: Contestant | None = None,
) -> Row:
    """One row of the table, hot: each operation many times in a row.

    Args:
        name: what is measured.
        ours: how we do it.
        theirs: how others do it, by their names.
        pace: how long to measure.
        total: whether the row is about the total; the caller's cost otherwise.
        loop: what all contestants do besides, to be taken off; nothing by default.

    Returns:
        The row. `ours_ns` and `theirs_ns` are medians over rounds; `ratio` is the median of the rounds' ratios, so that
        a slow moment of the machine, which slows a whole round, cancels out. `caller_ns` and `total_ns` are ours.
    """
    empty = _Turns(loop or Contestant("pass"))
    turns = {"": _Turns(ours)} | {key: _Turns(contestant) for key, contestant in theirs.items()}
    everyone = [empty, *turns.values()]
    for turn in everyone:
        turn.settle_on_calls(pace.turn)
    for number in range(pace.rounds):
        for turn in everyone if number % 2 else reversed(everyone):
            turn.record(warm=True)
    idle = statistics.median(empty.caller)
    caller = {key: [max(cost - idle, 0.1) for cost in turn.caller] for key, turn in turns.items()}
    everything = {key: [max(cost - idle, 0.1) for cost in turn.total] for key, turn in turns.items()}
    row = _row(name, everything if total else caller)
    row["caller_ns"] = statistics.median(caller[""])
    row["total_ns"] = statistics.median(everything[""])
    return row


def _once() -> None:
    """What a call costs that does nothing, clocks included."""


def compare_cold(
    name: str, ours: Contestant, theirs: Mapping[str, Contestant], pace: Pace, *, sleep: float = 0.003
) -> Row:
    """One row of the table, cold: single calls, each after `sleep` seconds in which others had the caches.

    The caller's cost only. A call that does nothing takes its turns, too, and is taken off.
    """
    idle = _Turns(calling(_once))
    turns = {"": _Turns(ours)} | {key: _Turns(contestant) for key, contestant in theirs.items()}
    everyone = [idle, *turns.values()]
    for turn in everyone:
        turn.settle_on_calls(0.001)
        turn.calls = 1
    for _ in range(pace.cold_rounds):
        for turn in everyone:
            time.sleep(sleep)
            turn.record(warm=False)
    nothing = statistics.median(idle.caller)
    return _row(
        name, {key: [max(cost - nothing, 0.1) for cost in turn.caller] for key, turn in turns.items()}
    )


def _row(name: str, took: Mapping[str, list[float]]) -> Row:
    ours = took[""]
    theirs = {key: costs for key, costs in took.items() if key}
    return {
        "name": name,
        "ours_ns": statistics.median(ours),
        "ratio": {
            key: statistics.median(one / other for one, other in zip(ours, costs, strict=True))
            for key, costs in theirs.items()
        },
        "theirs_ns": {key: statistics.median(costs) for key, costs in theirs.items()},
    }


def progress(text: str) -> None:
    """Say on stderr what happens now: a run takes minutes."""
    print(f"  {text}", file=sys.stderr, flush=True)

"""Ratios that can be trusted on a shared machine: contestants take turns in one process, medians are compared."""

from __future__ import annotations

import statistics
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Row", "compare"]

Row = dict[str, Any]


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    calls: int,
) -> Row:
    """One row of the table.

    Args:
        name: what is measured.
        ours: one call of it.
        theirs: the same done by others, by their names.
        rounds: how often each takes its turn.
        calls: how many calls make a turn.

    Returns:
        The row: `ours_ns` is the median CPU time of one call on the calling thread, `ratio` ours divided by theirs.
    """
    contestants = {"ours": ours, **theirs}
    took: dict[str, list[float]] = {key: [] for key in contestants}
    for function in contestants.values():
        for _ in range(calls // 10 + 1):
            function()
    for _ in range(rounds):
        for key, function in contestants.items():
            began = thread_time_ns()
            for _ in range(calls):
                function()
            took[key].append((thread_time_ns() - began) / calls)
    medians = {key: statistics.median(values) for key, values in took.items()}
    return {
        "name": name,
        "ours_ns": medians["ours"],
        "ratio": {key: medians["ours"] / medians[key] for key in theirs},
    }

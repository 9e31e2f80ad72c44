"""From counts to the rows of a snapshot: the largest and the most frequent, the rest summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ticktrace.runtime.memory_model import Rest, Site, TypeCount

if TYPE_CHECKING:
    from ticktrace.runtime.census import Census
    from ticktrace.runtime.pace import Pace

__all__ = ["rows_of", "sites_of"]

_MOST_SITES: Final = 200
_LONGEST_PATH: Final = 300


def rows_of(census: Census, most: int, pace: Pace) -> tuple[list[TypeCount], Rest]:
    """The types, the largest first: half of the places for these, half for the most frequent of the others.

    Types of the same name, as made by a function that is called twice, are one.
    """
    merged: dict[str, list[float]] = {}
    for kind in census.kinds.values():
        row = merged.setdefault(kind.name, [0, 0.0, 0.0])
        row[0] += kind.tracked
        row[1] += kind.untracked
        row[2] += kind.bytes
        pace.turn()
    rows = [
        TypeCount(name, round(count), round(untracked), round(size))
        for name, (count, untracked, size) in merged.items()
    ]
    rows.sort(key=lambda row: -row.bytes)
    large, others = rows[: (most + 1) // 2], rows[(most + 1) // 2 :]
    others.sort(key=lambda row: -row.total)
    room = most - len(large)
    listed = large + others[:room]
    listed.sort(key=lambda row: -row.bytes)
    left = others[room:]
    rest = Rest(
        types=len(left),
        count=sum(row.count for row in left) + census.more_types,
        untracked=sum(row.untracked for row in left),
        bytes=sum(row.bytes for row in left),
    )
    return listed, rest


def sites_of(sites: dict[tuple[str, int], list[float]]) -> list[Site]:
    """The two hundred lines with the most bytes."""
    rows = [
        Site(file[-_LONGEST_PATH:], line, round(count), round(size))
        for (file, line), (count, size) in sites.items()
    ]
    rows.sort(key=lambda row: -row.bytes)
    return rows[:_MOST_SITES]

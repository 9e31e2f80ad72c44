"""What grew between two memory snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ticktrace.runtime.memory_model import MemorySnapshot, Site, TypeCount

__all__ = ["Diff", "SiteGrowth", "TypeGrowth", "diff"]

_BUILTIN_WEIGHT: Final = 0.1


class TypeGrowth(msgspec.Struct, frozen=True):
    """How the objects of a type became more; negative for fewer.

    Attributes:
        type: module and qualified name.
        before: objects in the first snapshot.
        after: objects in the second.
        count: the difference.
        bytes: difference of their shallow sizes.
        per_second: `count` by the time between the snapshots; None where they are not of different times.
    """

    type: str
    before: int
    after: int
    count: int
    bytes: int
    per_second: float | None


class SiteGrowth(msgspec.Struct, frozen=True):
    """How the objects allocated by a line became more."""

    file: str
    line: int
    count: int
    bytes: int


class Diff(msgspec.Struct, frozen=True):
    """What changed from one snapshot to the other.

    Attributes:
        before: when the first was taken.
        after: when the second was.
        seconds: between them.
        rss_bytes: change of the physical memory, None where a snapshot does not know.
        objects: change of the number of tracked objects.
        bytes: change of the shallow size of all.
        types: those that changed; what grew first, most important first.
        sites: lines whose objects changed, the largest growth first; None where one of them knows none.
        notes: why the numbers may say less than they seem to.
    """

    before: str
    after: str
    seconds: float
    rss_bytes: int | None
    objects: int
    bytes: int
    types: list[TypeGrowth]
    sites: list[SiteGrowth] | None
    notes: list[str]


def diff(before: MemorySnapshot, after: MemorySnapshot, top: int = 20) -> Diff:
    """Compare two snapshots.

    The order is by growth in number. Types of the interpreter's own count a tenth of that: a leak of a class leaks what its
    objects hold as well, which often are more dicts and numbers than objects.

    Args:
        before: the earlier one.
        after: the later one.
        top: most types and sites in the result.
    """
    seconds = after.unix - before.unix
    old = {row.type: row for row in before.types}
    new = {row.type: row for row in after.types}
    grown = [_growth(name, old.get(name), new.get(name), seconds) for name in dict.fromkeys((*new, *old))]
    changed = [growth for growth in grown if growth.count or growth.bytes]
    changed.sort(key=lambda growth: (-_weight(growth), -growth.bytes, growth.type))
    rss = (before.process.rss_bytes, after.process.rss_bytes)
    return Diff(
        before=before.taken,
        after=after.taken,
        seconds=seconds,
        rss_bytes=None if rss[0] is None or rss[1] is None else rss[1] - rss[0],
        objects=after.tracked - before.tracked,
        bytes=after.bytes - before.bytes,
        types=changed[:top],
        sites=None if before.sites is None or after.sites is None else _sites(before.sites, after.sites, top),
        notes=_notes(before, after),
    )


def _growth(name: str, old: TypeCount | None, new: TypeCount | None, seconds: float) -> TypeGrowth:
    before, after = (old.total if old else 0), (new.total if new else 0)
    size = (new.bytes if new else 0) - (old.bytes if old else 0)
    rate = (after - before) / seconds if seconds > 0 else None
    return TypeGrowth(name, before, after, after - before, size, rate)


def _weight(growth: TypeGrowth) -> float:
    return growth.count * (_BUILTIN_WEIGHT if growth.type.startswith("builtins.") else 1.0)


def _sites(before: list[Site], after: list[Site], top: int) -> list[SiteGrowth]:
    old = {(site.file, site.line): site for site in before}
    new = {(site.file, site.line): site for site in after}
    rows = []
    for file, line in dict.fromkeys((*new, *old)):
        was, now = old.get((file, line)), new.get((file, line))
        count = (now.count if now else 0) - (was.count if was else 0)
        size = (now.bytes if now else 0) - (was.bytes if was else 0)
        if count or size:
            rows.append(SiteGrowth(file, line, count, size))
    rows.sort(key=lambda row: (-row.bytes, -row.count, row.file, row.line))
    return rows[:top]


def _notes(before: MemorySnapshot, after: MemorySnapshot) -> list[str]:
    notes = []
    if (before.process.pid, before.service) != (after.process.pid, after.service):
        notes.append(
            f"two processes: {before.service} {before.process.pid} and {after.service} {after.process.pid}"
        )
    if after.unix <= before.unix:
        notes.append("the second snapshot is not the later one")
    for name, snapshot in (("first", before), ("second", after)):
        if not snapshot.complete:
            notes.append(
                f"the {name} snapshot ran out of time: {snapshot.walked} of {snapshot.tracked} objects were looked at"
            )
        if snapshot.step > 1:
            notes.append(f"the {name} snapshot looked at one object in {snapshot.step} only")
        if snapshot.rest.types:
            notes.append(
                f"the {name} snapshot lists {len(snapshot.types)} types; {snapshot.rest.types} others are not compared"
            )
    return notes

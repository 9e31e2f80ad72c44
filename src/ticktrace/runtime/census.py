"""Which objects there are, by type, and where they were allocated.

The collector knows the objects that can be part of a cycle, and lists them. It does not know numbers and text, nor, up to
CPython 3.13, a dict or tuple that holds nothing else: just what a bot keeps of its ticks. Those are found by following
references one step (through such dicts and tuples, a few more) from the objects that are listed. One that is referred to
``n`` times would be found ``n`` times, so each time it counts 1/n, by its reference count: about right, and no memory is needed
for which ones were seen.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from random import Random
from typing import TYPE_CHECKING, Any, Final

from ticktrace.runtime.kinds import Kind, kind_of, sample
from ticktrace.runtime.sites import site_of

if TYPE_CHECKING:
    from ticktrace.runtime.pace import Pace

__all__ = ["Census"]

_MOST_TYPES: Final = 20_000
_MOST_SITES: Final = 20_000
_MOST_ASKED: Final = 20_000  # of those listed; others come on top
_DEPTH: Final = 3
_LEAST_SHARE: Final = 0.01  # text that hundreds refer to is no leak
_PIECE: Final = 64
_OWN_REFERENCES: Final = 3  # the list of referents, the loop's variable, the argument of getrefcount


class Census:
    """Counts objects.

    Args:
        tracked: how many are listed.

    Attributes:
        kinds: what was found, by the id of the type.
        walked: listed objects that were looked at.
        sites: objects and bytes by file and line; None where `tracemalloc` is not tracing.
        more_types: objects of types beyond the 20,000 that are told apart.
    """

    def __init__(self, tracked: int) -> None:
        self.kinds: dict[int, Kind] = {}
        self.walked: int = 0
        self.more_types: int = 0
        self.sites: dict[tuple[str, int], list[float]] | None = {} if tracemalloc.is_tracing() else None
        self._other = Kind(object)
        # Asking where an object comes from takes longer than all else; of many, some are drawn.
        self._one_of = max(1, tracked // _MOST_ASKED)
        self._random = Random(0)  # noqa: S311  no secret

    def walk(self, objects: list[Any], step: int, pace: Pace, *, keep: bool) -> None:
        """Look at one in `step` of the objects, as long as there is time.

        Args:
            objects: from `gc.get_objects`.
            step: each of those looked at stands for so many.
            pace: when to rest, and when to end.
            keep: leave the list as it is; otherwise it is emptied on the way, so that nothing lives longer than it must.
        """
        at = len(objects)
        while at > 0 and pace.turn():
            piece = objects[max(0, at - _PIECE * step) : at]
            at -= len(piece)
            if not keep:
                del objects[at:]
            # Drawn, not every third: objects that are made three at a time would all be of one kind.
            looked_at = piece if step == 1 else self._random.sample(piece, -(-len(piece) // step))
            del piece
            for obj in looked_at:
                self._count(obj, step, pace)
                if not pace.turn():
                    return

    def _kind(self, obj: object) -> Kind:
        if len(self.kinds) < _MOST_TYPES or id(type(obj)) in self.kinds:
            return kind_of(self.kinds, obj)
        self.more_types += 1
        return self._other

    def _count(self, obj: Any, step: int, pace: Pace) -> None:
        kind = self._kind(obj)
        kind.tracked += step
        self.walked += step
        try:
            size = kind.size(obj)
        except Exception:  # noqa: BLE001  an extension's
            size = 0
        kind.bytes += size * step
        if self.sites is not None:
            self._site(obj, float(step), size, pace)
        self._follow(kind, obj, float(step), _DEPTH, pace)

    def _follow(self, kind: Kind, obj: Any, share: float, depth: int, pace: Pace) -> None:
        """Count what `obj` refers to and the collector does not list."""
        members = None if kind.container is None else sample(kind.container, obj)
        referents, each = (
            (gc.get_referents(obj), share) if members is None else (members[0], share * members[1])
        )
        del members
        is_tracked, references = gc.is_tracked, sys.getrefcount
        for referent in referents:
            if referent is None or is_tracked(referent):
                continue
            part = each / max(1, references(referent) - _OWN_REFERENCES)
            if part < _LEAST_SHARE:
                continue
            found = self._kind(referent)
            found.untracked += part
            try:
                size = found.size(referent)
            except Exception:  # noqa: BLE001  an extension's
                size = 0
            found.bytes += part * size
            if self.sites is not None:
                self._site(referent, part, size, pace)
            if depth and (found.type is dict or found.type is tuple):
                self._follow(found, referent, part, depth - 1, pace)
                pace.turn()  # there may be hundreds of these in one object

    def _site(self, obj: object, part: float, size: int, pace: Pace) -> None:
        if self.sites is None or (self._one_of > 1 and self._random.random() * self._one_of >= 1):
            return
        key = site_of(obj)
        pace.turn()
        if key is None:
            return
        part *= self._one_of
        found = self.sites.get(key)
        if found is None:
            if len(self.sites) >= _MOST_SITES:
                return
            found = self.sites[key] = [0.0, 0.0]
        found[0] += part
        found[1] += part * size

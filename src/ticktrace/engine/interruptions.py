"""What stopped threads lately: written by whoever watches, read when a span that is wanted has ended."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cause", "Interruption", "Interruptions"]

_MOST: Final = 512
# Who watches a loop may tell of a block after what has ended since: so much further back is looked.
_LATE_NS: Final = 2_000_000_000


class Cause:
    """What can stop a thread."""

    GC: Final = "gc"
    LOOP: Final = "loop"
    RATE_LIMIT: Final = "rate_limit"


class Interruption(NamedTuple):
    """A time in which a thread did not get on.

    Attributes:
        cause: one of `Cause`.
        began: monotonic clock, ns.
        ended: monotonic clock, ns.
        name: what did it: the generation, the callback, the provider.
        at: where in the program that was seen; empty where it is not known.
        thread: the thread that it stopped; None for all of them.
    """

    cause: str
    began: int
    ended: int
    name: str
    at: str = ""
    thread: int | None = None

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.ended - self.began) / 1e9


class Interruptions:
    """The last 512 of them, whoever they stopped.

    A garbage collection begins wherever memory is taken, also while this is read: so there is no lock, and no container
    that minds to be changed meanwhile.

    Attributes:
        home: the thread that most is about: that of the first loop that is watched; 0 until there is one. Who is about to
            note its own thread need not, if it is this one.
        unfinished: asked for what goes on at some time: the thread's block that has not ended yet, or None.
    """

    def __init__(self) -> None:
        self._kept: list[Interruption | None] = [None] * _MOST
        self._numbers = count()
        self._newest = -1
        self._latest = 0
        self.home: int = 0
        self.unfinished: tuple[Callable[[int], Interruption | None], ...] = ()

    def add(self, interruption: Interruption) -> None:
        """Note one; the oldest makes room."""
        number = next(self._numbers)
        self._kept[number % _MOST] = interruption
        self._newest = number
        self._latest = max(self._latest, interruption.ended)

    def within(self, began: int, ended: int, thread: int) -> list[Interruption]:
        """What fell into a time, and only as far as it did, the oldest first.

        Args:
            began: monotonic clock, ns.
            ended: monotonic clock, ns.
            thread: whose time it was; 0 for `home`.
        """
        found: list[Interruption] = []
        for unfinished in self.unfinished:
            going_on = unfinished(ended)
            if going_on is not None:
                found.append(going_on)
        if self._latest <= began and not found:  # almost always
            return found
        thread = thread or self.home
        newest = self._newest
        for number in range(newest, max(-1, newest - _MOST), -1):
            noted = self._kept[number % _MOST]
            if noted is None or noted.ended < began - _LATE_NS:
                break
            found.append(noted)
        inside = [
            one._replace(began=max(one.began, began), ended=min(one.ended, ended))
            for one in found
            if one.began < ended and one.ended > began and (one.thread is None or one.thread == thread)
        ]
        inside.sort(key=_began)
        return inside


def _began(interruption: Interruption) -> int:
    return interruption.began

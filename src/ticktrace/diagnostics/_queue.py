"""Entries that wait to be written, and the lines that they become."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ticktrace.engine.barrier import report

from .line import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["END", "Entry", "NewSession", "Queue"]

END: Final = object()
"""What `Queue.next` gives when nothing is left, for now."""


class Entry(Protocol):
    """What becomes lines later, on the drain's thread."""

    def lines(self) -> Iterable[Line]:
        """The lines, in order. Asked for once."""


class NewSession(NamedTuple):
    """What comes behind is of this session."""

    session: str


class Queue:
    """Entries in, lines out. Anybody may put some in; one thread at a time may take lines out.

    Args:
        limit: most entries that wait. Two threads may find the last place free: there are as many too many at most as
            there are threads.
        drop: told what is lost: ``queue_full``, ``shutdown`` or ``invalid``, and how many entries.
        make_room: called with a test for room when there is none; tells whether there is now.

    Attributes:
        take: put an entry in, or lose it. Never raises.
    """

    def __init__(
        self,
        limit: int,
        drop: Callable[[str, int], None],
        make_room: Callable[[Callable[[], bool]], bool] | None,
    ) -> None:
        self._limit = limit
        self._drop = drop
        self._make_room = make_room
        self._closed = False
        self._pending: deque[Any] = deque()
        self._popped = 0
        self._lines: Iterator[Line] | None = None
        self.take: Callable[[Entry | Line], None]
        self.take, self._refuse_all = _taker(self._pending, limit, self._refuse)

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def within(self) -> bool:
        """Whether some of an entry's lines were taken out, and not yet all."""
        return self._lines is not None

    @property
    def end(self) -> int:
        """The number of the last entry that waits."""
        return self._popped + len(self._pending)

    def waits_until(self, end: int) -> bool:
        """Whether something is left of the entries up to the one with that number."""
        return self._lines is not None or (self._popped < end and len(self._pending) > 0)

    def begin_session(self, session: str) -> bool:
        """What is put in from now on is of another session; False where nobody can mean that any more."""
        if self._closed or len(self._pending) >= 2 * self._limit:
            return False
        self._pending.append(NewSession(session))
        return True

    def next(self) -> object:
        """The next line or `NewSession`; None where there was something that is none; `END` at the end."""
        if self._lines is None and not self._begin():
            return END
        lines = self._lines
        if lines is None:
            return None
        try:
            line = next(lines, None)
        except Exception as error:  # noqa: BLE001  the barrier: somebody else's
            self._invalid(error)
            return None
        if line is None:
            self._lines = None
        elif type(line) not in (Line, NewSession):
            self._invalid(TypeError(f"not a line: {type(line).__name__}"))
            return None
        return line

    def close(self) -> None:
        """Put nothing in any more."""
        self._closed = True
        self._refuse_all()

    def clear(self) -> int:
        """Throw away what waits; how many entries."""
        left = len(self._pending) + (self._lines is not None)
        self._lines = None
        self._pending.clear()
        return left

    def _begin(self) -> bool:
        """Turn to the next entry, if there is one."""
        try:
            entry = self._pending.popleft()
        except IndexError:
            return False
        self._popped += 1
        try:
            self._lines = iter((entry,) if type(entry) in (Line, NewSession) else entry.lines())
        except Exception as error:  # noqa: BLE001  the barrier: somebody else's
            self._invalid(error)
        return True

    def _invalid(self, error: Exception) -> None:
        self._lines = None
        report("journal.lines", error)
        self._drop("invalid", 1)

    def _refuse(self, entry: object) -> None:
        """There was no room."""
        if self._closed:
            self._drop("shutdown", 1)
            return
        if self._make_room is not None:
            try:
                if self._make_room(self._has_room):
                    self._pending.append(entry)
                    return
            except Exception as error:  # noqa: BLE001  the barrier: this is the trading thread
                report("journal.make_room", error)
        self._drop("queue_full", 1)

    def _has_room(self) -> bool:
        return len(self._pending) < self._limit


def _taker(
    pending: deque[Any], limit: int, refuse: Callable[[Any], None]
) -> tuple[Callable[[Entry | Line], None], Callable[[], None]]:
    """What takes an entry, and what makes it refuse all."""
    append = pending.append

    def take(entry: Entry | Line, /) -> None:
        if len(pending) < limit:
            append(entry)
        else:
            refuse(entry)

    def refuse_all() -> None:
        nonlocal limit
        limit = 0

    return take, refuse_all

"""Who is at the SDK's locks, lest a thread waits there for itself.

The SDK's locks are not reentrant. A signal handler, or a finaliser, runs on top of whatever its thread is doing: should
it record into a full buffer, or collect, while that thread aggregates or collects, it would wait forever.
"""

from __future__ import annotations

from threading import get_ident

__all__ = ["Inside"]


class Inside:
    """The threads that aggregate or collect just now."""

    __slots__ = ("_threads",)

    def __init__(self) -> None:
        self._threads: set[int] = set()

    def enter(self) -> bool:
        """Note the calling thread; False when it is inside already, and must not go on."""
        here = get_ident()
        if here in self._threads:
            return False
        self._threads.add(here)
        return True

    def here(self) -> bool:
        """Whether the calling thread is inside."""
        return get_ident() in self._threads

    def leave(self) -> None:
        """Undo `enter`."""
        self._threads.discard(get_ident())

    def reset(self) -> None:
        """In a forked child: the other threads are gone, and their numbers may be given anew."""
        self._threads &= {get_ident()}

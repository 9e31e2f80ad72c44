"""Who is at a file: advisory locks, which end with the process however it ends."""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["OPENING", "Held", "hold", "try_lock"]

if sys.platform == "win32":

    def try_lock(_descriptor: int) -> bool | None:
        """Lock an open file; None where it cannot be told whether somebody else has."""
        return None  # nor is it needed: a file that somebody has opened cannot be removed there

else:
    import errno
    import fcntl

    def try_lock(descriptor: int) -> bool | None:
        """Lock an open file until it is closed: False when somebody else has; None where it cannot be told."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
        return True


OPENING: Final = (
    getattr(os, "O_CLOEXEC", 0)  # Windows has neither
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Flags with which every file of the journal is opened: no program started later has it, no link leads elsewhere."""


class Held:
    """A file that is open, and locked.

    Attributes:
        descriptor: of the open file; -1 once it was closed.
        certain: whether it is known that nobody else has it.
    """

    def __init__(self, descriptor: int, certain: bool) -> None:
        self.descriptor: int = descriptor
        self.certain: bool = certain

    def close(self) -> None:
        """Close it, once; the lock ends with that."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def hold(path: str, flags: int) -> Held | None:
    """Open a file and lock it; None when somebody else has it, or it was replaced meanwhile.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | OPENING, 0o644)
    held = None
    try:
        locked = try_lock(descriptor)
        if locked is not False and _is_at(path, descriptor):
            held = Held(descriptor, locked is True)
    finally:
        if held is None:
            os.close(descriptor)
    return held


def _is_at(path: str, descriptor: int) -> bool:
    """Whether the open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False

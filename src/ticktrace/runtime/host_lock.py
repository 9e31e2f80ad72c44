"""Which of several processes tells of the host: the one that holds the lock of a file, until it ends."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ticktrace.engine import warn_once

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DIRECTORY", "HostLock", "lock_path"]

DIRECTORY: Path = Path(tempfile.gettempdir())
"""Where files go that have been given no other place."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def lock_path(names: Sequence[str]) -> Path:
    """A file in the directory for temporary ones, the same for all processes of a user that give the same names."""
    uid = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
    return DIRECTORY / f"ticktrace-host-{uid}-{digest}.lock"


class HostLock:
    """Asked at each collection whether this process tells of the host.

    The first that asks does; when it ends, however that happens, the system lets go of the lock, and whoever asks next
    takes over. Where there are no such locks, or the file cannot be opened, every process tells: twice is better than
    never, and said.

    Args:
        path: the file; it stays, empty, when all have ended. None for no lock at all: then every process tells.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._mine = False
        _all.add(self)

    def mine(self) -> bool:
        """Whether it is this process. Never blocks, never raises."""
        if self._path is None or sys.platform == "win32":
            return True
        with self._lock:
            try:
                return self._ask(self._path)
            except OSError as error:
                self._close()
                warn_once(
                    "host.lock",
                    "ticktrace: %s cannot be locked, so this process tells of the host whether others do or not: %s",
                    self._path,
                    error.strerror or error,
                )
                return True

    def _ask(self, path: Path) -> bool:
        if self._file is not None and not self._is_still(path):
            self._close()
        if self._file is None:
            self._file = os.open(path, _FLAGS, 0o600)
        if not self._mine:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._mine = True
        return True

    def _is_still(self, path: Path) -> bool:
        """Whether the open file is the one of that name: a cleaner of temporary files may have removed it."""
        assert self._file is not None  # noqa: S101  for the type checker; its caller has looked
        try:
            return os.path.samestat(os.fstat(self._file), path.stat())
        except OSError:
            return False

    def _close(self) -> None:
        file, self._file, self._mine = self._file, None, False
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def release(self) -> None:
        """Let another process tell."""
        with self._lock:
            self._close()

    def start_afresh(self) -> None:
        """In a forked child: the parent's lock came along with its file, and is the parent's."""
        self._lock = threading.Lock()
        self._close()


_all: weakref.WeakSet[HostLock] = weakref.WeakSet()


def _start_afresh_in_child() -> None:
    for lock in list(_all):
        lock.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)

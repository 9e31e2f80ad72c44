"""A text file that several processes may append to, and that is followed by another when it has grown.

Its directory may vanish and come back, and its disk may be full for a while: every call tries anew.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows, where only one process should write
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RotatingFile"]

_MODE = 0o640  # what a bot says is not for everybody


class RotatingFile:
    """Appends to a file; when it would grow beyond its size, it becomes ``NAME.1``, ``NAME.1`` becomes ``NAME.2``, and so on.

    Not thread-safe. Whole lines of several processes never mix: each call is one write, and only one process renames.

    Args:
        path: the file; directories are made when needed.
        most_bytes: its greatest size; a single call may exceed it.
        keep: how many earlier files are kept.
    """

    def __init__(self, path: Path, most_bytes: int, keep: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._file: int | None = None
        self._cut = False  # a line is incomplete, because the disk was full

    def append(self, lines: bytes) -> None:
        """Write lines, each with its end.

        Raises:
            OSError: they could not be written, or not to their end.
        """
        try:
            file = self._opened()
            if self._cut:
                lines = b"\n" + lines
            size = os.fstat(file).st_size
            if size and size + len(lines) > self._most_bytes:
                self._rotate(file)
                file = self._opened()
            self._write(file, lines)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def forget(self) -> None:
        """In a forked child, and before anything is written there: open it anew, and not in the middle of a line."""
        self.close()
        self._cut = False

    def _opened(self) -> int:
        """The file under its name, which somebody else may have moved or removed."""
        if self._file is not None:
            if self._has_name(self._file):
                return self._file
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        return self._file

    def _has_name(self, file: int) -> bool:
        try:
            named = self._path.stat()
        except OSError:
            return False
        opened = os.fstat(file)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _rotate(self, file: int) -> None:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends when the file is closed
            except OSError:
                return  # another process is renaming it just now; this write still belongs to it
        if self._has_name(file):  # else another process was faster
            for number in range(self._keep - 1, 0, -1):
                earlier = self._numbered(number)
                if earlier.exists():
                    earlier.replace(self._numbered(number + 1))
            if self._keep:
                self._path.replace(self._numbered(1))
            else:
                self._path.unlink()
        self.close()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _write(self, file: int, lines: bytes) -> None:
        written = 0
        try:
            while written < len(lines):
                written += os.write(file, lines[written:])
        finally:
            if written:
                self._cut = lines[written - 1 : written] != b"\n"

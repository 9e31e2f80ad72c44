"""One file of the journal, which only whole lines are appended to."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ._locking import Held, hold
from .naming import COMPRESSED, file_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["JournalFile", "create"]

_MOST_NAMES: Final = 10_000
_APPENDING: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL


class JournalFile:
    """An open file; see `create`.

    Args:
        path: where it is.
        held: the open file.

    Attributes:
        path: where it is, or was when it was created.
        size: bytes in it.
    """

    def __init__(self, path: Path, held: Held) -> None:
        self.path: Path = path
        self.size: int = 0
        self._held = held
        self._torn = False
        # There are file systems that count no links.
        self._counts_links = os.fstat(held.descriptor).st_nlink > 0

    @property
    def removed(self) -> bool:
        """Whether somebody has removed it, so that nobody would ever see what is appended."""
        try:
            return self._counts_links and os.fstat(self._held.descriptor).st_nlink == 0
        except OSError:
            return True

    def append(self, lines: bytes) -> tuple[int, OSError | None]:
        """Append whole lines, in one system call if the system takes them all.

        What was written of a line that did not fit is taken back; where even that fails, the line stays half, and what
        is appended next begins on a new one.

        Returns:
            How many bytes are in the file now, all of whole lines; and the error because of which it is not all.
        """
        mend = b"\n" if self._torn else b""
        data = mend + lines if mend else lines
        done = 0
        error = None
        try:
            rest = memoryview(data)
            while rest:
                written = os.write(self._held.descriptor, rest)
                done += written
                rest = rest[written:]
        except OSError as found:
            error = found
        if done:
            self._torn = False
        if error is not None:
            done = self._take_back(data, done)
        self.size += done
        return max(0, done - len(mend)), error

    def _take_back(self, data: bytes, done: int) -> int:
        """Of so many bytes that were written, take back what is no whole line; how many are left."""
        whole = data.rfind(b"\n", 0, done) + 1
        if whole < done:
            try:
                end = os.fstat(self._held.descriptor).st_size
                os.ftruncate(self._held.descriptor, end - (done - whole))
            except OSError:
                self._torn = True
        return whole

    def close(self) -> None:
        """Close it; what nothing was written to is removed."""
        if self.size == 0 and not self._torn and not self.removed:
            with suppress(OSError):
                self.path.unlink()
        self.forget()

    def forget(self) -> None:
        """Let go of it without touching it, as in a forked child."""
        with suppress(OSError):
            self._held.close()


def create(directory: Path, session: str, symbol: str, unix: int) -> JournalFile:
    """Create a file that nobody has, and the directory if need be.

    Args:
        directory: where.
        session: part of its name.
        symbol: part of its name.
        unix: part of its name, seconds.

    Raises:
        OSError: it cannot be created.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path in _paths(directory, session, symbol, unix):
        try:
            held = hold(str(path), _APPENDING)
        except FileExistsError:
            continue
        # Between the two, somebody who clears up may have taken it; then it is theirs.
        if held is None:
            continue
        # One of the same name may have been compressed meanwhile, which this one would have to overwrite some day.
        if path.with_name(path.name + COMPRESSED).exists():
            path.unlink()
            held.close()
            continue
        return JournalFile(path, held)
    raise FileExistsError(f"{_MOST_NAMES} names are taken in {directory}")


def _paths(directory: Path, session: str, symbol: str, unix: int) -> Iterator[Path]:
    for number in range(1, _MOST_NAMES + 1):
        yield directory / file_name(session, symbol, unix, number)

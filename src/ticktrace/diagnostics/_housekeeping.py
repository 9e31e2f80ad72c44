"""What is done about files that are complete: the oldest are removed, and the others compressed.

Several processes may do this in one directory, and any of them may be killed at any point. Who writes or compresses a
file holds a lock on it, which the system lets go of when the process ends. A file is compressed under another name, which
then becomes ``.gz``, and only then is the original removed: both together hold the same.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ticktrace.engine.barrier import warn_once
from ticktrace.engine.clock import NANOSECONDS

from ._locking import OPENING, hold
from .naming import COMPRESSED, PARTIAL, SUFFIX, is_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ticktrace.settings.diagnostics import JournalSettings

    from ._locking import Held

__all__ = ["Housekeeping"]

_ROUND_SECONDS: Final = 60.0
_LISTED_AT_ONCE: Final = 64
_COMPRESSED_AT_ONCE: Final = 16_384
_LEVEL: Final = 6
_GZIP: Final = 16 + zlib.MAX_WBITS


class _StoppedError(Exception):
    """Time is up."""


class _Found(NamedTuple):
    """A file of the directory.

    Attributes:
        written: when it was last, Unix nanoseconds.
        path: where it is.
        size: bytes.
    """

    written: int
    path: str
    size: int


class Housekeeping:
    """Goes through a directory once a minute, and whenever `due` was set, in small pieces.

    Args:
        settings: of the journal.
        wall: the wall clock, Unix nanoseconds.
        clock: a clock that only goes on, seconds.

    Attributes:
        due: whether the next round should not wait.
    """

    def __init__(
        self, settings: JournalSettings, *, wall: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._wall = wall
        self._clock = clock
        self._round: Generator[None, None, None] | None = None
        self._next = clock()
        self.due: bool = False

    def piece(self) -> bool:
        """Do a little of what is to be done; whether there is more.

        Raises:
            Exception: what a round raised; it has ended with that.
        """
        if self._round is None:
            now = self._clock()
            if not self.due and now < self._next:
                return False
            self.due = False
            self._next = now + _ROUND_SECONDS
            self._round = self._go_round()
        try:
            next(self._round)
        except StopIteration:
            self._round = None
            return self.due
        except BaseException:
            self._round = None
            raise
        return True

    def stop(self) -> None:
        """Do not go on: what is half compressed is removed."""
        rest, self._round = self._round, None
        self.due = False
        if rest is not None:
            with suppress(_StoppedError, StopIteration):
                rest.throw(_StoppedError())

    def abandon(self) -> None:
        """In a forked child: the round under way is the parent's."""
        self._round = None
        self.due = False

    def _go_round(self) -> Generator[None, None, None]:
        found: list[_Found] = []
        for at, entry in enumerate(_entries(self._settings.directory)):
            with suppress(OSError):  # gone meanwhile
                status = entry.stat(follow_symlinks=False)
                if is_journal(entry.name) and stat.S_ISREG(status.st_mode):
                    found.append(_Found(status.st_mtime_ns, entry.path, status.st_size))
            if at % _LISTED_AT_ONCE == _LISTED_AT_ONCE - 1:
                yield
        yield
        found.sort()
        partial = [file for file in found if file.path.endswith(PARTIAL)]
        for file in partial:
            _sweep(file.path)
            yield
        whole = [file for file in found if not file.path.endswith(PARTIAL)]
        kept = yield from self._retain(whole)
        names = {file.path for file in kept}
        for file in kept:
            if file.path.endswith(SUFFIX):
                if file.path + COMPRESSED in names:
                    _remove(file.path)  # a process was killed between making the other and removing this
                elif self._settings.compression == "gzip":
                    yield from _compress(file.path)
                yield

    def _retain(self, files: list[_Found]) -> Generator[None, None, list[_Found]]:
        settings = self._settings
        expired = self._wall() - round(settings.keep_for * NANOSECONDS)
        number, size = len(files), sum(file.size for file in files)
        kept = []
        for file in files:
            if (
                file.written < expired or number > settings.keep_files or size > settings.keep_bytes
            ) and _remove(file.path):
                number -= 1
                size -= file.size
            else:
                kept.append(file)
            yield
        return kept


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except OSError:  # there is none, or not any more
        return


def _take(path: str) -> Held | None:
    """Lock a file that nobody is at; None when somebody is, or may be."""
    try:
        held = hold(path, os.O_RDWR)
    except OSError:
        return None
    if held is not None and not held.certain and sys.platform != "win32":
        held.close()
        return None
    return held


def _remove(path: str) -> bool:
    """Remove a file that nobody is at; whether it is gone."""
    held = None
    if path.endswith(SUFFIX):
        held = _take(path)
        if held is None:
            return not os.path.lexists(path)
    if sys.platform == "win32" and held is not None:  # no open file can be removed there
        held.close()
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        if held is not None:
            held.close()
    return True


def _sweep(partial: str) -> None:
    """Remove what a process left half compressed when it was killed, unless it is at it still."""
    original = partial.removesuffix(PARTIAL).removesuffix(COMPRESSED)
    held = None
    if os.path.lexists(original):
        held = _take(original)
        if held is None:
            return
    with suppress(OSError):
        Path(partial).unlink()
    if held is not None:
        held.close()


def _compress(path: str) -> Generator[None, None, None]:
    """Compress a file that nobody is at, and remove it."""
    if sys.platform == "win32":  # whether anybody is at it cannot be told
        return
    source = _take(path)
    if source is None:
        return
    target = None
    try:
        partial = path + COMPRESSED + PARTIAL
        if os.fstat(source.descriptor).st_size:
            target = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPENING, 0o644)
            yield from _deflate(source.descriptor, target)
            status = os.fstat(source.descriptor)
            # So that it is as old as what is in it.
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            Path(partial).rename(path + COMPRESSED)
        Path(path).unlink()
    except (OSError, _StoppedError) as error:
        if target is not None:
            with suppress(OSError):
                Path(partial).unlink()
        if isinstance(error, _StoppedError):
            raise
        warn_once("journal.compress", "ticktrace: the journal %s cannot be compressed: %s", path, error)
    finally:  # also in a forked child, which lets go of the iterator; so nothing but this
        source.close()
        if target is not None:
            os.close(target)


def _deflate(source: int, target: int) -> Generator[None, None, None]:
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    while chunk := os.read(source, _COMPRESSED_AT_ONCE):
        _write(target, deflater.compress(chunk))
        yield
    _write(target, deflater.flush())


def _write(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]

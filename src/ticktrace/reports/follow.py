"""Follow journals that are being written: files that grow, new ones, and those that are cut, renamed or removed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ticktrace.reports.reading import CHUNK, Batch, LineReader, lines_of
from ticktrace.reports.sources import NoSuchFile, Source, find, look_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.reports.tally import Tally

__all__ = ["Follower"]

_MOST_OPEN: Final = 200
_BEGINNING: Final = 512


@dataclass
class _Followed:
    """A file, by what it is and not by what it is called.

    Attributes:
        source: what its first lines said.
        file: open; it can be read to its end after somebody has renamed or removed it.
        reader: holds the beginning of a line that is not finished.
        position: bytes read.
    """

    source: Source
    file: IO[bytes]
    reader: LineReader
    position: int = 0


class Follower:
    """Counts what is added to journals.

    The beginning of a line waits for its end. A file that became shorter is read from its beginning again: what it says
    then counts in addition. Packed journals are read once; one that was followed while it was unpacked is not read again.

    Attributes:
        files: that were seen so far.
    """

    def __init__(self, paths: Sequence[str], tally: Tally) -> None:
        self.files: int = 0
        self._paths = list(paths)
        self._tally = tally
        self._open: dict[tuple[int, int], _Followed] = {}
        # A number of a file is given to another once the file is gone, so the beginnings are compared as well.
        self._done: dict[tuple[int, int], bytes] = {}
        self._seen: set[str] = set()

    def poll(self) -> bool:
        """Count what is new, and return whether there was something."""
        changed = self._look()
        for key, followed in list(self._open.items()):
            changed |= self._read(followed)
            if self._gone(key, followed):
                self._end(key, followed)
        return changed

    def close(self) -> None:
        """Let go of all files; what is left of a last line counts as it is."""
        for key, followed in list(self._open.items()):
            self._end(key, followed)

    def _look(self) -> bool:
        """Find files that are new."""
        paths: list[str] = []
        for path in self._paths:
            try:
                paths += find([path])
            except NoSuchFile:  # perhaps later, or never again
                continue
        fresh: list[str] = []
        for path in paths:
            try:
                stat = os.stat(path)  # noqa: PTH116 - the same as below, by descriptor
            except OSError:
                continue
            key = stat.st_dev, stat.st_ino
            if key not in self._open and stat.st_size and not self._was_read(key, path):
                fresh.append(path)
        changed = False
        for path in fresh:
            changed |= self._begin(path)
        return changed

    def _was_read(self, key: tuple[int, int], path: str) -> bool:
        if key not in self._done:
            return False
        try:
            with Path(path).open("rb") as file:
                return file.read(_BEGINNING) == self._done[key]
        except OSError:
            return True

    def _begin(self, path: str) -> bool:
        full = str(Path(path).resolve())
        try:
            source = look_at([path])[0]
            file = source.open()
        except OSError:
            return False
        stat = os.fstat(file.fileno())
        key = stat.st_dev, stat.st_ino
        if path.endswith(".gz"):
            self._done[key] = _beginning(file)
            with file:
                if full.removesuffix(".gz") in self._seen:
                    return False
                self._take_packed(source, file)
            self.files += 1
            return True
        if stat.st_size < CHUNK and b"\n" not in file.read(CHUNK):
            file.close()  # its first line, which says whose it is, is still being written
            return False
        file.seek(0)
        if len(self._open) >= _MOST_OPEN:
            oldest = next(iter(self._open))
            self._end(oldest, self._open[oldest])
        if source.schema is not None:
            self._tally.newer[path] = source.schema
        self._seen.add(full)
        self._open[key] = _Followed(source, file, LineReader())
        self.files += 1
        return True

    def _take_packed(self, source: Source, file: IO[bytes]) -> None:
        process = self._tally.process(source.process)
        for batch in lines_of(file):
            if isinstance(batch, Batch):
                self._tally.take(source.path, process, batch)
            else:
                self._tally.trouble(source.path, batch)

    def _read(self, followed: _Followed) -> bool:
        if os.fstat(followed.file.fileno()).st_size < followed.position:
            followed.file.seek(0)
            followed.position, followed.reader = 0, LineReader()
        process = self._tally.process(followed.source.process)
        changed = False
        while data := followed.file.read(CHUNK):
            followed.position += len(data)
            for batch in followed.reader.feed(data):
                changed = True
                if isinstance(batch, Batch):
                    self._tally.take(followed.source.path, process, batch)
                else:
                    self._tally.trouble(followed.source.path, batch)
        return changed

    def _gone(self, key: tuple[int, int], followed: _Followed) -> bool:
        """Whether the file is no longer where it was: then it has been read to its end, and nobody writes to it."""
        try:
            stat = os.stat(followed.source.path)  # noqa: PTH116 - the same as above
        except OSError:
            return True
        return (stat.st_dev, stat.st_ino) != key

    def _end(self, key: tuple[int, int], followed: _Followed) -> None:
        self._open.pop(key, None)
        with followed.file:
            if os.fstat(followed.file.fileno()).st_nlink:
                self._done[key] = _beginning(followed.file)
            for batch in followed.reader.end():
                process = self._tally.process(followed.source.process)
                self._tally.take(followed.source.path, process, batch)


def _beginning(file: IO[bytes]) -> bytes:
    position = file.tell()
    file.seek(0)
    beginning = file.read(_BEGINNING)
    file.seek(position)
    return beginning

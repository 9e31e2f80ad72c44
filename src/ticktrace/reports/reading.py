"""Read journals as they are: plain or gzipped, growing, cut off, damaged. Whole lines come out, in batches."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CHUNK", "LONGEST", "Batch", "LineReader", "Trouble", "lines_of"]

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""

LONGEST: Final = 8 << 20
"""Bytes of a line, at most; the journal's own are a thousandth of it."""

_GZIP: Final = b"\x1f\x8b"
_WITH_GZIP_HEADER: Final = 31


class Batch(NamedTuple):
    """Some whole lines.

    Attributes:
        lines: the bytes, each line with its newline, except perhaps the last of a file.
        size: how many newlines, and one for a last line that has none.
        line: number of the first, from 1.
        byte: where the first begins, in the text (in a gzipped file: in what it unpacks to).
    """

    lines: bytes
    size: int
    line: int
    byte: int


class Trouble(NamedTuple):
    """What could not be read at all: a broken archive, a line without end."""

    line: int
    byte: int
    error: str


@dataclass
class LineReader:
    """Cuts what it is fed into batches of whole lines; it holds what is left of the last one.

    Attributes:
        line: number of the next line, from 1.
        byte: where that begins.
    """

    line: int = 1
    byte: int = 0
    _rest: bytes = b""
    _skipping: bool = False

    def feed(self, data: bytes) -> Iterator[Batch | Trouble]:
        """Take more of the file."""
        if self._skipping:
            data = self._skip(data)
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._rest += data
            if len(self._rest) > LONGEST:
                yield Trouble(self.line, self.byte, f"longer than {LONGEST:,} bytes")
                self.byte += len(self._rest)
                self._rest, self._skipping = b"", True
            return
        lines = self._rest + data[:cut]
        self._rest = data[cut:]
        count = lines.count(b"\n")
        yield Batch(lines, count, self.line, self.byte)
        self.line += count
        self.byte += len(lines)

    def _skip(self, data: bytes) -> bytes:
        cut = data.find(b"\n") + 1
        if not cut:
            self.byte += len(data)
            return b""
        self._skipping = False
        self.line += 1
        self.byte += cut
        return data[cut:]

    def end(self) -> Iterator[Batch]:
        """Give what follows the last newline."""
        if self._rest:
            yield Batch(self._rest, 1, self.line, self.byte)
            self.line += 1
            self.byte += len(self._rest)
            self._rest = b""


def lines_of(file: IO[bytes], read: Callable[[int], object] | None = None) -> Iterator[Batch | Trouble]:
    """Yield the lines of an open file, and what is wrong with it. Whether it is gzipped is seen from its first bytes.

    Args:
        file: at its beginning; a pipe will do.
        read: is told how many bytes of the file were read.

    Raises:
        OSError: the file cannot be read.
    """
    reader = LineReader()
    try:
        for data in _unpacked(file, read or (lambda _: None)):
            yield from reader.feed(data)
    except zlib.error as error:
        yield from reader.end()
        # zlib words it as "Error -3 while decompressing data: invalid block type"
        yield Trouble(reader.line, reader.byte, f"broken gzip: {str(error).rpartition(': ')[2]}")
    except EOFError:
        yield from reader.end()
        yield Trouble(reader.line, reader.byte, "cut off in the middle of gzip data")
    else:
        yield from reader.end()


def _unpacked(file: IO[bytes], read: Callable[[int], object]) -> Iterator[bytes]:
    data = file.read(CHUNK)
    if not data.startswith(_GZIP):
        while data:
            read(len(data))
            yield data
            data = file.read(CHUNK)
        return
    unpack = zlib.decompressobj(_WITH_GZIP_HEADER)
    while data:
        read(len(data))
        while data:
            if unpack.eof:  # archives may follow one another; zeros may fill the rest
                data = data.lstrip(b"\0")
                if not data:
                    break
                unpack = zlib.decompressobj(_WITH_GZIP_HEADER)
            yield unpack.decompress(data, CHUNK)
            data = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        data = file.read(CHUNK)
    if not unpack.eof:
        yield unpack.flush()
    if not unpack.eof:
        raise EOFError

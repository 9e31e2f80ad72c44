"""Which files there are to read, in which order, and whose they are."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ticktrace.reports.event import SessionPayload, UnreadableLine, event_of, newer, payload_as
from ticktrace.reports.reading import CHUNK, Batch, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["STDIN", "NoSuchFile", "Source", "Spool", "find", "look_at"]

STDIN: Final = "-"
SUFFIXES: Final = (".jsonl", ".jsonl.gz")


class NoSuchFile(ValueError):  # noqa: N818 - the user meets the message, not the name
    """A path names nothing that can be read; the message says which and what could be."""


@dataclass(frozen=True)
class Source:
    """A journal.

    Attributes:
        path: the file; `STDIN` for standard input.
        process: who wrote it: the files of one process belong together, decisions of others are others.
        ts: of the first line, Unix nanoseconds; 0 where it has none that can be read.
        size: bytes, 0 where nobody knows.
        schema: of the lines, where that is newer than what is understood here.
        spool: where standard input is kept.
    """

    path: str
    process: str
    ts: int = 0
    size: int = 0
    schema: int | None = None
    spool: Spool | None = None

    def open(self) -> IO[bytes]:
        """Open it at its beginning.

        Raises:
            OSError: it cannot be read.
        """
        return Path(self.path).open("rb", buffering=0) if self.spool is None else self.spool.open()


class Spool:
    """Standard input as a file, because a report may have to read it more than once."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            while data := sys.stdin.buffer.read(CHUNK):
                file.write(data)
            file.flush()
            self._descriptor: int = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def open(self) -> IO[bytes]:
        """Return it at its beginning; the caller closes it."""
        file = os.fdopen(os.dup(self._descriptor), "rb", buffering=0)
        file.seek(0)
        return file


def find(paths: Sequence[str]) -> list[str]:
    """Return the files that paths name: files, directories with journals in them, patterns that no shell expanded.

    Each once; and where a journal is there packed and unpacked, because it is being packed, the unpacked one.

    Raises:
        NoSuchFile: a path names nothing.
    """
    found: dict[str, str] = {}
    for path in paths:
        for name in _named_by(path):
            found.setdefault(name if name == STDIN else str(Path(name).resolve()), name)
    return [name for full, name in found.items() if not (full.endswith(".gz") and full[:-3] in found)]


def _named_by(path: str) -> list[str]:
    if path == STDIN:
        return [path]
    there = Path(path)
    if there.is_dir():
        return sorted(
            str(file) for file in there.iterdir() if file.name.endswith(SUFFIXES) and file.is_file()
        )
    if there.exists():
        return [path]
    if glob.has_magic(path):
        files = sorted(name for name in glob.glob(path, recursive=True) if Path(name).is_file())  # noqa: PTH207 - of any root
        if files:
            return files
        raise NoSuchFile(f"nothing matches {path}")
    raise NoSuchFile(f"no such file or directory: {path}")


def look_at(paths: Sequence[str]) -> list[Source]:
    """Return what the first lines of files say, those of one process together and in the order of time.

    Raises:
        OSError: a file cannot be read.
    """
    sources = [_source(path) for path in paths]
    began: dict[str, int] = {}
    for source in sources:
        began[source.process] = min(began.get(source.process, source.ts), source.ts)
    return sorted(sources, key=lambda source: (began[source.process], source.process, source.ts, source.path))


def _source(path: str) -> Source:
    spool = Spool() if path == STDIN else None
    with Source(path, path, spool=spool).open() as file:
        size = os.fstat(file.fileno()).st_size
        for line in _first_lines(file):
            try:
                event = event_of(line)
            except UnreadableLine:
                continue
            schema = event.schema if newer(event) else None
            process = path
            if event.stage == "session":
                try:
                    told = payload_as(event, SessionPayload)
                except UnreadableLine:
                    told = SessionPayload()
                if told.pid is not None and told.started is not None:
                    process = f"{told.service} {told.session} {told.pid} {told.started}"
            return Source(path, process, event.ts, size, schema, spool)
    return Source(path, path, 0, size, spool=spool)


def _first_lines(file: IO[bytes]) -> Iterator[bytes]:
    for batch in lines_of(file):
        if isinstance(batch, Batch):
            yield from batch.lines.split(b"\n", 20)[:20]
        return

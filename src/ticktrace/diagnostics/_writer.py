"""The files of one session, one after the other, and what happens when they cannot be written."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final

from ticktrace.engine.clock import NANOSECONDS

from ._file import create

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ticktrace.settings.diagnostics import JournalSettings

    from ._file import JournalFile

__all__ = ["Writer"]

_log = logging.getLogger("ticktrace")

_QUIET_SECONDS: Final = 60.0  # a disk that is just about full must not fill the log
_FULL: Final = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)
)  # what goes by while the file is as good as before


class Writer:
    """Appends to the current file, begins another when that is due, and tries again when it has failed.

    Args:
        settings: of the journal.
        header: the first line of a file that begins now, without its end.
        wall: the wall clock, Unix nanoseconds.
        clock: a clock that only goes on, seconds.
        retry_seconds: after a failure, nothing is tried for so long.

    Attributes:
        session: part of the files' names.
        path: of the current file, or of the last one.
        failing: whether the last attempt to write failed.
    """

    def __init__(
        self,
        settings: JournalSettings,
        header: Callable[[], bytes],
        session: str,
        *,
        wall: Callable[[], int],
        clock: Callable[[], float],
        retry_seconds: float,
    ) -> None:
        self._settings = settings
        self._header = header
        self._wall = wall
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._file: JournalFile | None = None
        self._began = 0.0
        self._retry_at = 0.0
        self._lost = 0
        self._said_at: float | None = None
        self._told = False
        self.session: str = session
        self.path: Path | None = None
        self.failing: bool = False

    @property
    def ready(self) -> bool:
        """Whether it is worth trying."""
        return not self.failing or self._clock() >= self._retry_at

    @property
    def room(self) -> int:
        """Bytes until the current file is large enough."""
        return self._settings.rotate_bytes - (self._file.size if self._file is not None else 0)

    def append(self, lines: Sequence[bytes], symbol: str) -> int:
        """Append lines, which have no end yet, to the current file or a new one; how many of them are lost.

        Args:
            lines: one at least.
            symbol: for the name of the file, if a new one begins.
        """
        if not self.ready:
            return self.lose(len(lines))
        try:
            file = self._opened(symbol)
        except OSError as error:
            return self._failed(error, len(lines))
        heads = 0 if file.size else 1
        data = b"\n".join((self._header(), *lines, b"") if heads else (*lines, b""))
        whole, failure = file.append(data)
        if failure is None:
            self._succeeded()
            return 0
        written = max(0, data.count(b"\n", 0, whole) - heads)
        if failure.errno not in _FULL:
            self.close()
        return self._failed(failure, len(lines) - written)

    def lose(self, lines: int) -> int:
        """So many lines are lost, because nothing can be written now; how many."""
        self._lost += lines
        return lines

    def rotate(self) -> bool:
        """Close the current file if it is large or old enough; whether it was."""
        file = self._file
        if file is None or not file.size:
            return False
        if (
            file.size >= self._settings.rotate_bytes
            or self._clock() - self._began >= self._settings.rotate_after
        ):
            self.close()
            return True
        return False

    def close(self) -> None:
        """Close the current file; the next line begins another."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's file, and begin anew."""
        file, self._file = self._file, None
        if file is not None:
            file.forget()
        self.path = None
        self.failing = self._told = False
        self._lost = 0

    def retry_now(self) -> None:
        """The next attempt need not wait."""
        self._retry_at = self._clock()

    def _opened(self, symbol: str) -> JournalFile:
        file = self._file
        if file is not None and file.removed:
            _log.warning("ticktrace: the journal %s was removed; another begins", file.path)
            self.close()
            file = None
        if file is None:
            directory = self._settings.directory
            file = self._file = create(directory, self.session, symbol, self._wall() // NANOSECONDS)
            self.path = file.path
            self._began = self._clock()
        return file

    def _failed(self, error: OSError, lines: int) -> int:
        now = self._clock()
        self._retry_at = now + self._retry_seconds
        if not self.failing:
            self.failing = True
            self._told = self._said_at is None or now - self._said_at >= _QUIET_SECONDS
            if self._told:
                self._said_at = now
                _log.warning(
                    "ticktrace: the journal in %s cannot be written: %s; its lines are lost, and counted, until it can",
                    self._settings.directory,
                    error.strerror or error,
                )
        return self.lose(lines)

    def _succeeded(self) -> None:
        if not self.failing:
            return
        self.failing = False
        if self._told:
            _log.warning(
                "ticktrace: the journal in %s can be written again; lines lost meanwhile: %d",
                self._settings.directory,
                self._lost,
            )
            self._lost = 0

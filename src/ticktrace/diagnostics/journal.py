"""The journal: entries in, lines of JSON out, and nobody waits for it.

Whoever has decided something leaves an entry, which costs an append; the drain asks it for its lines, encodes and writes
them, some at a time.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ticktrace.engine.attendant import Deadline
from ticktrace.engine.barrier import report
from ticktrace.engine.clock import NANOSECONDS

from ._housekeeping import Housekeeping
from ._queue import NewSession, Queue
from ._writer import Writer
from .encoding import LineEncoder
from .line import SCHEMA_VERSION, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace.settings.diagnostics import JournalSettings

    from ._queue import Entry
    from .encoding import Scrubber

__all__ = ["Journal", "Writing"]

_SLICE_SECONDS: Final = 0.0002
_TIDYING_SECONDS: Final = 0.02  # of every pass at most: others have to be drained, too
_COMPRESSING_SECONDS: Final = 1.0  # at the end
_RETRY_SECONDS: Final = 5.0
_NONE: Final = "none"
_MULTI: Final = "multi"


class Writing(NamedTuple):
    """Who writes a journal; what its first line says.

    Attributes:
        service: `service.name`.
        version: of ticktrace.
        engine: which one runs.
        mode: live, paper or backtest, as the settings have it.
    """

    service: str
    version: str
    engine: str
    mode: str


class Journal:
    """Writes what it takes to files in a directory; a source of the drain.

    In a forked child it begins anew by itself: what the parent has taken is the parent's to write.

    Args:
        settings: where, how much, how long.
        writing: for the first line of each file.
        wall: the wall clock, Unix nanoseconds.
        clock: a clock that only goes on, seconds.
        scrubber: removes secrets; None where there is none.
        on_dropped: told the reason and how much is lost: ``queue_full`` (entries: there was no room),
            ``write_failed`` (lines: the disk did not take them), ``invalid`` (entries that raised when they were asked
            for their lines), ``shutdown`` (entries that came too late, or were left when time was up). On any thread;
            must not block.
        make_room: where nothing may be lost for lack of room, called with a test for room; tells whether there is room
            now. None where losing is right.
        retry_seconds: how long nothing is written after a failure.

    Attributes:
        take: takes an entry, or a `Line`, for the drain to write: an append. Any thread; never raises, and blocks only
            where `make_room` does.
        written: lines, without the first ones of files.
        dropped: what was lost, by reason, in units as above.
    """

    def __init__(
        self,
        settings: JournalSettings,
        writing: Writing,
        *,
        wall: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
        scrubber: Scrubber | None = None,
        on_dropped: Callable[[str, int], None] | None = None,
        make_room: Callable[[Callable[[], bool]], bool] | None = None,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._settings = settings
        self._writing = writing
        self._wall = wall
        self._on_dropped = on_dropped
        self._encoder = LineEncoder(settings.line_bytes, scrubber)
        self._session = settings.session or writing.service
        self._writer = Writer(
            settings,
            self._header,
            self._encoder.word(self._session),
            wall=wall,
            clock=clock,
            retry_seconds=retry_seconds,
        )
        self._housekeeping = Housekeeping(settings, wall=wall, clock=clock)
        self._queue = Queue(settings.buffer_size, self._drop, make_room)
        self._closed = False
        self.take: Callable[[Entry | Line], None] = self._queue.take
        self._begin_afresh()
        _journals.add(self)

    def _begin_afresh(self) -> None:
        self._counting = threading.RLock()  # reentrant, as the next one: a signal handler may do anything
        self._lock = threading.RLock()
        self._busy = False
        self._symbol: str | None = None
        self._started = self._wall()
        self.written: int = 0
        self.dropped: dict[str, int] = {}

    @property
    def path(self) -> Path | None:
        """The file that is being written, or was last; None before the first line."""
        return self._writer.path

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._writer.failing

    @property
    def waiting(self) -> int:
        """Entries taken that were not looked at yet."""
        return len(self._queue)

    def update_session(self, session: str) -> None:
        """What is taken from now on is of another session, and goes to a new file."""
        if self._queue.begin_session(session):
            self._session = session

    def steps(self) -> Iterator[object]:
        """What was taken so far, in pieces of some 200 µs; then rotation, retention and compression, a little."""
        write = self._writing_until(self._queue.end)
        while self._turn(write):
            yield None
        tidying = Deadline(_TIDYING_SECONDS)
        while self._turn(self._tidy) and tidying.remaining() > 0:
            yield None

    def flush(self, seconds: float) -> bool:
        """Write what was taken so far, on the calling thread; whether that was done in time, and the disk took it."""
        deadline = Deadline(seconds)
        write = self._writing_until(self._queue.end)
        while more := self._turn(write, deadline.remaining()):
            if deadline.remaining() <= 0:
                break
        return more is False and not self._writer.failing

    def close(self, seconds: float) -> bool:
        """Take nothing more, write what was taken, and close the file; whether all of it was written.

        A failing disk is tried once more. With compression, the file is compressed if that is done within a second.
        """
        if self._closed:
            return True
        self._closed = True
        self._queue.close()
        deadline = Deadline(seconds)
        self._writer.retry_now()
        done = self.flush(deadline.remaining())
        if self._turn(self._end, deadline.remaining()) is None:  # another thread hangs in a write
            self._drop_rest()
        compressing = Deadline(min(_COMPRESSING_SECONDS, deadline.remaining()))
        while self._turn(self._tidy, compressing.remaining()) and compressing.remaining() > 0:
            pass
        self._turn(self._stop_tidying, deadline.remaining())
        return done

    def abandon(self) -> None:
        """In a forked child: forget the parent's entries and its file, and count from zero."""
        self._queue.clear()
        self._writer.abandon()
        self._writer.session = self._encoder.word(self._session)
        self._housekeeping.abandon()
        self._begin_afresh()

    def _drop(self, reason: str, count: int) -> None:
        with self._counting:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        if self._on_dropped is not None:
            try:
                self._on_dropped(reason, count)
            except Exception as error:  # noqa: BLE001  the barrier
                report("journal.on_dropped", error)

    def _drop_rest(self) -> None:
        left = self._queue.clear()
        if left:
            self._drop("shutdown", left)

    def _turn(self, do: Callable[[], bool], seconds: float = -1) -> bool | None:
        """Do a piece of work, one thread at a time; whether there is more. None when it was not done."""
        lock = self._lock
        if not lock.acquire(timeout=seconds):
            return None
        try:
            if self._busy:  # this very thread, in a signal handler or in a `lines` that flushes
                return None
            self._busy = True
            try:
                return do()
            except Exception as error:  # noqa: BLE001  the barrier
                report("journal", error)
                return None
            finally:
                self._busy = False
        finally:
            lock.release()

    def _writing_until(self, end: int) -> Callable[[], bool]:
        """What writes some of the entries, up to the one with that number; it tells whether there are more."""

        def write() -> bool:
            if self._queue.waits_until(end):
                self._write_some()
            return self._queue.waits_until(end)

        return write

    def _write_some(self) -> None:
        """As many lines as can be made in a slice, in one write."""
        writer = self._writer
        path = writer.path
        made: list[bytes] = []
        session = None
        try:
            session = self._make(made)
        finally:  # also when somebody wants this thread to end
            if made:
                lost = writer.append(made, self._symbol or _NONE)
                self.written += len(made) - lost
                if lost:
                    self._drop("write_failed", lost)
        if session is not None:
            writer.close()
            writer.session = self._encoder.word(session.session)
            self._symbol = None
            self._housekeeping.due = True
        # Not within an entry: the lines of a decision stay together.
        if (not self._queue.within and writer.rotate()) or writer.path != path:
            self._housekeeping.due = True

    def _make(self, made: list[bytes]) -> NewSession | None:
        """Fill the list with lines, until time is up, the file is large enough, or another session begins."""
        ends = time.perf_counter() + _SLICE_SECONDS
        queue, encode = self._queue, self._encoder.encode
        ready, room, lost = self._writer.ready, self._writer.room, 0
        found = None
        while time.perf_counter() < ends and (room > 0 or queue.within):
            found = queue.next()
            if type(found) is Line:
                if ready:
                    data = encode(found)
                    made.append(data)
                    room -= len(data) + 1
                    self._note_symbol(found.symbol)
                else:
                    lost += 1
            elif found is not None:
                break
        if lost:
            self._writer.lose(lost)
            self._drop("write_failed", lost)
        return found if type(found) is NewSession else None

    def _note_symbol(self, symbol: Any) -> None:
        """For the name of the next file."""
        if symbol is None or self._symbol is _MULTI:
            return
        word = symbol if type(symbol) is str and symbol == self._symbol else self._encoder.word(symbol)
        if self._symbol is None:
            self._symbol = word
        elif word != self._symbol:
            self._symbol = _MULTI

    def _tidy(self) -> bool:
        if self._writer.rotate():
            self._housekeeping.due = True
        return self._housekeeping.piece()

    def _end(self) -> bool:
        self._drop_rest()
        self._writer.close()
        self._housekeeping.due = self._settings.compression != "none"
        return False

    def _stop_tidying(self) -> bool:
        self._housekeeping.stop()
        return False

    def _header(self) -> bytes:
        writing = self._writing
        word = self._encoder.word
        payload = {
            "session": self._writer.session,
            "service": word(writing.service),
            "version": word(writing.version),
            "pid": os.getpid(),
            "engine": word(writing.engine),
            "mode": word(writing.mode),
            "started": datetime.fromtimestamp(self._started / NANOSECONDS, UTC).isoformat(),
        }
        # Not scrubbed by key, because secrets are called `session`, too.
        return _HEADERS.encode(
            Line(
                ts=self._wall(),
                component="ticktrace",
                stage="session",
                payload=payload,
                schema=SCHEMA_VERSION,
            )
        )


_HEADERS: Final = msgspec.json.Encoder()
_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _abandon_in_child() -> None:
    for journal in _journals:
        journal.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_in_child)

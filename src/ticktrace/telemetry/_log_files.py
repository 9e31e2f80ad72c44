"""Log files: records of `logging` in text files of their own, with their trace ids and without secrets.

Whoever logs only hands over what was said; a thread writes it, in batches. It may hold up, lose its disk or its
directory: then records are counted and lost, and nobody waits.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.engine import attempt, report
from ticktrace.scrubbing import scrubber_of
from ticktrace.telemetry._rotating import RotatingFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ticktrace.engine import BoundCounter
    from ticktrace.settings import LogsSettings, Settings

__all__ = ["LogFile", "write_log_files"]

_log = logging.getLogger("ticktrace")
_METRICS: Final = logging.getLogger("ticktrace.metrics")

_MOST_WAITING: Final = 8_192
_GATHER_SECONDS: Final = (
    0.05  # between a record and its writing, so that a hundred of them wake the thread once
)
_LINES_AT_ONCE: Final = 16  # some 0.2 ms; then whoever waits for the GIL gets it
_PAUSE_SECONDS: Final = 0.00005
_WRITE_BYTES: Final = 65_536
_CLOSE_SECONDS: Final = 1.0
_FORMAT: Final = logging.Formatter()


class _Said(NamedTuple):
    """What is known of a record once its arguments are text; they may change afterwards."""

    created: float
    level: str
    logger: str
    place: str
    trace_id: str
    span_id: str
    message: str


class LogFile:
    """Writes records to a file. Thread-safe; nothing in it raises or blocks, but for `close`.

    Args:
        path: the file.
        settings: when it is followed by another.
        scrub: takes secrets out of what was said.
        on_loss: told how many records were lost, and why: ``queue_full``, ``write_failed``, ``shutdown``.

    Attributes:
        lost: how many records were lost.
    """

    def __init__(
        self,
        path: Path,
        settings: LogsSettings,
        scrub: Callable[[str], str],
        on_loss: Callable[[int, str], None],
    ) -> None:
        self._path = path
        self._file = RotatingFile(self._path, settings.rotate_bytes, settings.keep_files)
        self._most_bytes = min(_WRITE_BYTES, settings.rotate_bytes)
        self._scrub = scrub
        self._on_loss = on_loss
        self.lost: int = 0
        self._failing = False
        self._lost_failing = 0
        self._closed = False
        self._set_up()
        _FILES.add(self)

    def _set_up(self) -> None:
        # Reentrant, unlike other queues: a signal handler may log while its thread is putting a record in.
        self._waiting: queue.SimpleQueue[_Said | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start_afresh(self) -> None:
        """In a forked child: what waits is the parent's to write, and the thread does not exist."""
        self._set_up()
        self._file.forget()

    def take(self, record: logging.LogRecord) -> None:
        """Have a record written. Never raises."""
        if self._closed:
            return
        try:
            if self._waiting.qsize() >= _MOST_WAITING:
                self._lose(1, "queue_full")
                return
            self._waiting.put(_said(record))
            if self._thread is None:
                self._start()
        except Exception as error:  # noqa: BLE001  e.g. arguments that do not fit the message
            report("logs.file", error)

    def close(self) -> None:
        """Write what waits, for a second at most, and nothing from then on."""
        self._closed = True
        thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join(_CLOSE_SECONDS)
            if thread.is_alive():
                self._lose(max(0, self._waiting.qsize() - 1), "shutdown")

    def _start(self) -> None:
        # Not waited for: a signal handler may log while its own thread is at this place.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=f"ticktrace-{self._path.name}", daemon=True)
                thread.start()
                self._thread = thread
        finally:
            self._starting.release()

    def _run(self) -> None:
        waiting = self._waiting
        going = True
        while going:
            batch = [waiting.get()]
            if batch[0] is not None and not self._closed:
                time.sleep(_GATHER_SECONDS)
            batch += (waiting.get() for _ in range(waiting.qsize()))
            going = None not in batch
            said = [each for each in batch if each is not None]
            attempt("logs.file", partial(self._write, said))
        self._file.close()

    def _write(self, batch: Sequence[_Said]) -> None:
        for lines in self._pieces(batch):
            try:
                self._file.append(b"".join(lines))
            except OSError as error:
                self._fail(len(lines), error)
            else:
                self._recover()

    def _pieces(self, batch: Sequence[_Said]) -> Iterator[list[bytes]]:
        """Lines for one write each."""
        lines: list[bytes] = []
        size = 0
        for number, said in enumerate(batch, 1):
            line = _line(said, self._scrub).encode("utf-8", "backslashreplace") + b"\n"
            if lines and size + len(line) > self._most_bytes:
                yield lines
                lines, size = [], 0
            lines.append(line)
            size += len(line)
            if not number % _LINES_AT_ONCE:
                time.sleep(_PAUSE_SECONDS)
        if lines:
            yield lines

    def _fail(self, lines: int, error: OSError) -> None:
        self._lose(lines, "write_failed")
        self._lost_failing += lines
        if not self._failing:
            self._failing = True
            _log.warning("ticktrace: %s cannot be written, what is logged is lost: %s", self._path, error)

    def _recover(self) -> None:
        if self._failing:
            self._failing = False
            lost, self._lost_failing = self._lost_failing, 0
            _log.warning("ticktrace: %s is written again; %d records were lost", self._path, lost)

    def _lose(self, records: int, reason: str) -> None:
        self.lost += records
        if records:
            attempt("logs.file", lambda: self._on_loss(records, reason))


_FILES: Final[weakref.WeakSet[LogFile]] = weakref.WeakSet()


def _said(record: logging.LogRecord) -> _Said:
    message = record.getMessage()
    if record.exc_info and not record.exc_text:
        message = f"{message}\n{_FORMAT.formatException(record.exc_info)}"
    elif record.exc_text:
        message = f"{message}\n{record.exc_text}"
    if record.stack_info:
        message = f"{message}\n{record.stack_info}"
    trace_id, span_id = getattr(record, "otelTraceID", None), getattr(record, "otelSpanID", None)
    if trace_id is None or span_id is None:
        context = get_current_span().get_span_context()
        valid = context.is_valid
        trace_id = f"{context.trace_id:032x}" if valid else "0"
        span_id = f"{context.span_id:016x}" if valid else "0"
    place = f"{record.filename}:{record.lineno}"
    return _Said(record.created, record.levelname, record.name, place, trace_id, span_id, message)


def _line(said: _Said, scrub: Callable[[str], str]) -> str:
    """One record as text. Further lines of it are indented: what begins at the margin begins a record."""
    seconds = int(said.created)
    micros = int((said.created - seconds) * 1e6)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    message = scrub(said.message)
    if not message.isprintable():
        message = "\n    ".join(message.splitlines())
    return (
        f"{at}.{micros:06d}Z {said.level} [{scrub(said.logger)}] [{said.place}]"
        f" [trace_id={said.trace_id} span_id={said.span_id}] - {message}"
    )


class _ToFile(logging.Handler):
    """Hands what reaches it to a file."""

    def __init__(self, file: LogFile, level: int) -> None:
        super().__init__(level)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        self._file.take(record)


def _write_app_file(file: LogFile, level: str) -> Callable[[], None]:
    """Have what reaches the root logger, from a level up, written to a file; gives what undoes it."""
    handler = _ToFile(file, logging.getLevelNamesMapping()[level])
    root = logging.getLogger()
    root.addHandler(handler)

    def undo() -> None:
        root.removeHandler(handler)
        file.close()

    return undo


class _Tap(logging.Filter):
    """Hands all records of a logger to a file, and lets on only those that were let on before."""

    def __init__(self, file: LogFile, logger: logging.Logger) -> None:
        super().__init__()
        self._file = file
        self._logger = logger
        self._level = logger.level

    def filter(self, record: logging.LogRecord) -> bool:
        self._file.take(record)
        above = self._logger.parent
        return record.levelno >= (self._level or (above.getEffectiveLevel() if above is not None else 0))

    def undo(self) -> None:
        self._logger.removeFilter(self)
        if self._logger.level == logging.DEBUG:  # else somebody has changed it meanwhile
            self._logger.setLevel(self._level)
        self._file.close()


def _write_metrics_file(file: LogFile) -> Callable[[], None]:
    """Have what the metrics logger is told written to a file, and nowhere else than before; gives what undoes it."""
    tap = _Tap(file, _METRICS)
    _METRICS.addFilter(tap)
    _METRICS.setLevel(logging.DEBUG)  # it says nothing above
    return tap.undo


def write_log_files(settings: Settings, counter: Callable[..., BoundCounter]) -> list[Callable[[], None]]:
    """Write the files that the settings name.

    Args:
        settings: which, and how large.
        counter: gives a bound counter by its name and labels; what is lost is counted in ``ticktrace.dropped``.

    Returns:
        What undoes it.
    """
    logs = settings.logs
    scrub = scrubber_of(settings).text

    def opened(path: Path, buffer: str) -> LogFile:
        counters = {
            reason: counter(
                "ticktrace.dropped",
                **{semconv.TELEMETRY_BUFFER_NAME: buffer, semconv.TELEMETRY_DROP_REASON: reason},
            )
            for reason in ("queue_full", "write_failed", "shutdown")
        }
        return LogFile(path, logs, scrub, lambda records, reason: counters[reason].add(records))

    undo = []
    if logs.app_file is not None:
        undo.append(_write_app_file(opened(logs.app_file, "logs.app_file"), logs.level))
    if logs.metrics_file is not None:
        undo.append(_write_metrics_file(opened(logs.metrics_file, "logs.metrics_file")))
    return undo


def _start_afresh() -> None:
    for file in list(_FILES):
        attempt("fork", file.start_afresh)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)

"""A process that forks while its journal is busy; parent, child and grandchild write to files of their own.

Arguments: the directory.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from pathlib import Path
from typing import Any

from ticktrace.diagnostics import Journal, Line, Writing
from ticktrace.engine.drain import Drain
from ticktrace.settings.diagnostics import JournalSettings

faulthandler.dump_traceback_later(40, exit=True)
journal = Journal(
    JournalSettings(directory=Path(sys.argv[1]), rotate_bytes=50_000, compression="gzip", keep_files=10_000),
    Writing("bot", "1", "deferred", "live"),
)
sources: list[Any] = [journal]
drain = Drain(sources, period=0.001)
drain.start()
stop = threading.Event()


def write(start: int, count: int) -> None:
    for number in range(start, start + count):
        journal.take(Line(ts=1, component="test", stage="filter", payload={"n": number, "pid": os.getpid()}))


def keep_writing() -> None:
    start = 0
    while not stop.is_set():
        write(start, 100)
        start += 100
        stop.wait(0.001)


def end() -> None:
    drain.stop(5)
    os._exit(0 if journal.close(10) and not journal.dropped else 1)


def generation(number: int) -> None:
    """A child; what the parent has taken, and counted, is not its own."""
    if journal.waiting or journal.written or journal.path is not None:
        os._exit(2)
    drain.wake()
    write(number, 500)
    if number < 2_000_000:
        child = os.fork()
        if child == 0:
            generation(number + 1_000_000)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            os._exit(3)
    end()


journal.update_session("family")
writer = threading.Thread(target=keep_writing)
writer.start()
for index in range(1, 11):
    child = os.fork()
    if child == 0:
        generation(1_000_000 + index * 1_000)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(10 + code)
stop.set()
writer.join()
print(os.getpid())
drain.stop(5)
sys.exit(0 if journal.close(10) and not journal.dropped else 1)

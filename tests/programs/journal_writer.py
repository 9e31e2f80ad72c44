"""A process that writes a journal with a drain, and tells after every pass how many lines were taken before it began.

Arguments: the directory, the number of the first line, how many lines (0: until it is killed), further settings in JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from ticktrace.diagnostics import Journal, Line, Writing
from ticktrace.engine.drain import Drain
from ticktrace.settings.diagnostics import JournalSettings

directory, first, count, further = sys.argv[1:]
settings: dict[str, Any] = json.loads(further)
journal = Journal(
    JournalSettings(directory=Path(directory), **settings), Writing("bot", "1", "deferred", "live")
)
taken = [0, 0, 0]  # now, when the pass under way began, when the one before it did


class Beginning:
    """A source that notes when a pass begins."""

    def steps(self) -> Any:
        taken[1] = taken[0]
        return iter(())


def passed(_seconds: float) -> None:
    print(taken[1], flush=True)


drain = Drain([Beginning(), journal], period=0.01)
drain.on_pass = passed
drain.start()
number = int(first)
while not int(count) or taken[0] < int(count):
    for _ in range(20):
        journal.take(
            Line(
                ts=time.time_ns(), component="test", stage="filter", symbol="BTC/USDT", payload={"n": number}
            )
        )
        number += 1
        taken[0] += 1
    time.sleep(0.002)
drain.stop(5)
sys.exit(0 if journal.close(10) and not journal.dropped else 1)

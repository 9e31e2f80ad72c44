"""`ticktrace report` on a long journal: lines a second and memory. Alone: `python -m bench.report [LINES]`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.interleaved import progress
from bench.journals import write_journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.interleaved import Pace, Row

__all__ = ["report"]

LINES = 5_000_000
QUICK_LINES = 200_000
MOST_SECONDS = 60.0
MOST_MEGABYTES = 300.0


def report(pace: Pace) -> Iterator[Row]:
    """Nanoseconds for each line, from the start of the command to its end; and its peak memory."""
    yield from _rows(QUICK_LINES if pace.quick else LINES)


def _rows(lines: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "diag_bench_all_1760000400.jsonl"
        with journal.open("wb") as file:
            size = write_journal(file, lines)
        progress(f"wrote {lines:,} lines, {size / 1e6:,.0f} MB")
        seconds, megabytes = _run(journal, Path(directory) / "report.json")
    note = f"{lines:,} lines, {size / 1e6:,.0f} MB: {seconds:.1f} s, {lines / seconds:,.0f} lines/s"
    yield {"name": "report.line", "ours_ns": seconds / lines * 1e9, "ratio": {}, "note": note}
    yield {"name": "report.memory", "ours_ns": megabytes, "unit": "MB", "ratio": {}, "note": "peak, resident"}


def _run(journal: Path, into: Path) -> tuple[float, float]:
    """Run the command as users do; return seconds of the wall clock and megabytes."""
    command = [sys.executable, "-m", "ticktrace", "report", str(journal), "--format", "json", "-o", str(into)]
    began = time.monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{' '.join(command)} failed with {os.waitstatus_to_exitcode(status)}")
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return seconds, kilobytes / 1024


def main() -> int:
    """Measure, print, and say by the exit status whether time and memory are within what was promised for all lines."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    rows: list[dict[str, Any]] = list(_rows(lines))
    seconds, megabytes = rows[0]["ours_ns"] * lines / 1e9, rows[1]["ours_ns"]
    print(rows[0]["note"])
    print(
        f"{megabytes:,.0f} MB, at most {MOST_MEGABYTES:,.0f}; {seconds:.1f} s, at most {MOST_SECONDS * lines / LINES:.1f}"
    )
    return int(seconds > max(MOST_SECONDS * lines / LINES, 5) or megabytes > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())

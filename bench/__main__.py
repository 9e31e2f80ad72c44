"""Run the benchmarks and print one table: `python -m bench [--quick] [--json FILE] [--only metrics,candles]`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bench import bot, candles, footprint, garbage, micro, outage, report, wakeup
from bench.interleaved import FULL, QUICK, Pace, Row, progress
from bench.table import absent, as_markdown, as_text, machine, write_between_markers
from bench.targets import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Benchmark = Callable[[Pace], Iterator[Row]]

PAGE = Path(__file__).parent.parent / "docs" / "cost.md"

GROUPS: dict[str, tuple[Benchmark, ...]] = {
    "metrics": (micro.metrics, micro.unbounded),
    "spans": (micro.spans,),
    "diagnostics": (micro.diagnostics,),
    "candles": (candles.dropped, candles.kept, candles.journaled, candles.other_engines, candles.domain),
    "bot": (bot.run,),
    "wakeup": (wakeup.lateness,),
    "memory": (footprint.allocations, footprint.memory),
    "gc": (garbage.collections,),
    "outage": (outage.outage,),
    "report": (report.report,),
}
"""In the order of the table."""

_FIRST = ("bot", "wakeup", "gc", "outage")
"""Whole programs run before the others are imported, and their batch processors' threads started."""


def measure(names: Sequence[str], pace: Pace) -> tuple[list[Row], bool]:
    """Every row of the named groups, judged; and whether all of them could be measured."""
    found: dict[str, list[Row]] = {name: [] for name in GROUPS}
    good = True
    for name in sorted(names, key=lambda name: name not in _FIRST):
        for benchmark in GROUPS[name]:
            began = time.monotonic()
            try:
                for row in benchmark(pace):
                    found[name].append(judged(row))
                    progress(f"{row['name']} ({time.monotonic() - began:.1f} s)")
                    began = time.monotonic()
            except Exception:  # noqa: BLE001  the others are worth having; the exit status says that one is missing
                traceback.print_exc()
                good = False
    return [row for rows in found.values() for row in rows], good


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(GROUPS)}")
    return names


def main() -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about a minute, noisier; leaves docs/cost.md alone"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows there as well")
    parser.add_argument("--only", metavar="GROUPS", type=_names, help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--rounds", metavar="N", type=int, help="turns of each contestant; 1 to try it out")
    options = parser.parse_args()
    pace = QUICK if options.quick else FULL
    if options.rounds:
        pace = dataclasses.replace(pace, rounds=options.rounds, cold_rounds=max(options.rounds, 3))
    left_out = absent()
    if left_out:
        print(left_out, file=sys.stderr)
    rows, good = measure(options.only or list(GROUPS), pace)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(as_text(rows))
    for row in rows:
        if "note" in row:
            print(f"{row['name']}: {row['note']}")
    if options.json:
        options.json.write_text(
            json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8"
        )
    if good and pace is FULL and not options.only:
        write_between_markers(PAGE, as_markdown(rows, "make bench"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Run every benchmark and print one table: `python -m bench [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import outage, pipeline


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "opentelemetry-sdk": version("opentelemetry-sdk"),
        "prometheus-client": version("prometheus-client"),
    }


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: about half a minute, noisier")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    rows = [*pipeline.rows(quick=options.quick), *outage.rows(quick=options.quick)]
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'what':<44}{'ours, µs':>10}   ours ÷ theirs (median of rounds)")
    for row in rows:
        ratios = "   ".join(f"{name} {ratio:.2f}" for name, ratio in row["ratio"].items())
        print(f"{row['name']:<44}{row['ours_ns'] / 1e3:>10.2f}   {ratios}")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

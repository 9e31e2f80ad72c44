"""The rows as text, as JSON, and as the machine-made part of docs/cost.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bench.rivals import RIVALS, missing, versions
from bench.targets import TARGETS
from ticktrace import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.interleaved import Row

__all__ = ["absent", "as_markdown", "as_text", "machine", "write_between_markers"]

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
_COLUMNS = tuple(RIVALS)
_DASH = "–"  # noqa: RUF001  what an empty cell of a table holds


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "ticktrace": __version__,
        "numpy": version("numpy"),
        **versions(),
    }


def absent() -> str | None:
    """What is not compared with because it is not installed, and what to do about it."""
    names = missing()
    if not names:
        return None
    return f"not installed, so not compared with: {', '.join(names)} (pip install -r requirements/bench.txt)"


def _amount(value: float, unit: str | None) -> str:
    if unit is not None:
        return f"{value:,.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"
    for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if value >= size:
            return f"{value / size:.3g} {name}" if value / size < 100 else f"{value / size:.0f} {name}"
    return f"{value:.0f} ns"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return _DASH
    if ratio == 0:
        return "0"
    return f"1/{1 / ratio:.1f}" if ratio < 0.95 else f"{ratio:.2f}"


def _cells(row: Row) -> list[str]:
    """Name, ours, a ratio for each column, other ratios, target, whether it is met."""
    target = TARGETS.get(row["name"])
    met = {True: "yes", False: "no", None: ""}[row.get("met")]
    others = ", ".join(f"{name} {_ratio(r)}" for name, r in row["ratio"].items() if name not in _COLUMNS)
    return [
        row["name"],
        _amount(row["ours_ns"], row.get("unit")),
        *(_ratio(row["ratio"].get(name)) for name in _COLUMNS),
        others,
        str(target or ""),
        met,
    ]


_HEAD = ["row", "ours", *_COLUMNS, "others", "at most", "met"]


def as_text(rows: Sequence[Row]) -> str:
    """A table for the terminal."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(rows: Sequence[Row], command: str) -> str:
    """A table for the docs, with the command and the machine; the notes stand below it."""
    cells = [[f"`{first}`", *rest] for first, *rest in map(_cells, rows)]
    lines = [_HEAD, ["---"] * len(_HEAD), *cells]
    on = ", ".join(f"{key} {value}" for key, value in machine().items())
    parts = [
        f"`{command}`, on {on}.",
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
    ]
    left_out = absent()
    if left_out:
        parts.append(left_out[0].upper() + left_out[1:] + ".")
    notes = [f"- `{row['name']}`: {row['note']}" for row in rows if "note" in row]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts)


def write_between_markers(page: Path, text: str) -> None:
    """Put `text` in place of what stands between the markers of a page.

    Raises:
        ValueError: the page has no such place.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for the table: {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")

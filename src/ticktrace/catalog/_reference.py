"""Rows as Markdown: the tables of the reference page, and those of an application's own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.catalog._buckets import NAMED
from ticktrace.catalog._spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ticktrace.catalog._spec import InstrumentSpec

__all__ = ["codes", "reference_table", "table"]


def reference_table(rows: Iterable[InstrumentSpec]) -> str:
    """A Markdown table of instruments: name, name in Prometheus, kind and unit, attributes, meaning."""
    return table(
        ("Instrument", "In Prometheus", "Kind and unit", "Attributes", "What it says"),
        (
            (
                f"`{row.name}`" + (" *OTel's*" if row.recorded_by == "otel" else ""),
                f"`{row.prometheus_name}`",
                _kind(row),
                codes(row.attributes),
                row.description.rstrip(".") + "." + _aliases(row) + _limit(row),
            )
            for row in rows
        ),
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    # A bar inside a cell would end it.
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def codes(words: Iterable[str]) -> str:
    """Words as code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


def _aliases(row: InstrumentSpec) -> str:
    names = [alias for alias in row.aliases if alias != row.prometheus_name]
    return f" *Also as* {codes(names)}." if names else ""


def _limit(row: InstrumentSpec) -> str:
    return "" if row.max_series is None else f" At most {row.max_series} series."


def _kind(row: InstrumentSpec) -> str:
    words = row.kind.replace("_", "-", 1).replace("_", " ")
    unit = f", `{row.unit}`" if row.unit else ""
    if row.kind is not Kind.HISTOGRAM or row.buckets is None:
        return words + unit
    name = next((name for name, buckets in NAMED.items() if buckets == row.buckets), None)
    if name is None:
        return f"{words}{unit}, buckets {', '.join(f'{bound:g}' for bound in row.buckets)}"
    return f"{words}{unit}, buckets [{name}](#buckets)"

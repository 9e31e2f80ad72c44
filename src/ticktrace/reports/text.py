"""The report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from ticktrace.reports.sections import sections, title
from ticktrace.reports.words import plural

if TYPE_CHECKING:
    from io import StringIO

    from rich.console import RenderableType

    from ticktrace.reports.model import Report
    from ticktrace.reports.sections import Section, Table

__all__ = ["as_text", "renderable"]

_WIDTH = 120


def as_text(report: Report, top: int, file: StringIO, width: int = _WIDTH) -> str:
    """Return the report as plain text; `file` is where it is put together."""
    console = Console(file=file, width=width, color_system=None, highlight=False, emoji=False, markup=False)
    console.print(renderable(report, top))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def renderable(report: Report, top: int) -> RenderableType:
    """Return the report for rich."""
    parts: list[RenderableType] = [Text(title(report), style="bold")]
    for section in sections(report, top):
        parts += _section(section)
    return Group(*parts)


def _section(section: Section) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(f"\n{section.heading}", style="bold cyan")]
    parts += [Text(_printable(line)) for line in section.said]
    if section.table is not None:
        parts.append(_table(section.table))
        if section.table.left_out:
            parts.append(Text(f"… and {plural(section.table.left_out, 'more row')}", style="dim"))
    parts += [Text(_printable(line), style="dim") for line in section.after]
    return parts


def _table(table: Table) -> RichTable:
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, right in table.headings:
        made.add_column(heading, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row in table.rows:
        made.add_row(*(Text(_printable(cell)) for cell in row))
    return made


def _printable(text: str) -> str:
    """Words of a journal may hold anything, and a terminal would obey."""
    return "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )

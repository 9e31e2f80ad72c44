"""`ticktrace memory`: show a memory snapshot, or what grew between two."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ticktrace.errors import SnapshotError
from ticktrace.runtime import diff as compare
from ticktrace.runtime import load_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ticktrace.runtime import Diff, MemorySnapshot

__all__ = ["memory"]

memory: typer.Typer = typer.Typer(
    name="memory",
    help="Show a memory snapshot, or what grew between two.",
    no_args_is_help=True,
)

_NEWLINE = "\n"


class Format(StrEnum):
    """How `ticktrace memory` writes."""

    text = "text"
    json = "json"


_Top = Annotated[int, typer.Option("--top", min=1, help="Most types and lines.")]
_Format = Annotated[Format, typer.Option("--format", help="How to write it.")]


def _load(path: Path) -> MemorySnapshot:
    try:
        return load_snapshot(path)
    except SnapshotError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@memory.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="The earlier snapshot.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The later one.")],
    output: _Format = Format.text,
    top: _Top = 20,
) -> None:
    """Write what grew from A to B: types by number of objects, lines of code where allocations were traced."""
    found = compare(_load(before), _load(after), top)
    if output is Format.json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        typer.echo(_NEWLINE.join(_diff_lines(found)))


@memory.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="A", help="The snapshot.")],
    output: _Format = Format.text,
    top: _Top = 20,
) -> None:
    """Write what is in A: the process, the largest types, where they were allocated, what keeps them alive."""
    found = _load(file)
    if output is Format.json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        typer.echo(_NEWLINE.join(_snapshot_lines(found, top)))


def _diff_lines(found: Diff) -> Iterator[str]:
    yield f"{found.before} to {found.after}: {found.seconds:,.0f} s"
    rss = "" if found.rss_bytes is None else f", process {_size(found.rss_bytes, signed=True)}"
    yield f"objects {found.objects:+,}, their shallow size {_size(found.bytes, signed=True)}{rss}"
    yield from (f"note: {note}" for note in found.notes)
    yield ""
    yield from _table(
        ("growth", "a second", "before", "after", "bytes", "type"),
        [
            (
                f"{row.count:+,}",
                "" if row.per_second is None else f"{row.per_second:+,.1f}",
                f"{row.before:,}",
                f"{row.after:,}",
                _size(row.bytes, signed=True),
                row.type,
            )
            for row in found.types
        ],
    )
    if found.sites is None:
        yield ""
        yield "allocation sites: only where tracemalloc is tracing in both (python -X tracemalloc)"
        return
    yield ""
    yield from _table(
        ("growth", "bytes", "line"),
        [(f"{row.count:+,}", _size(row.bytes, signed=True), f"{row.file}:{row.line}") for row in found.sites],
    )


def _snapshot_lines(found: MemorySnapshot, top: int) -> Iterator[str]:
    process = found.process
    rss = "unknown" if process.rss_bytes is None else _size(process.rss_bytes)
    yield f"{found.taken} {found.service}, process {process.pid}, Python {process.python}, reason {found.reason}"
    yield f"process {rss}, {process.threads} threads, {process.open_files} open files"
    sampled = f", one in {found.step} looked at" if found.step > 1 else ""
    cut = "" if found.complete else f", {found.walked:,} of them looked at before time was up"
    yield (
        f"{found.tracked:,} objects tracked by the collector{sampled}{cut}, about {found.untracked:,} others, "
        f"together {_size(found.bytes)}"
    )
    yield (
        f"taken in {found.cost.seconds:.1f} s ({found.cost.cpu_seconds:.1f} s of a core); all threads stood still for "
        f"{1e3 * found.cost.list_pause_seconds:.1f} ms"
    )
    yield ""
    yield from _table(
        ("objects", "untracked", "bytes", "type"),
        [(f"{row.count:,}", f"{row.untracked:,}", _size(row.bytes), row.type) for row in found.types[:top]],
    )
    if found.sites is not None:
        yield ""
        yield from _table(
            ("objects", "bytes", "allocated at"),
            [(f"{row.count:,}", _size(row.bytes), f"{row.file}:{row.line}") for row in found.sites[:top]],
        )
    if found.referrers is not None:
        yield ""
        yield (
            f"{found.referrers.type}: {found.referrers.instances:,} objects; what keeps {found.referrers.looked_at} of "
            "them alive:"
        )
        yield from (f"  {chain.count} x {' -> '.join(chain.path)}" for chain in found.referrers.chains[:top])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns flush right, the last one flush left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        yield "  ".join([*cells, row[-1]])


def _size(size: float, *, signed: bool = False) -> str:
    for unit, divisor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= divisor:
            return f"{size / divisor:{'+' if signed else ''},.1f} {unit}"
    return f"{size:{'+' if signed else ''},.0f} B"

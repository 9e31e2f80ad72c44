"""`ticktrace report`: what the journals of diagnostics answer."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from enum import StrEnum
from io import StringIO
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ticktrace.reports.journal import Question
    from ticktrace.reports.model import Report
    from ticktrace.reports.sources import Source

__all__ = ["journals_or_refuse", "refuse", "report"]

# Modules of ticktrace.reports are imported where they are used: numpy and rich would slow down every other command.

_MISUSE = 2
_FOLLOW_EVERY = 2.0


class Format(StrEnum):
    """How `ticktrace report` writes."""

    text = "text"
    markdown = "markdown"
    json = "json"
    html = "html"


# typer makes options of parameters, whether they are positional for Python or not.
def report(  # noqa: PLR0917
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATHS]...",
            help="Journals (.jsonl, .jsonl.gz), directories, patterns, - for standard input. "
            "Default: diagnostics.journal.directory of the settings.",
        ),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file instead of printing it.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="From then on: a duration back from the newest line (6h, 2d), or a time (ISO, UTC)."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before that time (ISO, UTC).")] = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows of a table, at most; JSON has all.")] = 15,
    min_n: Annotated[int, typer.Option(min=1, help="Near misses that a suggestion needs, at least.")] = 30,
    *,
    since_trade: Annotated[
        bool, typer.Option("--since-trade", help="Only what came after the last fill.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on while the journals grow; Ctrl-C ends it.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of a journal's lines, and nothing else.")
    ] = False,
) -> None:
    """Answer from the journals why there was no trade: funnel, reasons, near misses, thresholds, silence."""
    if schema:
        _print_schema()
        return
    question = _question(since, until, symbol or [], strategy or [], since_trade=since_trade, min_n=min_n)
    if follow and "-" in (paths or []):
        refuse("--follow needs files, not standard input")
    sources = journals_or_refuse(paths or [], may_be_empty=follow)
    if file is not None and file.exists() and any(_is_same(file, source.path) for source in sources):
        refuse(f"--output {file} is one of the journals, which it would overwrite")
    write = _writer(output, top, file)
    try:
        if follow:
            _follow(_paths_or_default(paths or []), sources, question, write, live=_is_live(output, file))
            return
        write(_read(sources, question))
    except BrokenPipeError:
        raise  # whoever reads has enough; click ends quietly
    except OSError as error:
        refuse(f"{error.filename or 'journal'}: {error.strerror}", 1)


def _is_same(file: Path, path: str) -> bool:
    try:
        return file.samefile(path)
    except OSError:  # standard input, or gone by now
        return False


def refuse(message: str, code: int = _MISUSE) -> NoReturn:
    """Say what is wrong and exit; 2 is for misuse, 1 for what else can be wrong."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def _print_schema() -> None:
    import msgspec  # noqa: PLC0415

    from ticktrace.diagnostics import Line  # noqa: PLC0415

    typer.echo(json.dumps(msgspec.json.schema(Line), indent=2, ensure_ascii=False))


def _question(
    since: str | None,
    until: str | None,
    symbols: list[str],
    strategies: list[str],
    *,
    since_trade: bool,
    min_n: int,
) -> Question:
    from ticktrace.reports.journal import Question  # noqa: PLC0415
    from ticktrace.reports.moment import parse_duration, parse_time  # noqa: PLC0415

    if since is not None and since_trade:
        refuse("--since and --since-trade exclude each other")
    start = back = end = None
    if since is not None:
        back = parse_duration(since)
        start = parse_time(since) if back is None else None
        if back is None and start is None:
            refuse(f"--since: {since!r} is neither a duration (6h, 2d, 1d12h) nor a time (2026-11-21T14:05)")
    if until is not None:
        end = parse_time(until)
        if end is None:
            refuse(f"--until: {until!r} is no time (2026-11-21T14:05)")
    if start is not None and end is not None and end <= start:
        refuse("--until has to be later than --since")
    return Question(start, back, since_trade, end, tuple(symbols), tuple(strategies), min_n)


def _paths_or_default(paths: Sequence[str]) -> list[str]:
    if paths:
        return list(paths)
    from .config import load_or_refuse  # noqa: PLC0415 - it loads the catalog and all settings

    return [str(load_or_refuse(None).settings.diagnostics.journal.directory)]


def journals_or_refuse(paths: Sequence[str], *, may_be_empty: bool = False) -> list[Source]:
    """Return the journals that paths name, or those of the settings; where there is none, say so and exit."""
    from ticktrace.reports.sources import NoSuchFile, find, look_at  # noqa: PLC0415

    places = _paths_or_default(paths)
    try:
        files = find(places)
    except NoSuchFile as error:
        if paths and not may_be_empty:
            refuse(str(error))
        files = []
    if not files and not may_be_empty:
        refuse(
            f"no journal in {', '.join(places)}: *.jsonl and *.jsonl.gz are written there while "
            "diagnostics.enabled and diagnostics.journal.enabled are true; name other places as arguments",
            _MISUSE if paths else 1,
        )
    try:
        return look_at(files)
    except OSError as error:
        refuse(f"{error.filename or 'journal'}: {error.strerror}", 1)


def _read(sources: Sequence[Source], question: Question) -> Report:
    from ticktrace.reports.build import build  # noqa: PLC0415
    from ticktrace.reports.journal import count, scope_of  # noqa: PLC0415

    total = sum(source.size for source in sources) * question.passes
    with _progress(total) as read:
        scope = scope_of(question, sources, read)
        tally = count(sources, scope, read)
    return build(tally, question, len(sources))


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """Show a bar on standard error where that is a terminal; what is yielded is told of bytes that were read."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total or None)
        yield lambda size: bar.advance(task, size)


def _rendered(made: Report, output: Format, top: int) -> str:
    match output:
        case Format.json:
            import msgspec  # noqa: PLC0415

            return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"
        case Format.html:
            from ticktrace.reports.html import as_html  # noqa: PLC0415

            return as_html(made, top)
        case Format.markdown:
            from ticktrace.reports.markdown import as_markdown  # noqa: PLC0415

            return as_markdown(made, top)
        case Format.text:
            from ticktrace.reports.text import as_text  # noqa: PLC0415

            return as_text(made, top, StringIO())


def _is_live(output: Format, file: Path | None) -> bool:
    return output is Format.text and file is None and sys.stdout.isatty()


def _writer(output: Format, top: int, file: Path | None) -> Callable[[Report], None]:
    def to_file(made: Report) -> None:
        assert file is not None  # noqa: S101 - this is only chosen where there is one
        # Whoever reads it while reports follow one another sees this one or the one before, whole.
        beside = file.with_name(f".{file.name}.part")
        beside.write_text(_rendered(made, output, top), encoding="utf-8", errors="backslashreplace")
        beside.replace(file)

    def to_terminal(made: Report) -> None:
        from rich.console import Console  # noqa: PLC0415

        from ticktrace.reports.text import renderable  # noqa: PLC0415

        Console().print(renderable(made, top))

    def printed(made: Report) -> None:
        sys.stdout.buffer.write(_rendered(made, output, top).encode("utf-8", "backslashreplace"))
        sys.stdout.flush()

    if file is not None:
        return to_file
    return to_terminal if _is_live(output, file) else printed


def _follow(
    paths: list[str],
    sources: Sequence[Source],
    question: Question,
    write: Callable[[Report], None],
    *,
    live: bool,
) -> None:
    """Write a report now, and another whenever there are new lines, until Ctrl-C."""
    from ticktrace.reports.build import build  # noqa: PLC0415
    from ticktrace.reports.follow import Follower  # noqa: PLC0415
    from ticktrace.reports.journal import scope_of  # noqa: PLC0415
    from ticktrace.reports.tally import Tally  # noqa: PLC0415

    tally = Tally(scope_of(question, sources, lambda _: None))
    follower = Follower(paths, tally)

    def made() -> Report:
        return build(tally, question, follower.files)

    with _screen(write, live=live) as show, contextlib.suppress(KeyboardInterrupt):
        follower.poll()
        show(made())
        while True:
            time.sleep(_FOLLOW_EVERY)
            if follower.poll():
                show(made())
    before = tally.lines
    follower.close()
    if live or tally.lines != before:
        write(made())


@contextlib.contextmanager
def _screen(write: Callable[[Report], None], *, live: bool) -> Iterator[Callable[[Report], Any]]:
    """Yield what shows a report: on a terminal in the place of the one before."""
    if not live:
        yield write
        return
    from rich.live import Live  # noqa: PLC0415

    from ticktrace.reports.text import renderable  # noqa: PLC0415

    with Live(auto_refresh=False, screen=True, vertical_overflow="ellipsis") as screen:
        yield lambda made: screen.update(renderable(made, 5), refresh=True)

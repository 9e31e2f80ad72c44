"""`ticktrace explain SYMBOL TIME`: the whole way of one candle."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .report import journals_or_refuse, refuse

if TYPE_CHECKING:
    from ticktrace.reports.looking import Wanted

__all__ = ["explain"]


class Format(StrEnum):
    """How `ticktrace explain` writes."""

    text = "text"
    json = "json"


def explain(
    symbol: Annotated[str, typer.Argument(help="As the application calls it, such as BTC/USDT.")],
    time: Annotated[
        str,
        typer.Argument(
            help="When the candle closed, or a time within it: ISO (UTC unless it names a zone), Unix seconds, "
            "HH:MM of the journal's last day, last, or last-rejected."
        ),
    ],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATHS]...", help="Journals, as for report.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
) -> None:
    """Tell what became of one candle and what stood in its way. The exit code is 1 where there is no such candle."""
    wanted = _wanted(time)
    sources = journals_or_refuse(paths or [])

    from ticktrace.reports.explain import explain as explain_candle  # noqa: PLC0415 - as in report.py
    from ticktrace.reports.explain_text import explained  # noqa: PLC0415
    from ticktrace.reports.looking import NotFound  # noqa: PLC0415

    try:
        found = explain_candle(sources, symbol, wanted)
    except NotFound as error:
        refuse(str(error), 1)
    except OSError as error:
        refuse(f"{error.filename or 'journal'}: {error.strerror}", 1)
    if output is Format.json:
        import msgspec  # noqa: PLC0415

        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    else:
        text = explained(found)
    sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


def _wanted(text: str) -> Wanted:
    from ticktrace.reports.looking import Wanted  # noqa: PLC0415
    from ticktrace.reports.moment import parse_time, parse_time_of_day  # noqa: PLC0415

    if text in ("last", "last-rejected"):
        return Wanted(rejected=text == "last-rejected")
    of_day = parse_time_of_day(text)
    if of_day is not None:
        return Wanted(of_day=of_day)
    at = parse_time(text)
    if at is None:
        refuse(f"{text!r} is no time: 2026-11-21T14:05, 1763733900, 14:05, last or last-rejected")
    return Wanted(at=at)

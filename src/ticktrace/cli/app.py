"""The command `ticktrace` and what all its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from ticktrace._version import __version__

from .config import config
from .explain import explain
from .instruments import instruments
from .memory import memory
from .report import report

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    name="ticktrace",
    help="ticktrace, the OpenTelemetry distribution for trading systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(config, name="config")
app.add_typer(memory, name="memory")
app.command()(instruments)
app.command()(report)
app.command()(explain)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ticktrace {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """ticktrace, the OpenTelemetry distribution for trading systems."""

"""`ticktrace config`: check a settings file, show what is in force, print the schema."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated, NoReturn

import typer

from ticktrace.catalog import CATALOG, with_own
from ticktrace.errors import SettingsError
from ticktrace.exporters import known_exporters
from ticktrace.objectives import check_objectives
from ticktrace.sampling import build_sampler
from ticktrace.settings import DEFAULT_FILE, LoadedSettings, load_settings, settings_schema
from ticktrace.views import check_instruments

from .show import as_json, as_text, as_yaml

__all__ = ["config", "load_or_refuse"]

config: typer.Typer = typer.Typer(
    name="config",
    help="Check the settings, show which are in force and why, print their schema.",
    no_args_is_help=True,
)


class Format(StrEnum):
    """How `config show` writes."""

    text = "text"
    json = "json"
    yaml = "yaml"


def load_or_refuse(file: Path | None) -> LoadedSettings:
    """Return the settings as the program would have them; where they are wrong, say all of it and exit with 1."""
    try:
        loaded = load_settings(file=file, known_exporters=known_exporters, known_instruments=CATALOG)
    except SettingsError as error:
        _refuse(error)
    catalog, problems = with_own(loaded.settings.metrics.instruments, CATALOG)
    problems += check_instruments(loaded.settings.slo, loaded.settings.metrics, catalog)
    problems += check_objectives(loaded.settings.slo, loaded.settings.metrics, catalog)
    try:
        build_sampler(loaded.settings.traces.sampler, loaded.settings.traces.sampler_arg)
    except SettingsError as error:
        problems = [*problems, *error.problems]
    if problems:
        _refuse(SettingsError(loaded.locate(problems)))
    return loaded


def _refuse(error: SettingsError) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(1) from None


@config.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help=f"The YAML file. Default: the one TICKTRACE_CONFIG names, else {DEFAULT_FILE}."),
    ] = None,
) -> None:
    """Check FILE as the program would read it, together with the environment.

    Every problem is listed on standard error, with its place and what is allowed; the exit code is then 1.
    """
    loaded = load_or_refuse(file)
    for note in loaded.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{loaded.file or 'no settings file'}: ok")


@config.command()
def show(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The YAML file, as for check.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help=f"The YAML file. Default: the one TICKTRACE_CONFIG names, else {DEFAULT_FILE}.",
        ),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what has its default.")] = False,
) -> None:
    """Show every setting: the value in force and where it came from. Secrets are masked."""
    loaded = load_or_refuse(path or file)
    write = {Format.text: as_text, Format.json: as_json, Format.yaml: as_yaml}[output]
    typer.echo(write(loaded, changed=changed))


@config.command()
def schema() -> None:
    """Print the JSON schema of the settings file, for editors and other checks."""
    typer.echo(json.dumps(settings_schema(), indent=2, ensure_ascii=False))

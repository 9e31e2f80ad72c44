"""Load the settings: arguments > environment > file > defaults, every problem reported at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ticktrace.errors import SettingsError

from .environment import CONFIG_VARIABLE, read_environment
from .leaves import BY_NAME, LEAVES
from .model import Settings
from .names import KnownExporters, check_names
from .nested import read_document
from .origin import Document, Entry, Location, Origin, Problem, Reading
from .rendering import describe_error
from .seeds import read_seed_blocks, read_seed_variables
from .yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["DEFAULT_FILE", "LoadedSettings", "load_settings"]

DEFAULT_FILE = "ticktrace.yaml"

_OWN = "metrics.instruments"

_SERVICE_ATTRIBUTES = {
    "deployment.environment": "service.environment",
    "deployment.environment.name": "service.environment",
    "service.instance.id": "service.instance_id",
    "service.name": "service.name",
    "service.namespace": "service.namespace",
    "service.version": "service.version",
}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force, and where each came from.

    Attributes:
        settings: the values.
        origins: dotted path -> origin, for every setting; for mappings also for every key.
        notes: what the user should know though nothing is wrong: without effect, overridden, deprecated.
        file: the settings file that was read.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    notes: tuple[str, ...]
    file: Path | None

    def locate(self, problems: Iterable[str]) -> list[str]:
        """Put the place of the setting before problems that begin with its name, as later checks report them."""
        return [self._located(problem) for problem in problems]

    def _located(self, problem: str) -> str:
        named = re.match(r'([a-z_.]+)(?:\["([^"]*)"\])?', problem)
        if named is None:
            return problem
        name = named[1].rstrip(".")
        origin = self.origins.get(f"{name}.{named[2]}", self.origins.get(name))
        if origin is None or origin.source == "default":
            return problem
        return f"{'argument' if origin.source == 'argument' else origin}: {problem}"


def load_settings(
    arguments: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    known_exporters: KnownExporters | None = None,
    known_instruments: Collection[str] | None = None,
) -> LoadedSettings:
    """Load the settings from all sources.

    Args:
        arguments: nested mappings (`{"prometheus": {"port": 9000}}`), dotted keys (`{"prometheus.port": 9000}`) or both.
        file: the YAML file; default: the one `TICKTRACE_CONFIG` names, else `ticktrace.yaml` where it is present.
        environ: the environment; default: the process's.
        known_exporters: gives the exporter names a signal (`traces`, `metrics`, `logs`) may use; unchecked without.
        known_instruments: the histograms that may have thresholds; unchecked without.

    Raises:
        SettingsError: something is wrong; it lists every problem of every source, overridden values included.
    """
    environ = os.environ if environ is None else environ
    path, problems = _find_file(file, environ)
    document = Document({})
    if path is not None:
        document, wrong = read_yaml(path, environ)
        problems.extend(wrong)
    plain, seeds = read_seed_blocks(document)
    from_file = _joined(seeds, read_document(plain))
    weaker = [entry.value for entry in from_file.entries if entry.leaf.name == "exporters.metrics"]
    metrics = weaker[-1] if weaker else BY_NAME["exporters.metrics"].default
    from_environment = _joined(
        read_seed_variables(environ, _names(metrics)),
        read_environment(environ),
    )
    from_arguments = read_document(Document(dict(arguments or {})))
    layers = [from_file, from_environment, from_arguments]

    notes = [note for layer in layers for note in layer.notes]
    merged: dict[tuple[str, ...], Entry] = {}
    wrong_paths: list[tuple[str, ...]] = []
    if known_instruments is not None:
        own = (entry.key for layer in layers for entry in layer.entries if entry.leaf.name == _OWN)
        known_instruments = {*known_instruments, *(name for name in own if name is not None)}
    for layer in layers:
        problems.extend(layer.problems)
        merged_here: dict[tuple[str, ...], Entry] = {}
        for entry in _service_from_resource(layer.entries):
            checked, found = _check(entry, known_exporters, known_instruments)
            problems.extend(found)
            if checked is None:
                wrong_paths.append(entry.target)
                continue
            notes.extend(_overridden(merged_here.get(entry.target), checked))
            merged_here[entry.target] = checked
        merged |= merged_here

    settings, found = _assemble(merged, wrong_paths)
    problems.extend(found)
    if settings is None or problems:
        ordered = sorted(problems, key=lambda problem: problem.order)
        raise SettingsError(list(dict.fromkeys(problem.text for problem in ordered)))
    return LoadedSettings(settings, _origins(merged), tuple(dict.fromkeys(notes)), path)


def _find_file(file: str | Path | None, environ: Mapping[str, str]) -> tuple[Path | None, list[Problem]]:
    named = environ.get(CONFIG_VARIABLE, "").strip()
    if file is not None:
        path, place = Path(file).expanduser(), f"argument file={str(file)!r}"
    elif named:
        path, place = Path(named).expanduser(), f'environment {CONFIG_VARIABLE}="{named}"'
    else:
        default = Path(DEFAULT_FILE)
        return (default if default.is_file() else None), []
    if path.is_file():
        return path, []
    return None, [Problem((0, 0, 0), f"{place}: no such file")]


def _joined(*readings: Reading) -> Reading:
    """Join readings of one source, weakest first."""
    return Reading(
        [entry for reading in readings for entry in reading.entries],
        [problem for reading in readings for problem in reading.problems],
        [note for reading in readings for note in reading.notes],
    )


def _service_from_resource(entries: Iterable[Entry]) -> list[Entry]:
    """Move the service's resource attributes to the service's settings, weaker than those given directly."""
    moved: list[Entry] = []
    kept: list[Entry] = []
    for entry in entries:
        target = (
            _SERVICE_ATTRIBUTES.get(entry.key or "") if entry.leaf.name == "resource.attributes" else None
        )
        if target is None:
            kept.append(entry)
            continue
        renamed = replace(entry, leaf=BY_NAME[target], key=None)
        # The older name of an attribute that was renamed is the weaker one.
        moved.insert(0 if entry.key == "deployment.environment" else len(moved), renamed)
    return [*moved, *kept]


def _check(
    entry: Entry, known_exporters: KnownExporters | None, known_instruments: Collection[str] | None
) -> tuple[Entry | None, list[Problem]]:
    """Return the entry with its checked value, or None and what is wrong with it."""
    found: list[tuple[Location, str, Any]] = []
    value = None
    try:
        value = entry.leaf.adapter.validate_python(entry.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found.extend((detail["loc"], *describe_error(detail, entry.leaf.annotation)) for detail in details)
    else:
        if entry.leaf.path[0] == "exporters" and not value:
            value = ("none",)
        names = check_names(entry, value, known_exporters, known_instruments)
        found.extend((inner, message, None) for inner, message in names)
    if not found:
        return replace(entry, value=value), []
    problems = (entry.problem(inner, message, value=wrong) for inner, message, wrong in found)
    return None, [problem for problem in problems if problem is not None]


def _overridden(weaker: Entry | None, stronger: Entry) -> list[str]:
    """Say so when two ways of setting one thing in the same source differ."""
    if weaker is None or weaker.value == stronger.value:
        return []
    if weaker.origin.source == "environment":
        if weaker.origin.name == "OTEL_RESOURCE_ATTRIBUTES":
            return []  # OpenTelemetry defines OTEL_SERVICE_NAME to win
        return [f"environment {stronger.origin.name} wins over {weaker.origin.name}, which says otherwise"]
    return [f"{stronger.origin}: {stronger.origin.name} wins over {weaker.origin.name}, which says otherwise"]


def _assemble(
    merged: Mapping[tuple[str, ...], Entry], wrong_paths: list[tuple[str, ...]]
) -> tuple[Settings | None, list[Problem]]:
    """Build the settings; what contradicts each other is located at the strongest of the values involved."""
    values: dict[str, Any] = {}
    for target, entry in merged.items():
        inner = values
        path = entry.leaf.path
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        if entry.key is None:
            inner[target[-1]] = entry.value
        else:
            inner.setdefault(path[-1], {})[entry.key] = entry.value
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            group = tuple(map(str, detail["loc"]))
            if any(path[: len(group)] == group for path in wrong_paths):
                continue  # contradicts only because a wrong value was left out
            message, _ = describe_error(detail, Settings)
            involved = [
                entry
                for target, entry in merged.items()
                if target[: len(group)] == group and _mention(entry, message) is not None
            ]
            # The strongest source is to blame; of several values in it, the one that the message is about.
            involved.sort(key=lambda entry: (-_strength(entry), _mention(entry, message)))
            problem = involved[0].problem((), message) if involved else None
            problems.append(problem or Problem((3, 0, 0), f"{'.'.join(group)}: {message}"))
        return None, problems


def _mention(entry: Entry, message: str) -> int | None:
    """Return where `message` names the setting of `entry`."""
    match = re.search(rf"\b{entry.leaf.path[-1]}\b", message)
    return match.start() if match else None


def _strength(entry: Entry) -> int:
    return ("default", "file", "environment", "argument").index(entry.origin.source)


def _origins(merged: Mapping[tuple[str, ...], Entry]) -> dict[str, Origin]:
    origins: dict[str, Origin] = {leaf.name: Origin("default") for leaf in LEAVES}
    strongest: dict[str, int] = {}
    for target, entry in merged.items():
        strength = _strength(entry)
        if strength >= strongest.get(entry.leaf.name, 0):
            strongest[entry.leaf.name] = strength
            origins[entry.leaf.name] = entry.origin
        origins[".".join(target)] = entry.origin
    return origins


def _names(value: Any) -> tuple[Any, ...]:
    """What was given as a list of names, right or wrong, which is for the settings' own rules to say."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else ()

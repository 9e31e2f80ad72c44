"""Read the environment: OpenTelemetry's variables, the derived `TICKTRACE_…` ones, and the seeds'."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from .declare import Variable, inverted, otel_bool, split_pairs
from .leaves import LEAVES, Leaf, find_group
from .nested import normal_key
from .origin import Entry, Origin, Problem, Reading, show_value
from .values import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIG_VARIABLE", "read_environment"]

CONFIG_VARIABLE = "TICKTRACE_CONFIG"

_PREFIX = "TICKTRACE_"

_WITHOUT_EFFECT = {
    "OTEL_CONFIG_FILE": "ticktrace reads its own file, see TICKTRACE_CONFIG",
}


def read_environment(environ: Mapping[str, str]) -> Reading:
    """Return what the variables say, weakest first; empty ones count as unset, as OpenTelemetry has it."""
    reading = Reading()
    known = {CONFIG_VARIABLE}
    for order, leaf in enumerate(LEAVES):
        derived = Variable(leaf.variable)
        known.add(derived.name)
        given = [
            variable for variable in (derived, *leaf.variables) if environ.get(variable.name, "").strip()
        ]
        for variable in reversed(given):
            _read(reading, leaf, variable, environ[variable.name], order)
    ours = [name.removeprefix(_PREFIX) for name in sorted(known)]
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in known and environ[name].strip():
            # Compared without the prefix, which alone would make everything look alike.
            close = did_you_mean(name.removeprefix(_PREFIX), ours).replace('mean "', f'mean "{_PREFIX}')
            hint = close or "; docs/reference/configuration.md lists all"
            reading.problems.append(
                Problem((1, len(LEAVES), 0), f"environment {name}: unknown variable{hint}")
            )
    for name, why in _WITHOUT_EFFECT.items():
        if environ.get(name, "").strip():
            reading.notes.append(f"environment {name}: accepted, has no effect: {why}")
    return reading


def _read(reading: Reading, leaf: Leaf, variable: Variable, text: str, order: int) -> None:
    origin = Origin("environment", variable.name)
    whole = Entry(leaf, None, text, origin, text=text, allowed=variable.allowed, order=order)
    if variable.decode in {otel_bool, inverted} and text.strip().lower() not in {"true", "false"}:
        reading.notes.append(
            f'environment {variable.name}={show_value(text)}: read as false, OpenTelemetry only knows "true" and "false"'
        )
    if not leaf.is_mapping:
        try:
            value = _structured(text) if find_group(leaf.annotation) else variable.decode(text)
        except yaml.YAMLError as error:
            said = getattr(error, "problem", None) or "cannot be read"
            _wrong(reading, whole, f"must be a YAML or JSON list: {said}")
        else:
            reading.entries.append(
                Entry(leaf, None, value, origin, text=text, allowed=variable.allowed, order=order)
            )
        return
    pairs: Mapping[str, Any] | None
    if find_group(leaf.annotation):
        pairs = _structured_mapping(text)
        if pairs is None:
            _wrong(reading, whole, "must be a YAML or JSON mapping of names to groups of settings")
            return
    else:
        try:
            pairs = split_pairs(text)
        except ValueError:
            _wrong(reading, whole, "must be key=value pairs separated by commas")
            return
    for key, value in pairs.items():
        reading.entries.append(Entry(leaf, normal_key(leaf, key), value, origin, text=text, order=order))


def _structured(text: str) -> Any:
    try:
        return json.loads(text)  # YAML reads most of JSON, but not its surrogate pairs
    except ValueError:
        return yaml.safe_load(text)


def _structured_mapping(text: str) -> Mapping[str, Any] | None:
    try:
        found = _structured(text)
    except yaml.YAMLError:
        return None
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None


def _wrong(reading: Reading, entry: Entry, message: str) -> None:
    problem = entry.problem((), message)
    if problem is not None:
        reading.problems.append(problem)

"""The merge of the settings' sources, for any setting and any value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ticktrace.errors import SettingsError
from ticktrace.settings import LEAVES, Leaf, load_settings
from ticktrace.settings.values import (
    Argument,
    Bool,
    Count,
    Duration,
    Durations,
    Endpoint,
    FilePath,
    Host,
    Names,
    Percentiles,
    Port,
    Rate,
    Ratio,
    Secret,
    Text,
    Thresholds,
    UrlPath,
    Whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ticktrace.settings import LoadedSettings

WORD = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters=","), min_size=1, max_size=12
)
HEADER = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)
EXPORTERS = st.lists(WORD.filter(lambda name: name != "none"), min_size=1, max_size=3, unique=True)
SECONDS = st.integers(1, 100_000).map(lambda number: number / 1000)

KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Argument, WORD),
    (Bool, st.booleans()),
    (Count, st.integers(0, 10_000)),
    (Duration, SECONDS),
    (Durations, st.lists(SECONDS, min_size=1, max_size=3, unique=True).map(sorted)),
    (Endpoint, st.integers(1, 65535).map("http://host:{}".format)),
    (FilePath, WORD),
    (Host, st.text("abc.", min_size=1, max_size=8)),
    (Names, st.lists(WORD, min_size=1, max_size=4, unique=True)),
    (
        Percentiles,
        st.lists(st.integers(1, 999).map(lambda n: n / 10), min_size=1, max_size=3, unique=True).map(sorted),
    ),
    (Port, st.integers(0, 65535)),
    (Rate, st.integers(1, 10_000).map(lambda number: number / 100)),
    (Ratio, st.integers(0, 100).map(lambda number: number / 100)),
    (Secret, WORD),
    (Text, WORD),
    (Thresholds, st.lists(SECONDS, min_size=1, max_size=3)),
    (UrlPath, st.text("abc/", max_size=5).map("/{}".format)),
    (Whole, st.integers(1, 10_000)),
]
BY_RULE = {kind.__metadata__[0]: strategy for kind, strategy in KINDS}
# What a value must also agree with: the defaults of its neighbours, or names that really exist.
ACTIONS = ("collect_garbage", "clear_caches", "memory_snapshot", "prune_logs", "rotate_logs")
KEY = st.text("abcdef0123456789", min_size=32, max_size=40)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "api.admin_keys": KEY,
    "api.health.heartbeat_critical": st.integers(60, 1_000),
    "api.health.heartbeat_warning": st.integers(1, 30),
    "api.read_keys": KEY,
    "diagnostics.scrub.patterns": st.sampled_from(["pin=\\d+", "x[0-9]{2,}", "secret"]).map(
        lambda one: [one]
    ),
    "notifications.dead_man.url": WORD.map(lambda word: f"https://host/{quote(word)}"),
    "notifications.urls": st.lists(st.integers(1, 9).map("json://host/{}".format), min_size=1, unique=True),
    # Other actions name limits that have to be set beside them.
    **dict.fromkeys([f"resources.actions.{name}.on" for name in ACTIONS], st.just(["memory_percent"])),
    "resources.interval": st.integers(1, 1_000),
    "resources.prune.files": st.lists(st.integers(1, 9).map("logs/{}.log".format), min_size=1, unique=True),
    "slo.objectives": st.fixed_dictionaries(
        {
            "instrument": st.just("trading.candle.processing.duration"),
            "threshold": st.integers(1, 9).map(lambda number: number / 10),
        }
    ),
    **dict.fromkeys(("exporters.traces", "exporters.metrics", "exporters.logs"), EXPORTERS),
    "logs.queue.max_export_batch_size": st.integers(1, 2048),
    "logs.queue.max_queue_size": st.integers(512, 10_000),
    "metrics.instruments": st.fixed_dictionaries(
        {"kind": st.just("gauge"), "description": WORD}, optional={"max_series": st.integers(1, 99)}
    ),
    "metrics.views": st.lists(WORD.map(lambda name: {"instrument": name, "drop": True}), max_size=2),
    "propagators": st.sampled_from([["tracecontext"], ["baggage"], ["baggage", "tracecontext"]]),
    "traces.keep.outcomes": st.lists(
        st.sampled_from(["error", "rejection", "fill", "order", "near_miss"]), min_size=1, unique=True
    ),
    "traces.queue.max_export_batch_size": st.integers(1, 2048),
    "traces.queue.max_queue_size": st.integers(512, 10_000),
    "traces.sampler": st.sampled_from(["always_on", "always_off", "traceidratio", "ticktrace_adaptive"]),
}
# A key without a certificate beside it is an error.
SINGLE = [leaf for leaf in LEAVES if not leaf.is_mapping and leaf.path[-1] != "client_key"]
MAPPINGS = [leaf for leaf in LEAVES if leaf.is_mapping]
LAYERS = ("file", "environment", "argument")


def values_of(leaf: Leaf) -> st.SearchStrategy[Any]:
    if leaf.name in BY_NAME:
        return BY_NAME[leaf.name]
    assert leaf.rule is not None
    words = leaf.rule.schema.get("enum")
    if words:
        return st.sampled_from(words)
    several = leaf.rule.schema.get("anyOf", [{}])[0].get("items", {}).get("enum")
    return st.lists(st.sampled_from(several), min_size=1, unique=True) if several else BY_RULE[leaf.rule]


def keys_of(leaf: Leaf) -> st.SearchStrategy[str]:
    return HEADER if leaf.path[-1] == "headers" else WORD


def in_variable(leaf: Leaf, value: Any) -> str:
    if leaf.name in {"metrics.instruments", "slo.objectives"}:
        return json.dumps(value)
    if leaf.is_mapping:
        return ",".join(f"{quote(key)}={quote(in_variable_value(item))}" for key, item in value.items())
    if leaf.name == "metrics.views":
        return json.dumps(value)
    if leaf.name.startswith("metrics.recent.") and isinstance(value, list):
        return ",".join(map(str, value))
    return in_variable_value(value)


def in_variable_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        separator = "|" if all(isinstance(item, float) for item in value) else ","
        return separator.join(map(str, value))
    return str(value)


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    return {path[0]: nested(path[1:], value) if len(path) > 1 else value}


def in_yaml(value: Any) -> Any:
    """Double the dollar signs in text, which would begin a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [in_yaml(item) for item in value]
    return {key: in_yaml(item) for key, item in value.items()} if isinstance(value, dict) else value


def problems_of(
    arguments: dict[str, Any], file: Path | None = None, environ: Mapping[str, str] | None = None
) -> list[str]:
    """Return what is wrong; anything but a SettingsError fails the test."""
    try:
        load_settings(arguments, file=file, environ=environ or {})
    except SettingsError as error:
        return error.problems
    return []


def at(found: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        found = getattr(found, name)
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "ticktrace.yaml"


def load(file: Path, leaf: Leaf, given_values: Mapping[str, Any]) -> LoadedSettings:
    """Give `leaf` the value that `given_values` has for each layer."""
    in_file = nested(leaf.path, given_values["file"]) if "file" in given_values else {}
    file.write_text(yaml.safe_dump(in_yaml(in_file), allow_unicode=True), encoding="utf-8")
    environ = {}
    if "environment" in given_values:
        environ[leaf.variable] = in_variable(leaf, given_values["environment"])
    arguments = nested(leaf.path, given_values["argument"]) if "argument" in given_values else {}
    return load_settings(arguments, file=file, environ=environ)


def expected(leaf: Leaf, value: Any) -> Any:
    return at(load_settings({leaf.name: value}, environ={}).settings, leaf.path)


@settings(max_examples=20)
@pytest.mark.parametrize("leaf", SINGLE, ids=lambda leaf: leaf.name)
@given(data=st.data())
def test_the_strongest_source_that_says_something_wins(file: Path, leaf: Leaf, data: st.DataObject) -> None:
    layers = data.draw(st.lists(st.sampled_from(LAYERS), unique=True))
    given_values = {layer: data.draw(values_of(leaf), label=layer) for layer in LAYERS if layer in layers}

    loaded = load(file, leaf, given_values)

    winner = next((layer for layer in reversed(LAYERS) if layer in given_values), "default")
    assert loaded.origins[leaf.name].source == winner
    value = leaf.default if winner == "default" else expected(leaf, given_values[winner])
    assert at(loaded.settings, leaf.path) == value
    others = {name: origin for name, origin in loaded.origins.items() if name != leaf.name}
    assert {origin.source for origin in others.values()} == {"default"}, "nothing else is touched"


@settings(max_examples=20)
@pytest.mark.parametrize("leaf", MAPPINGS, ids=lambda leaf: leaf.name)
@given(data=st.data())
def test_mappings_are_merged_key_by_key(file: Path, leaf: Leaf, data: st.DataObject) -> None:
    some = data.draw(st.lists(keys_of(leaf), min_size=1, max_size=4, unique=True), label="keys")
    mapping = st.dictionaries(st.sampled_from(some), values_of(leaf), min_size=1)
    given_values = {layer: data.draw(mapping, label=layer) for layer in LAYERS}

    loaded = load(file, leaf, given_values)

    merged = given_values["file"] | given_values["environment"] | given_values["argument"]
    assert at(loaded.settings, leaf.path) == expected(leaf, merged)
    for key in merged:
        strongest = next(layer for layer in reversed(LAYERS) if key in given_values[layer])
        assert loaded.origins[f"{leaf.name}.{key}"].source == strongest


@given(data=st.data())
def test_the_order_inside_a_source_does_not_matter(file: Path, data: st.DataObject) -> None:
    leaves = data.draw(st.lists(st.sampled_from(SINGLE), min_size=2, max_size=6, unique=True))
    values = {leaf: data.draw(values_of(leaf)) for leaf in leaves}
    shuffled = data.draw(st.permutations(leaves))

    def loaded(order: list[Leaf], source: str) -> Any:
        in_file = {leaf.name: values[leaf] for leaf in order}
        text = yaml.safe_dump(
            in_yaml(in_file) if source == "file" else {}, allow_unicode=True, sort_keys=False
        )
        file.write_text(text, encoding="utf-8")
        environ = (
            {leaf.variable: in_variable(leaf, values[leaf]) for leaf in order}
            if source == "environment"
            else {}
        )
        try:
            result = load_settings(in_file if source == "argument" else {}, file=file, environ=environ)
        except SettingsError as error:  # neighbours may contradict each other
            return sorted(problem.partition(": ")[2] for problem in error.problems)
        return result.settings, {name: origin.source for name, origin in result.origins.items()}

    for source in LAYERS:
        assert loaded(leaves, source) == loaded(shuffled, source)


@given(data=st.data())
def test_nested_and_dotted_arguments_mean_the_same(data: st.DataObject) -> None:
    leaf = data.draw(st.sampled_from(SINGLE))
    value = data.draw(values_of(leaf))
    dotted = load_settings({leaf.name: value}, environ={})
    assert dotted == load_settings(nested(leaf.path, value), environ={})
    assert hash(dotted.settings) == hash(load_settings({leaf.name: value}, environ={}).settings)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)


@given(data=st.data())
def test_any_value_anywhere_is_accepted_or_refused_with_its_place(file: Path, data: st.DataObject) -> None:
    leaf = data.draw(st.sampled_from(LEAVES))
    depth = data.draw(st.integers(1, len(leaf.path)))
    tree = nested(leaf.path[:depth], data.draw(TREES))
    file.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    assert all(problem.startswith("argument ") for problem in problems_of(tree))
    assert all(problem.startswith(f"{file}:") for problem in problems_of({}, file))


@given(text=st.text(max_size=60) | st.text("{}[]:-,&*!|>'\"%@`#? \n\tab$", max_size=30))
def test_any_text_is_read_or_refused_with_its_line(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert all(problem.startswith(str(file)) for problem in problems_of({}, file))


@given(data=st.data())
def test_any_text_in_a_variable_is_read_or_refused_with_its_name(data: st.DataObject) -> None:
    leaf = data.draw(st.sampled_from(LEAVES))
    variable = data.draw(st.sampled_from([leaf.variable, *(standard.name for standard in leaf.variables)]))
    text = data.draw(WORD | st.text(max_size=10))
    assert all(
        problem.startswith(f"environment {variable}") for problem in problems_of({}, None, {variable: text})
    )

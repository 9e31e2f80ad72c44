"""What is written is what docs/journal.schema.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from support.journals import journal, line
from ticktrace.diagnostics import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "object": lambda value: type(value) is dict,
}


def published() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        (Path(__file__).parents[3] / "docs" / "journal.schema.json").read_text(encoding="utf-8")
    )
    return schema


def faults(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """As much of JSON Schema as the schema uses; anything else in it is a fault, too."""
    unknown = set(schema) - {
        "$schema",
        "title",
        "description",
        "default",
        "type",
        "anyOf",
        "properties",
        "required",
        "additionalProperties",
    }
    if unknown:
        yield f"{where}: {unknown} is not understood"
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if "anyOf" in schema and all(list(faults(value, choice)) for choice in schema["anyOf"]):
        yield f"{where}: {value!r} is nothing of {schema['anyOf']}"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from faults(value[name], inner, f"{where}.{name}")


def written(directory: Path, *found: Line) -> list[bytes]:
    writer = journal(directory)
    for each in found:
        writer.take(each)
    assert writer.close(5)
    assert writer.path is not None
    return writer.path.read_bytes().splitlines()


def test_real_lines_are_valid(tmp_path: Path) -> None:
    full = line(
        1,
        symbol="BTC/USDT",
        strategy="momentum",
        candle=1_755_640_800.0,
        decision=7,
        name="volume",
        passed=False,
        reason="signal:momentum:volume",
        value=1.5,
        threshold=2,
        comparison=">=",
        near_miss=True,
        trace_id="0" * 32,
        span_id="1" * 16,
    )
    odd: Any = {"value": np.float32(0.5), "threshold": float("nan"), "symbol": 5, "passed": np.bool_(True)}
    found = written(tmp_path, full, line(2), line(3, payload=None), line(4, **odd))
    assert len(found) == 5
    schema = published()
    for data in found:
        assert list(faults(json.loads(data), schema)) == []
        msgspec.json.decode(data, type=Line, strict=True)
    assert set(json.loads(found[1])) == set(schema["properties"]) - {"schema"}


@pytest.mark.parametrize(
    "wrong", [{"ts": 1.5}, {"ts": None}, {"value": []}, {"passed": 1}, {"near_miss": None}, {"payload": []}]
)
def test_wrong_lines_are_not(wrong: dict[str, Any]) -> None:
    right = {"ts": 1, "component": "c", "stage": "s"}
    assert list(faults(right, published())) == []
    assert list(faults(right | wrong, published()))
    assert list(faults({"ts": 1}, published()))


def test_every_field_is_described() -> None:
    for name, shape in published()["properties"].items():
        assert shape["description"].endswith("."), name
    assert list(published()["properties"]) == list(Line.__struct_fields__)

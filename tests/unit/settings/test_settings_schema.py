from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ticktrace.catalog import CATALOG
from ticktrace.settings import LEAVES, load_settings, settings_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(item)


def property_at(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    node = schema
    for name in path:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        node = node["properties"][name]
    return node


def test_the_schema_is_json_and_every_reference_in_it_resolves() -> None:
    schema = json.loads(json.dumps(settings_schema()))
    for node in nodes(schema):
        if isinstance(reference := node.get("$ref"), str):
            assert reference.removeprefix("#/$defs/") in schema["$defs"]


def test_the_schema_describes_every_setting() -> None:
    schema = settings_schema()
    for leaf in LEAVES:
        assert property_at(schema, leaf.path)["description"] == leaf.info.description


def test_unknown_keys_are_refused_and_the_seeds_blocks_are_known() -> None:
    schema = settings_schema()
    assert schema["additionalProperties"] is False
    assert {"sampling", "sla_thresholds"} <= schema["properties"].keys()
    assert {"sampling", "enabled"} <= schema["$defs"]["MetricsSettings"]["properties"].keys()


def test_a_number_may_come_from_a_variable() -> None:
    port = property_at(settings_schema(), ("prometheus", "port"))
    assert [option["type"] for option in port["anyOf"]] == ["integer", "string"]
    assert port["default"] == 9464


@pytest.mark.parametrize(
    "block", re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)
def test_the_settings_files_on_the_documentation_page_are_right(block: str, tmp_path: Path) -> None:
    file = tmp_path / "ticktrace.yaml"
    file.write_text(block, encoding="utf-8")
    load_settings(file=file, environ={"BACKEND_API_KEY": "secret"}, known_instruments=CATALOG)

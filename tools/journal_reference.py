"""Generate the JSON Schema of the journal's lines, docs/journal.schema.json, from `ticktrace.diagnostics.Line`."""

from __future__ import annotations

import inspect
import json
import re
import sys
from typing import Any

import msgspec

from _generated import write_or_check
from ticktrace.diagnostics import SCHEMA_VERSION, Line

_ABOUT = (
    "A line of a journal of ticktrace, in diag_*.jsonl files. The first of each file has the stage session and says which"
    " version of this schema the file follows. Readers ignore fields that they do not know: new ones alone do not raise the"
    " version."
)


def render() -> str:
    """The schema, in JSON."""
    found = msgspec.json.schema(Line)["$defs"]["Line"]
    texts = _texts()
    properties = {name: {"description": texts[name]} | _shape(name, found) for name in Line.__struct_fields__}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"ticktrace journal, version {SCHEMA_VERSION}",
        "description": _ABOUT,
        "type": "object",
        "properties": properties,
        "required": found["required"],
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _shape(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """What a field may be; one that has its default is left out of a line, so no default is null."""
    shape = dict(found["properties"][name])
    if shape.get("default", ...) is None:
        del shape["default"]
    if "anyOf" in shape:
        shape["anyOf"] = [kind for kind in shape["anyOf"] if kind != {"type": "null"}]
        if len(shape["anyOf"]) == 1:
            shape |= shape.pop("anyOf")[0]
    return shape


def _texts() -> dict[str, str]:
    """What the docstring says of each field."""
    attributes = inspect.cleandoc(Line.__doc__ or "").split("Attributes:\n", 1)[1]
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return {name: re.sub(r"``([^`]+)``", r"`\1`", " ".join(text.split())) for name, text in entries}


if __name__ == "__main__":
    sys.exit(write_or_check(render(), "docs/journal.schema.json"))

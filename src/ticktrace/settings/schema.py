"""The JSON schema of the settings file, for editors and for checks outside Python."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from .model import Settings
from .seeds import SEED_BLOCKS

__all__ = ["settings_schema"]

_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of `ticktrace.yaml`, the seeds' blocks included."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    top = schema["properties"]
    metrics = definitions["MetricsSettings"]["properties"]
    for name, shape in SEED_BLOCKS.items():
        block = TypeAdapter(shape).json_schema()
        definitions.update(block.pop("$defs", {}))
        block |= {"description": f"Accepted from earlier configurations: {name}.", "deprecated": True}
        top[name] = metrics[name] = block
    metrics["enabled"] = dict(top["enabled"]) | {"deprecated": True}
    result: dict[str, Any] = _with_variables(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result}


def _with_variables(node: Any) -> Any:
    """Allow `${VAR}` wherever a scalar that is not free text is wanted, and null where a group may stay empty."""
    if isinstance(node, list):
        return [_with_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: value if key == "default" else _with_variables(value) for key, value in node.items()}
    scalar = inner.get("type") in ("boolean", "integer", "number") or "enum" in inner
    if not scalar:
        return inner
    outside = {
        key: inner.pop(key) for key in ("default", "deprecated", "description", "title") if key in inner
    }
    return {"anyOf": [inner, dict(_VARIABLE)], **outside}

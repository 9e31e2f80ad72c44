"""Write the settings in force with where each came from, as text, JSON or YAML; secrets are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, SecretStr

from ticktrace.settings import LEAVES, mask_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace.settings import LoadedSettings, Origin

__all__ = ["as_json", "as_text", "as_yaml"]

_MASK = "********"


def as_text(loaded: LoadedSettings, *, changed: bool = False) -> str:
    """Return one line a setting: name, value, origin; then the notes."""
    rows = [
        (".".join(path), _plain_text(value), str(origin))
        for path, value, origin in _rows(loaded, changed=changed)
    ]
    widths = [min(max((len(row[column]) for row in rows), default=0), 48) for column in range(2)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for name, value, origin in rows]
    lines.extend(f"note: {note}" for note in loaded.notes)
    return "\n".join(lines)


def as_json(loaded: LoadedSettings, *, changed: bool = False) -> str:
    """Return `{"file", "settings", "origins", "notes"}` as JSON; origins have dotted keys."""
    rows = list(_rows(loaded, changed=changed))
    answer = {
        "file": str(loaded.file) if loaded.file else None,
        "settings": _nested(rows),
        "origins": {".".join(path): str(origin) for path, _, origin in rows},
        "notes": list(loaded.notes),
    }
    return json.dumps(answer, indent=2, ensure_ascii=False)


def as_yaml(loaded: LoadedSettings, *, changed: bool = False) -> str:
    """Return a settings file that says what is in force, each origin as a comment."""
    lines: list[str] = [f"# note: {note}" for note in loaded.notes]
    above: tuple[str, ...] = ()
    for path, value, origin in _rows(loaded, changed=changed):
        shared = 0
        while shared < len(path) - 1 and path[shared : shared + 1] == above[shared : shared + 1]:
            shared += 1
        lines.extend(f"{'  ' * depth}{_yaml_key(path[depth])}:" for depth in range(shared, len(path) - 1))
        indent = "  " * (len(path) - 1)
        lines.append(f"{indent}{_yaml_key(path[-1])}: {_flow(value)}  # {origin}")
        above = path[:-1]
    return "\n".join(lines)


def _rows(loaded: LoadedSettings, *, changed: bool) -> Iterator[tuple[tuple[str, ...], Any, Origin]]:
    """Yield path, masked value and origin of every setting, and of every key of those that are mappings."""
    for leaf in LEAVES:
        value: Any = loaded.settings
        for name in leaf.path:
            value = getattr(value, name)
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                path = (*leaf.path, key)
                yield path, _masked(item), loaded.origins[".".join(path)]
        elif not (changed and loaded.origins[leaf.name].source == "default"):
            yield leaf.path, _masked(value), loaded.origins[leaf.name]


def _masked(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, (str, Path)):
        return mask_url(str(value))
    if isinstance(value, BaseModel):
        return {
            name: _masked(getattr(value, name))
            for name in type(value).model_fields
            if name in value.model_fields_set
        }
    if isinstance(value, tuple):
        return [_masked(item) for item in value]
    return value


def _nested(rows: list[tuple[tuple[str, ...], Any, Origin]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value, _ in rows:
        inner = nested
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    return nested


def _plain_text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "[]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flow(value: Any) -> str:
    # A file's own dollar signs are doubled, or reading the file back would take them for variables.
    text = yaml.safe_dump(_doubled(value), default_flow_style=True, width=10**9, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _doubled(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    if isinstance(value, dict):
        return {key: _doubled(item) for key, item in value.items()}
    return value


def _yaml_key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else json.dumps(name, ensure_ascii=False)

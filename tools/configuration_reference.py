"""Generate the reference page of all settings, docs/reference/configuration.md, from their model."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel, SecretStr

from _generated import write_or_check
from ticktrace.settings import LEAVES, InstrumentSettings, Leaf, ObjectiveSettings, Settings, ViewSettings

_BELOW = {
    "metrics.views": "a list of views, see below",
    "metrics.instruments": "a group, see below",
    "slo.objectives": "a group, see below",
}

_HEAD = """\
# Configuration reference

<!-- Generated from the settings' model by tools/configuration_reference.py; do not edit. -->

Every setting, with the variables that set it: the standard OpenTelemetry one first where there is one. See
[Configuration](../configuration.md) for how files, variables and arguments work together. Durations in `OTEL_*`
variables follow OpenTelemetry: milliseconds for intervals and delays, seconds for `OTEL_EXPORTER_OTLP_*TIMEOUT`.
Mappings are written `key=value,key=value` in a variable, lists `a,b`, and `metrics.views` and `metrics.instruments` as
YAML or JSON.
"""


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    heading = None
    for leaf in LEAVES:
        group = ".".join(leaf.path[:-1])
        if group != heading:
            heading = group
            parts.append(_group_head(leaf))
        parts.append(_row(leaf))
    parts += [
        _entry("metrics.views", ViewSettings),
        _entry("metrics.instruments", InstrumentSettings),
        _entry("slo.objectives", ObjectiveSettings),
    ]
    return "\n".join(parts) + "\n"


def _group_head(leaf: Leaf) -> str:
    group: Any = Settings
    for name in leaf.path[:-1]:
        group = group.model_fields[name].annotation
    title = f"`{'.'.join(leaf.path[:-1])}`" if len(leaf.path) > 1 else "At the top"
    about = f"{group.__doc__.splitlines()[0]}\n\n" if len(leaf.path) > 1 else ""
    return (
        f"\n## {title}\n\n{about}| setting | variables | default | allowed | meaning |\n|---|---|---|---|---|"
    )


def _row(leaf: Leaf) -> str:
    variables = [variable.name for variable in leaf.variables] + [leaf.variable]
    cells = [
        f"`{leaf.name}`",
        "<br>".join(f"`{name}`" for name in variables),
        _default(leaf.default),
        _allowed(leaf),
        leaf.info.description or "",
    ]
    return _cells(cells)


def _cells(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "secret"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (tuple, dict)) and not value:
        return "empty"
    if isinstance(value, tuple):
        return "`" + ", ".join(map(str, value)) + "`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def _allowed(leaf: Leaf) -> str:
    words = leaf.rule.allowed if leaf.rule else _BELOW[leaf.name]
    if leaf.is_mapping:
        words = f"names to values; a value: {words}"
    return f"{words}, or null" if leaf.is_optional else words


def _entry(setting: str, group: type[BaseModel]) -> str:
    lines = [
        f"\n## One entry of `{setting}`\n",
        f"{(group.__doc__ or '').splitlines()[0]}\n",
        "| field | default | meaning |",
        "|---|---|---|",
    ]
    for name, info in group.model_fields.items():
        default = "required" if info.is_required() else _default(info.default)
        lines.append(_cells([f"`{name}`", default, info.description or ""]))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(write_or_check(page(), "docs/reference/configuration.md"))

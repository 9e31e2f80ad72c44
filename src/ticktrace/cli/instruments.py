"""`ticktrace instruments`: the reference of all instruments, the application's own included, and panels for them."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from ticktrace.catalog import (
    BUCKETS,
    CATALOG,
    dashboard_of,
    recording_rules,
    reference_table,
    table,
    with_own,
)
from ticktrace.settings import DEFAULT_FILE

from .config import load_or_refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.catalog import InstrumentSpec

__all__ = ["instruments"]


class Format(StrEnum):
    """How `ticktrace instruments` writes."""

    markdown = "markdown"
    json = "json"
    grafana = "grafana"
    rules = "rules"


def instruments(
    file: Annotated[
        Path | None,
        typer.Argument(help=f"The YAML file. Default: the one TICKTRACE_CONFIG names, else {DEFAULT_FILE}."),
    ] = None,
    output: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Tables, data, a Grafana dashboard, or Prometheus recording rules for the aliases.",
        ),
    ] = Format.markdown,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the instruments of ticktrace's own catalog.")
    ] = False,
) -> None:
    """Write the reference of the instruments that the settings declare (metrics.instruments)."""
    loaded = load_or_refuse(file)
    catalog, _ = with_own(loaded.settings.metrics.instruments, CATALOG)
    rows = {name: row for name, row in catalog.items() if everything or name not in CATALOG}
    write = {
        Format.markdown: _markdown,
        Format.json: _json,
        Format.grafana: lambda rows: _grafana(loaded.settings.service.name, rows),
        Format.rules: _rules,
    }[output]
    typer.echo(write(rows))


def _markdown(rows: Mapping[str, InstrumentSpec]) -> str:
    parts = []
    for group in dict.fromkeys(row.group for row in rows.values()):
        members = [row for row in rows.values() if row.group == group]
        parts.append(f"## {group[:1].upper()}{group[1:]}\n\n{reference_table(members)}")
    used = {
        name: bounds
        for name, bounds in BUCKETS.items()
        if any(row.buckets == bounds for row in rows.values())
    }
    if used:
        bounds = ((name, ", ".join(f"{bound:g}" for bound in buckets)) for name, buckets in used.items())
        parts.append(f"## Buckets\n\n{table(('Set', 'Bounds'), bounds)}")
    return "\n".join(parts).rstrip() or "no instruments"


def _json(rows: Mapping[str, InstrumentSpec]) -> str:
    return json.dumps([_described(row) for row in rows.values()], indent=2, ensure_ascii=False)


def _described(row: InstrumentSpec) -> dict[str, Any]:
    return {
        "name": row.name,
        "prometheus": row.prometheus_name,
        "series": list(row.series),
        "kind": row.kind.value,
        "unit": row.unit,
        "description": row.description,
        "group": row.group,
        "attributes": list(row.attributes),
        "buckets": None if row.buckets is None else list(row.buckets),
        "aliases": list(row.aliases),
        "max_series": row.max_series,
    }


def _grafana(service: str, rows: Mapping[str, InstrumentSpec]) -> str:
    return json.dumps(dashboard_of(service, rows.values()), indent=2, ensure_ascii=False)


def _rules(rows: Mapping[str, InstrumentSpec]) -> str:
    rules = [
        {"record": rule.record, "expr": rule.expr} | ({"labels": dict(rule.labels)} if rule.labels else {})
        for rule in recording_rules(rows)
    ]
    groups = {"groups": [{"name": "aliases", "rules": rules}] if rules else []}
    return yaml.safe_dump(groups, sort_keys=False, width=10_000, allow_unicode=True).rstrip()

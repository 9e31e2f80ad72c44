"""Generate the reference page of instruments and attributes, docs/reference/instruments.md."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from opentelemetry.semconv.attributes import (
    db_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)

from _generated import write_or_check
from ticktrace import semconv
from ticktrace.catalog import BUCKETS, CATALOG, codes, label_name, reference_table, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_CONVENTIONS = (
    db_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
    semconv,
)

_HEAD = """\
<!-- Generated from the catalog by tools/instruments_reference.py; do not edit. -->

# Instruments and attributes

Every instrument that ticktrace records or shapes, with its name in OpenTelemetry and in Prometheus. A histogram is
three series in Prometheus, with `_bucket`, `_count` and `_sum` behind the name. *Also as* lists the bare names that the
recording rules in `monitoring/prometheus/rules/aliases.yml` offer to dashboards written for them.

Only the attributes named here reach a metric; anything else is left off. Instruments marked *OTel's* are recorded by an
OpenTelemetry instrumentation: ticktrace gives them buckets and leaves their attributes alone.

Behind an OpenTelemetry Collector or Prometheus' own OTLP receiver, gauges that OpenTelemetry gives the unit `1`
(`system.memory.utilization` and its like) have `_ratio` appended. All other names are the same on every road.
"""


def render() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for group in dict.fromkeys(row.group for row in CATALOG.values()):
        rows = [row for row in CATALOG.values() if row.group == group]
        parts += [f"## {group[0].upper()}{group[1:]}\n", reference_table(rows)]
    parts += [
        "## Buckets\n",
        "Upper bounds, inclusive. Thresholds of objectives (`slo.thresholds`) join them.\n",
    ]
    bounds = ((name, ", ".join(f"{bound:g}" for bound in buckets)) for name, buckets in BUCKETS.items())
    parts += [table(("Set", "Bounds"), bounds)]
    parts += _conventions()
    return "\n".join(parts)


def _conventions() -> Iterator[str]:
    texts: dict[str, str] = {}
    for module in _CONVENTIONS:
        texts |= _texts(module)

    yield "## Attributes on metrics\n"
    yield "Each has few values. Spans may carry them too.\n"
    yield table(
        ("Attribute", "Label in Prometheus", "What it says"),
        (
            (f"`{key}`", f"`{label_name(key)}`", texts[key] + _values(key))
            for key in sorted(semconv.METRIC_ATTRIBUTES)
        ),
    )
    yield "## Attributes on spans only\n"
    yield "Ids, prices, free text: on a metric each value would be a series of its own.\n"
    yield table(
        ("Attribute", "What it says"),
        ((f"`{key}`", texts[key]) for key in sorted(semconv.SPAN_ONLY_ATTRIBUTES)),
    )
    keys = semconv.METRIC_ATTRIBUTES | semconv.SPAN_ONLY_ATTRIBUTES
    names = {name: getattr(semconv, name) for name in semconv.__all__ if name.startswith(("SPAN_", "EVENT_"))}
    for heading, prefix in (("Spans", "SPAN_"), ("Events", "EVENT_")):
        yield f"## {heading}\n"
        yield table(
            ("Name", "What it says"),
            (
                (f"`{value}`", texts[value])
                for name, value in names.items()
                if name.startswith(prefix) and isinstance(value, str) and value not in keys
            ),
        )
    yield f"The schema of these conventions is `{semconv.SCHEMA_URL}`, an identifier.\n"


def _values(key: str) -> str:
    enumeration = semconv.ENUMERATIONS.get(key)
    return f" One of {codes(enumeration)}." if enumeration else ""


def _texts(module: ModuleType) -> dict[str, str]:
    """First paragraph of the string that stands under each constant of a module, by the constant's value."""
    statements = ast.parse(inspect.getsource(module)).body
    texts = {}
    for statement, below in pairwise(statements):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if isinstance(value := getattr(module, name), str):
                texts[value] = _prose(text)
    return texts


def _prose(text: str) -> str:
    paragraph = re.split(r"\n\s*\n|\nNote:", text.strip())[0]
    return re.sub(r"``([^`]+)``", r"`\1`", " ".join(paragraph.split())).rstrip(".") + "."


if __name__ == "__main__":
    sys.exit(write_or_check(render(), "docs/reference/instruments.md"))

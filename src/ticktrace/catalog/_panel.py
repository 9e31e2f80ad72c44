"""Rows as Grafana panels: what a dashboard asks of an instrument follows from its kind and its unit.

The JSON is that of Grafana's dashboards ("Dashboard JSON model", schema version 39 and later).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._spec import InstrumentSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["dashboard_of", "panel_of"]

_WIDTH: Final = 12
_HEIGHT: Final = 8
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_UNITS: Final = {
    "s": "s",
    "ms": "ms",
    "us": "µs",
    "ns": "ns",
    "min": "m",
    "h": "h",
    "d": "d",
    "By": "bytes",
    "KiBy": "kbytes",
    "MiBy": "mbytes",
    "%": "percent",
    "{ratio}": "percentunit",
    "{boolean}": "bool_on_off",
}
_QUANTILES: Final = ("0.5", "0.95", "0.99")


def panel_of(row: InstrumentSpec, by: Sequence[str] | None = None) -> dict[str, Any]:
    """A time-series panel for an instrument, as a Grafana dashboard has it in ``panels``; id and place are left to that.

    A counter is shown as its rate, a histogram as its quantiles, everything else as it is.

    Args:
        row: the instrument.
        by: the attributes of which each value gets a line; all that the row allows by default.
    """
    labels = [label_name(key) for key in (row.attributes if by is None else by)]
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    return {
        "type": "timeseries",
        "title": row.name,
        "description": row.description,
        "datasource": dict(_DATASOURCE),
        "fieldConfig": {"defaults": {"unit": _unit(row)}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": dict(_DATASOURCE),
                "expr": expr,
                "legendFormat": name,
            }
            for number, (expr, name) in enumerate(_queries(row, labels, legend or row.name))
        ],
    }


def dashboard_of(title: str, rows: Iterable[InstrumentSpec]) -> dict[str, Any]:
    """A whole dashboard, ready to be imported: a heading for each group, two panels beside each other."""
    panels: list[dict[str, Any]] = []
    top = 0
    listed = list(rows)
    for group in dict.fromkeys(row.group for row in listed):
        panels.append({"type": "row", "title": group, "collapsed": False, "panels": []})
        panels[-1]["gridPos"] = {"x": 0, "y": top, "w": 2 * _WIDTH, "h": 1}
        top += 1
        members = [row for row in listed if row.group == group]
        for number, row in enumerate(members):
            place = {"x": number % 2 * _WIDTH, "y": top + number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            panels.append({**panel_of(row), "gridPos": place})
        top += (len(members) + 1) // 2 * _HEIGHT
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": title,
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source]},
        "panels": panels,
    }


def _queries(row: InstrumentSpec, labels: Sequence[str], legend: str) -> list[tuple[str, str]]:
    name = row.prometheus_name
    if row.kind is Kind.HISTOGRAM:
        by = ", ".join(["le", *labels])
        return [
            (
                f"histogram_quantile({quantile}, sum by ({by}) (rate({name}_bucket[$__rate_interval])))",
                f"p{float(quantile) * 100:g} {legend}",
            )
            for quantile in _QUANTILES
        ]
    by = ", ".join(labels)
    if row.kind is Kind.COUNTER:
        return [(f"sum by ({by}) (rate({name}[$__rate_interval]))", legend)]
    if row.kind is Kind.UP_DOWN_COUNTER:
        return [(f"sum by ({by}) ({name})", legend)]
    return [(f"max by ({by}) ({name})", legend)]


def _unit(row: InstrumentSpec) -> str:
    if row.kind is Kind.COUNTER and row.unit.startswith("{"):
        return "cps"
    if row.kind is Kind.COUNTER and row.unit == "By":
        return "Bps"
    if row.unit == "1" and row.name.endswith(("ratio", "rate", "utilization")):
        return "percentunit"
    return _UNITS.get(row.unit, "short")

"""Panels: for every row of the catalog one whose queries Prometheus understands and which name the row's series."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.backends import require
from ticktrace.catalog import CATALOG, InstrumentSpec, Kind, dashboard_of, label_name, panel_of

if TYPE_CHECKING:
    from pathlib import Path


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_a_counter_is_shown_as_its_rate_by_its_labels() -> None:
    row = InstrumentSpec("acme.rolled", Kind.COUNTER, "{contract}", "Rolled.", attributes=("acme.desk",))
    panel = panel_of(row)
    assert queries(panel) == ["sum by (acme_desk) (rate(acme_rolled_total[$__rate_interval]))"]
    assert panel["targets"][0]["legendFormat"] == "{{acme_desk}}"
    assert (panel["type"], panel["title"], panel["description"]) == ("timeseries", "acme.rolled", "Rolled.")
    assert panel["fieldConfig"]["defaults"]["unit"] == "cps"
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_a_histogram_is_shown_as_its_quantiles() -> None:
    row = InstrumentSpec("acme.d", Kind.HISTOGRAM, "s", "D.", attributes=("acme.desk",), buckets=(1.0,))
    panel = panel_of(row, by=())
    assert queries(panel) == [
        f"histogram_quantile({quantile}, sum by (le) (rate(acme_d_seconds_bucket[$__rate_interval])))"
        for quantile in ("0.5", "0.95", "0.99")
    ]
    assert [target["legendFormat"] for target in panel["targets"]] == [
        "p50 acme.d",
        "p95 acme.d",
        "p99 acme.d",
    ]
    assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"]
    assert panel["fieldConfig"]["defaults"]["unit"] == "s"


@pytest.mark.parametrize(
    ("name", "kind", "unit", "shown"),
    [
        ("acme.ratio", Kind.GAUGE, "1", "percentunit"),
        ("acme.level", Kind.GAUGE, "1", "short"),
        ("acme.share", Kind.GAUGE, "{ratio}", "percentunit"),
        ("acme.memory", Kind.GAUGE, "By", "bytes"),
        ("acme.sent", Kind.COUNTER, "By", "Bps"),
        ("acme.queue", Kind.UP_DOWN_COUNTER, "{item}", "short"),
        ("acme.age", Kind.GAUGE, "ms", "ms"),
    ],
)
def test_units_are_grafanas(name: str, kind: Kind, unit: str, shown: str) -> None:
    assert panel_of(InstrumentSpec(name, kind, unit, "X."))["fieldConfig"]["defaults"]["unit"] == shown


def test_a_dashboard_lays_its_panels_out_without_overlap_and_is_json() -> None:
    dashboard = json.loads(json.dumps(dashboard_of("All", CATALOG.values())))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    shown = [panel["title"] for panel in panels if panel["type"] == "timeseries"]
    assert sorted(shown) == sorted(CATALOG)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert dashboard["templating"]["list"][0]["name"] == "datasource"


@pytest.mark.backend
def test_prometheus_understands_the_queries_of_every_row(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(query for row in CATALOG.values() for query in queries(panel_of(row)))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [require("promtool"), "check", "rules", file], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG)
def test_the_queries_of_a_row_are_about_its_series_and_labels(row: InstrumentSpec) -> None:
    for query in queries(panel_of(row)):
        assert row.prometheus_name in query
        for key in row.attributes:
            assert label_name(key) in query

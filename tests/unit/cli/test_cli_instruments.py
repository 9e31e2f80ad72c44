"""`ticktrace instruments`: the application's own rows as tables, data, dashboard and rules."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from ticktrace.catalog import CATALOG
from ticktrace.cli import app

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """\
service: {name: acme-bot}
metrics:
  instruments:
    acme.hedge.ratio:
      kind: gauge
      description: Part of the exposure that is hedged.
      attributes: [trading.symbol]
      max_series: 50
    acme.quote.duration:
      {kind: histogram, unit: s, description: Time to quote., buckets: network, aliases: [quote_seconds], group: quotes}
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("OTEL_", "TICKTRACE_", "METRICS_", "PROMETHEUS_"):
        for variable in [key for key in os.environ if key.startswith(name)]:
            monkeypatch.delenv(variable)
    (tmp_path / "ticktrace.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["instruments", *arguments])
    return result.exit_code, result.stdout, result.stderr


def in_json(*arguments: str) -> Any:
    return json.loads(run(*arguments)[1])


def test_tables_by_group_with_the_buckets_that_they_use() -> None:
    code, text, error = run()
    assert (code, error) == (0, "")
    assert text.startswith("## Custom\n\n| Instrument |")
    assert "| `acme.hedge.ratio` | `acme_hedge_ratio` | gauge, `1` | `trading.symbol` |" in text
    assert "## Quotes\n" in text
    assert "## Buckets\n\n| Set | Bounds |\n| --- | --- |\n| network | 0.005," in text
    assert "trading.candles.processed" not in text


def test_data() -> None:
    hedge, quote = in_json("--format", "json")
    assert (hedge["name"], hedge["max_series"]) == ("acme.hedge.ratio", 50)
    assert quote["series"][0] == "acme_quote_duration_seconds_bucket"


def test_everything_with_the_catalog() -> None:
    assert len(in_json("--format", "json", "--all")) == len(CATALOG) + 2


def test_a_dashboard() -> None:
    dashboard = in_json("--format", "grafana")
    assert dashboard["title"] == "acme-bot"
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert titles == ["custom", "acme.hedge.ratio", "quotes", "acme.quote.duration"]


def test_rules_for_the_aliases() -> None:
    (group,) = yaml.safe_load(run("--format", "rules")[1])["groups"]
    assert {"record": "quote_seconds_count", "expr": "acme_quote_duration_seconds_count"} in group["rules"]


def test_without_rows_there_is_nothing_to_say(directory: Path) -> None:
    (directory / "empty.yaml").write_text("mode: paper", encoding="utf-8")
    assert run("empty.yaml")[1] == "no instruments\n"
    assert yaml.safe_load(run("empty.yaml", "--format", "rules")[1]) == {"groups": []}


def test_wrong_rows_are_refused_as_by_config_check(directory: Path) -> None:
    (directory / "bad.yaml").write_text(
        "metrics: {instruments: {trading.mine: {kind: gauge, description: X.}}}", encoding="utf-8"
    )
    code, text, error = run("bad.yaml")
    assert (code, text) == (1, "")
    assert 'bad.yaml:1: metrics.instruments["trading.mine"]: names under trading.' in error
    checked = CliRunner().invoke(app, ["config", "check", "bad.yaml"])
    assert (checked.exit_code, checked.stderr) == (1, error)

"""The seeds' bare names answer in Prometheus, by its own engine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.backends import require
from ticktrace import semconv
from ticktrace.catalog import CATALOG, InstrumentSpec, Kind, label_name, recording_rules

RULES = Path(__file__).parents[3] / "monitoring/prometheus/rules/aliases.yml"


def promtool(*arguments: object) -> str:
    done = subprocess.run(
        [require("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(
    tmp_path: Path, series: dict[str, str], expected: dict[str, dict[str, float]], at: str = "10m"
) -> None:
    """Assert what expressions evaluate to under the rules, given series in promtool's notation, a sample a minute."""
    case = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": expr,
                        "eval_time": at,
                        "exp_samples": [
                            {"labels": labels, "value": value} for labels, value in samples.items()
                        ],
                    }
                    for expr, samples in expected.items()
                ],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(case))
    promtool("test", "rules", file)


def sample_series(row: InstrumentSpec) -> dict[str, str]:
    """Series as a bot that records a row once a minute gives rise to, its attributes all set."""
    values = {
        semconv.DB_CONNECTION_STATE: "used",
        semconv.SYSTEM_FILESYSTEM_STATE: "used",
        "state": "idle" if "cpu" in row.name else "used",
    }
    labels = {label_name(key): values.get(key, "some") for key in row.attributes}

    def named(series: str, **more: str) -> str:
        return (
            f"{series}{{{','.join(f'{key}={value!r}' for key, value in (labels | more).items())}}}".replace(
                "'", '"'
            )
        )

    if row.kind is Kind.HISTOGRAM and row.buckets is not None:
        bucket, count, total = row.series
        bounds = [f"{bound:g}" for bound in row.buckets] + ["+Inf"]
        return {named(bucket, le=bound): "0+1x10" for bound in bounds} | {
            named(count): "0+1x10",
            named(total): "0+2x10",
        }
    return {named(row.prometheus_name): "0+1x10" if row.kind is Kind.COUNTER else "0.5x10"}


@pytest.mark.backend
def test_promtool_accepts_the_rules() -> None:
    assert f"{len(recording_rules(CATALOG))} rules found" in promtool("check", "rules", RULES)


def test_no_rule_records_what_the_catalog_exposes_itself() -> None:
    exposed = {series for row in CATALOG.values() for series in (*row.series, row.prometheus_name)}
    assert not exposed & {rule.record for rule in recording_rules(CATALOG)}


def test_no_two_rules_record_the_same() -> None:
    identities = [(rule.record, *rule.labels.items()) for rule in recording_rules(CATALOG)]
    assert len(set(identities)) == len(identities)


@pytest.mark.backend
def test_every_alias_answers_once_its_instrument_is_recorded(tmp_path: Path) -> None:
    series: dict[str, str] = {}
    for row in CATALOG.values():
        series |= sample_series(row)
    expected: dict[str, Any] = {
        f"count({rule.record}) > bool 0": {"{}": 1} for rule in recording_rules(CATALOG)
    }
    answers(tmp_path, series, expected)


@pytest.mark.backend
def test_a_counter_answers_with_the_labels_of_the_seeds(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {
            'trading_trades_executed_total{trading_strategy_name="sma",trading_symbol="AAPL",trading_order_side="buy"}': "0+3x10"
        },
        {
            'sum by (strategy, side) (trades_executed_total{symbol="AAPL"})': {
                '{strategy="sma", side="buy"}': 30
            }
        },
    )


@pytest.mark.backend
def test_quantiles_answer_in_nanoseconds(tmp_path: Path) -> None:
    """All candles took between 10 ms and 25 ms: the median is put in the middle, 17.5 ms."""
    buckets = {"0.01": "0x10", "0.025": "0+6x10", "+Inf": "0+6x10"}
    answers(
        tmp_path,
        {
            f'trading_candle_processing_duration_seconds_bucket{{le="{le}"}}': values
            for le, values in buckets.items()
        },
        {
            'candle_processing_latency_ns{quantile="50"}': {
                'candle_processing_latency_ns{quantile="50"}': 17_500_000
            }
        },
    )


@pytest.mark.backend
def test_a_mean_answers_where_the_seeds_stored_single_values(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {
            "trading_engine_cycle_duration_seconds_sum": "0+0.25x10",
            "trading_engine_cycle_duration_seconds_count": "0+4x10",
        },
        {"engine_cycle_time": {"engine_cycle_time": 0.0625}},
    )


@pytest.mark.backend
def test_the_mean_of_losses_is_negative(tmp_path: Path) -> None:
    """rate() would take a falling sum for a restart."""
    answers(
        tmp_path,
        {"trading_trade_profit_loss_sum": "0-30x10", "trading_trade_profit_loss_count": "0+2x10"},
        {"trade_pnl": {"trade_pnl": -15}},
    )


@pytest.mark.backend
def test_nothing_traded_lately_is_no_answer(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {"trading_trade_profit_loss_sum": "10x10", "trading_trade_profit_loss_count": "2x10"},
        {"trade_pnl": {}},
    )


@pytest.mark.backend
@pytest.mark.parametrize("name", ["system_memory_utilization", "system_memory_utilization_ratio"])
def test_memory_answers_in_percent_on_every_road_to_prometheus(name: str, tmp_path: Path) -> None:
    answers(
        tmp_path,
        {f'{name}{{state="used"}}': "0.9x10", f'{name}{{state="free"}}': "0.1x10"},
        {"memory_percent": {'memory_percent{state="used"}': 90}},
    )


@pytest.mark.backend
def test_errors_are_requests_with_an_error_type(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {
            'http_server_request_duration_seconds_count{http_route="/state",http_response_status_code="200"}': "0+5x10",
            'http_server_request_duration_seconds_count{http_route="/state",http_response_status_code="500",error_type="500"}': "0+1x10",
        },
        {
            'sum by (endpoint) (http_requests_total{endpoint="/state"})': {'{endpoint="/state"}': 60},
            "sum by (endpoint, status_code) (http_errors_total)": {
                '{endpoint="/state", status_code="500"}': 10
            },
        },
    )

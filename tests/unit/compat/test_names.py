"""Old metric names: what each means now, and which cannot be written by hand any more."""

from __future__ import annotations

import pytest

from ticktrace.catalog import CATALOG
from ticktrace.compat import (
    get_metric,
    track_call_count,
    track_duration,
    track_duration_context,
    track_metric,
)
from ticktrace.compat._names import written
from ticktrace.errors import CatalogError

ALIASES = {alias: row for row in CATALOG.values() for alias in row.aliases}
# Recorded by OpenTelemetry's instrumentations, or made by the alias rules.
ELSEWHERE = {
    *("http_requests_total", "http_request_duration_seconds", "http_request_size_bytes"),
    *("http_response_size_bytes", "http_errors_total", "candle_processing_count"),
    *(
        "system_cpu_usage_percent",
        "cpu_percent",
        "system_memory_usage_bytes",
        "memory_used_mb",
        "memory_percent",
    ),
    *("active_threads", "open_files", "network_connections"),
}


@pytest.mark.parametrize("alias", sorted(ALIASES.keys() - ELSEWHERE))
def test_an_old_name_writes_the_instrument_that_carries_it(alias: str) -> None:
    assert written(alias).spec is ALIASES[alias]


@pytest.mark.parametrize("alias", sorted(ELSEWHERE))
def test_what_others_record_says_who(alias: str) -> None:
    with pytest.raises(CatalogError, match=r"records? (it|that)") as raised:
        written(alias)
    assert ALIASES[alias].name in str(raised.value)


def test_a_name_in_another_unit_is_converted() -> None:
    assert written("candle_processing_latency_ns").factor == 1e-9
    assert written("engine_cycle_time").factor == 1


@pytest.mark.parametrize(
    "declare", [get_metric, track_call_count, track_duration, track_duration_context, track_metric]
)
def test_an_unknown_name_is_an_error_where_it_is_declared(declare: object) -> None:
    with pytest.raises(
        CatalogError, match="no instrument is called 'trades_exected_total'; near: trades_exec"
    ):
        declare("trades_exected_total")  # type: ignore[operator]


def test_a_name_of_the_wrong_kind_is_an_error_where_it_is_declared() -> None:
    with pytest.raises(CatalogError, match=r"a counter in '\{trade\}' and no duration"):
        track_duration("trades_executed_total")
    with pytest.raises(CatalogError, match="no duration"):
        track_duration_context("slippage_amount")
    with pytest.raises(CatalogError, match="a histogram and no counter"):
        track_call_count("trade_execution_duration_seconds")

"""Every instrument of the catalog is recorded by the bot or by a named program, and reaches a real Prometheus by its name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.captured import Captured
from support.catalog_programs import BOT, PROCESS, PROGRAMS, SETTINGS
from support.programs import PROGRAMS as DIRECTORY
from support.programs import environment
from support.prometheus import Prometheus, free_port
from ticktrace.catalog import CATALOG, Kind, recording_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.catalog import InstrumentSpec

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring/prometheus/rules/aliases.yml"
REFERENCE = ROOT / "docs/reference/instruments.md"

# Which program records what the bot does not; all the rest is recorded by the bot.
OF_OTHERS: dict[str, set[str]] = {
    "examples/event_bus.py": {"trading.event_bus.dropped", "trading.event_bus.handlers.slow"},
    "examples/database.py": {name for name in CATALOG if name.startswith("db.client.connection.")},
    "engine_in_trouble": {"trading.engine.cycle.overruns", "trading.engine.state.illegal_transitions"},
    "stock_broker": {"trading.cash_account.violations", "trading.clock.skew"},
    "redis_cache": {"trading.cache.operation.duration"},
    "too_many_series": {"ticktrace.series.overflow"},
    "objectives": {row.name for row in CATALOG.values() if row.group == "objectives"},
    PROCESS: {row.name for row in CATALOG.values() if row.group in {"process", "host", "python"}},
}
TABLE = {BOT: set(CATALOG) - set().union(*OF_OTHERS.values()), **OF_OTHERS}

# The plain SDK has no drain, and decides on a trace when it begins.
OF_THE_DRAIN = {
    "ticktrace.backlog",
    "ticktrace.drain.cpu.time",
    "ticktrace.drain.duration",
    "ticktrace.spans.discarded",
    "ticktrace.spans.kept",
}
KINDS = {
    Kind.COUNTER: ("Sum", True),
    Kind.UP_DOWN_COUNTER: ("Sum", False),
    Kind.GAUGE: ("Gauge", None),
    Kind.HISTOGRAM: ("Histogram", None),
}


def test_every_row_is_in_the_table_once() -> None:
    listed = [name for rows in TABLE.values() for name in rows]
    assert sorted(listed) == sorted(CATALOG)
    assert TABLE.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_records_its_rows_with_no_more_than_their_attributes(
    start: Callable[..., Telemetry], engine: str, program: str
) -> None:
    telemetry = start(**SETTINGS)
    await PROGRAMS[program](telemetry)
    assert telemetry.memory.spans is not None  # by now the drain has judged all of them
    data = telemetry.memory.metrics
    assert data is not None
    recorded = {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.data.data_points
    }
    expected = TABLE[program] - (OF_THE_DRAIN if engine == "sdk" else set())
    assert expected - recorded.keys() == set()
    for name in recorded.keys() & CATALOG.keys():
        row, metric = CATALOG[name], recorded[name]
        keys = {key for point in Captured(telemetry).points(name) for key in point.attributes or {}}
        assert keys <= set(row.attributes), name
        assert metric.unit == row.unit
        form, monotonic = KINDS[row.kind]
        assert type(metric.data).__name__ == form, name
        assert getattr(metric.data, "is_monotonic", None) is monotonic, name


def documented_names() -> dict[str, str]:
    """Each instrument's name in Prometheus, as the reference page gives it."""
    rows = re.findall(r"^\| `([^`]+)`(?: \*OTel's\*)? \| `([^`]+)` \| ", REFERENCE.read_text(), re.MULTILINE)
    return {name: series for name, series in rows if name in CATALOG}


def served_names(row: InstrumentSpec, name: str) -> set[str]:
    return {f"{name}_{part}" for part in ("bucket", "count", "sum")} if row.kind is Kind.HISTOGRAM else {name}


@pytest.mark.backend
@pytest.mark.timeout(120)
def test_every_row_and_every_alias_answers_in_prometheus(tmp_path: Path) -> None:
    documented = documented_names()
    assert documented.keys() == CATALOG.keys()
    rows = {name for row in CATALOG.values() for name in served_names(row, documented[row.name])}
    aliases = {rule.record for rule in recording_rules(CATALOG)}
    missing, port = rows | aliases, free_port()
    path = os.pathsep.join(map(str, (ROOT / "tests", ROOT / "examples")))
    with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}"], rules=[RULES]) as prometheus:
        program = subprocess.Popen(
            [sys.executable, DIRECTORY / "catalog.py", str(port), "10"],
            env=environment(PYTHONPATH=path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "done\n"
            deadline = time.monotonic() + 30
            while missing and time.monotonic() < deadline:
                time.sleep(0.25)
                # A comparison leaves NaN out, which is what a rate of nothing gives.
                answer = prometheus.query('count by (__name__) ({__name__!=""} >= -Inf)')
                missing -= {series["__name__"] for series, _ in answer}
        finally:
            program.communicate(timeout=30)
    assert missing == set()
    assert program.returncode == 0


def test_every_name_of_the_seeds_has_a_rule_or_is_the_series_itself() -> None:
    records = {rule.record for rule in recording_rules(CATALOG)}
    for row in CATALOG.values():
        for alias in row.aliases:
            assert alias == row.prometheus_name or any(
                record == alias or record in served_names(row, alias) for record in records
            ), alias

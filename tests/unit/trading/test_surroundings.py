"""Every row about what the bot depends on, and about errors, is recorded, with its attributes and under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

import database as example
from support.captured import Captured
from ticktrace.catalog import CATALOG, label_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from ticktrace import Telemetry

GROUPS = ("data providers", "sentiment", "cache", "database", "errors")
ROWS = {name: row for name, row in CATALOG.items() if row.group in GROUPS}


class TooManyRequestsError(Exception):
    retry_after = 1


def use_everything(telemetry: Telemetry, directory: Path) -> None:
    trading = telemetry.trading
    venue = trading.provider("binance")
    with venue.call("fetch") as call:
        call.retry(TooManyRequestsError(), wait=0.1)
        call.data(at=1_700_000_000)
    with pytest.raises(TooManyRequestsError), venue.call("fetch"):
        raise TooManyRequestsError
    venue.cached(True)
    venue.rate_limit_used(0.5)
    with trading.sentiment.calculation("aggregate", "BTC/USDT") as calculation:
        calculation.used("news", score=0.5, weight=1)
        calculation.diverged()
    cache = trading.cache("quotes", system="redis")
    with cache.operation("get") as operation:
        operation.hit()
    for block in (trading.sentiment.calculation("news"), cache.operation("set")):
        with pytest.raises(ConnectionError), block:
            raise ConnectionError
    cache.evicted()
    cache.size(3)
    engine = trading_database(telemetry, directory)
    example.exhaust(engine)
    engine.dispose()
    telemetry.error(ValueError(), component="feed", severity="critical")


def trading_database(telemetry: Telemetry, directory: Path) -> Engine:
    engine = example.connect(telemetry, directory / "bars.db")
    SQLAlchemyInstrumentor().uninstrument()
    example.run(telemetry, engine, bars=2)
    return engine


def test_every_row_is_recorded_with_no_attribute_that_it_does_not_allow(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    use_everything(telemetry, tmp_path)
    captured = Captured(telemetry)
    recorded = {
        name: {key for point in captured.points(name) for key in point.attributes}
        for name in ROWS
        if captured.points(name)
    }
    assert sorted(recorded) == sorted(ROWS)
    for name, keys in recorded.items():
        assert keys <= set(ROWS[name].attributes), name


def test_every_row_is_on_the_metrics_page_under_the_name_that_the_reference_gives(
    start: Callable[..., Telemetry], tmp_path: Path
) -> None:
    telemetry = start(exporters={"metrics": ["prometheus"]}, prometheus={"serve": "never"})
    use_everything(telemetry, tmp_path)
    exposition = telemetry.exposition()
    assert exposition is not None
    series = {line.partition("{")[0] for line in exposition.body.decode().splitlines() if line[:1] != "#"}
    assert sorted({name for row in ROWS.values() for name in row.series} - series) == []
    assert f'{label_name("trading.provider.name")}="binance"' in exposition.body.decode()

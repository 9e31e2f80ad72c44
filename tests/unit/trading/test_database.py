"""Databases by OpenTelemetry's conventions: the example on SQLite, and what SQLAlchemy's engines and pools tell."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.trace import SpanKind
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, StaticPool

import database as example
from support.captured import Captured
from ticktrace.catalog import CATALOG
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace import Telemetry

DURATION = "db.client.operation.duration"
COUNT = "db.client.connection.count"
POOL = {"db__client__connection__pool__name": "main"}
ROWS = [name for name in CATALOG if name.startswith("db.client.")]


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def engine_of(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**options: Any) -> Engine:
        made.append(create_engine(f"sqlite:///{tmp_path / 'bot.db'}", **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def states(captured: Captured) -> dict[str, float]:
    return {
        point.attributes["db.client.connection.state"]: point.value
        for point in captured.points(COUNT)
        if point.attributes["db.client.connection.pool.name"] == "main"
    }


def operations(captured: Captured) -> dict[tuple[str, str | None], int]:
    return {
        (point.attributes["db.operation.name"], point.attributes.get("error.type")): point.count
        for point in captured.points(DURATION)
    }


@pytest.fixture
def bars(telemetry: Telemetry, tmp_path: Path) -> Iterator[Engine]:
    """The engine of the example."""
    engine = example.connect(telemetry, tmp_path / "bars.db")
    yield engine
    SQLAlchemyInstrumentor().uninstrument()
    engine.dispose()


def test_in_the_example_spans_of_the_database_are_children_of_the_candle(
    telemetry: Telemetry, captured: Captured, bars: Engine
) -> None:
    example.run(telemetry, bars, bars=3)
    candles = {span.context.span_id for span in captured.named("candle 1m") if span.context}
    inside = [span for span in captured.spans if span.kind is SpanKind.CLIENT and span.parent is not None]
    assert len(candles) == 3
    assert {span.parent.span_id for span in inside if span.parent} == candles
    operations = [span.name.partition(" ")[0] for span in inside]
    assert operations == ["connect", "SELECT", "INSERT"] * 3


def test_the_example_records_every_row_of_the_conventions(
    telemetry: Telemetry, captured: Captured, bars: Engine
) -> None:
    example.run(telemetry, bars, bars=3)
    assert example.exhaust(bars)
    assert [name for name in ROWS if not captured.points(name)] == []
    assert captured.count(DURATION, db__operation__name="INSERT", db__namespace="bars.db") == 3
    assert captured.value("db.client.connection.timeouts") == 1
    for name in ROWS:
        for point in captured.points(name):
            assert set(point.attributes) <= set(CATALOG[name].attributes)


def test_operations_are_timed_by_their_first_word(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of()
    telemetry.trading.watch_engine(engine, pool="main")
    with engine.begin() as connection:
        connection.execute(text("create table t (x int)"))
        connection.execute(text("-- why\n /* and how */ INSERT INTO t VALUES (1)"))
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nowhere"))
    assert operations(captured) == {
        ("CREATE", None): 1,
        ("INSERT", None): 1,
        ("SELECT", "OperationalError"): 1,
        ("COMMIT", None): 1,
    }
    (point, *_) = captured.points(DURATION)
    assert (point.attributes["db.system.name"], point.attributes["db.namespace"]) == ("sqlite", "bot.db")


def test_transactions_are_counted_by_how_they_end(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of()
    telemetry.trading.watch_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x int)"))
    for _ in range(3):
        with engine.begin():
            pass
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))  # begins a transaction, which nobody commits
    with pytest.raises(KeyError), engine.begin():
        raise KeyError
    engine.connect().close()  # begins none; what the pool does with the connection is its affair
    engine.raw_connection().close()
    assert operations(captured) == {
        ("CREATE", None): 1,
        ("SELECT", None): 1,
        ("COMMIT", None): 4,
        ("ROLLBACK", None): 2,
    }


def test_a_commit_that_fails_says_how(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of()
    telemetry.trading.watch_engine(engine)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE t (x int PRIMARY KEY, y REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
        )
    with engine.connect() as connection:
        connection.execute(text("PRAGMA foreign_keys = ON"))
        connection.commit()
        connection.execute(text("INSERT INTO t VALUES (1, 2)"))
        with pytest.raises(IntegrityError):
            connection.commit()
    assert operations(captured)["COMMIT", "IntegrityError"] == 1


def test_the_pool_tells_who_is_idle_and_who_is_used(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of(pool_size=3, max_overflow=2)
    telemetry.trading.watch_engine(engine, pool="main")
    assert captured.value("db.client.connection.max", **POOL) == 5
    with engine.connect():
        with engine.connect():
            assert states(captured) == {"idle": 0, "used": 2}
        assert states(captured) == {"idle": 1, "used": 1}
    assert states(captured) == {"idle": 2, "used": 0}
    assert captured.count("db.client.connection.create_time", **POOL) == 2
    assert captured.count("db.client.connection.use_time", **POOL) == 2
    assert captured.count("db.client.connection.wait_time", **POOL) == 2
    assert captured.value("db.client.connection.pending_requests", **POOL) == 0
    engine.dispose()
    assert states(captured) == {"idle": 0, "used": 0}
    assert captured.value("db.client.connection.max", **POOL) == 5
    with engine.connect():  # of the pool that has taken its place
        assert states(captured) == {"idle": 0, "used": 1}
    assert captured.count("db.client.connection.wait_time", **POOL) == 3


def test_a_connection_that_is_thrown_away_while_it_is_used_is_not_counted_as_idle(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of()
    telemetry.trading.watch_engine(engine, pool="main")
    with engine.connect() as connection:
        connection.invalidate()
    assert states(captured) == {"idle": 0, "used": 0}
    with engine.connect() as connection:
        connection.detach()
    assert states(captured) == {"idle": 0, "used": 0}


def test_whoever_waits_for_a_connection_is_pending_and_may_time_out(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of(pool_size=1, max_overflow=0, pool_timeout=0.01)
    telemetry.trading.watch_engine(engine, pool="main")
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    assert captured.value("db.client.connection.timeouts", **POOL) == 1
    assert captured.value("db.client.connection.pending_requests", **POOL) == 0

    waiting = engine_of(pool_size=1, max_overflow=0, pool_timeout=30)
    telemetry.trading.watch_engine(waiting, pool="other")
    with waiting.connect():
        thread = threading.Thread(target=lambda: waiting.connect().close())
        thread.start()
        pending = "db.client.connection.pending_requests"
        while captured.value(pending, db__client__connection__pool__name="other") != 1:
            thread.join(0.01)
    thread.join()
    assert captured.value(pending, db__client__connection__pool__name="other") == 0


@pytest.mark.parametrize("pool", [NullPool, StaticPool])
def test_pools_without_a_limit_have_none(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine], pool: Any
) -> None:
    engine = engine_of(poolclass=pool)
    telemetry.trading.watch_engine(engine, pool="main")
    with engine.connect():
        pass
    assert captured.value("db.client.connection.max", **POOL) == 0
    assert states(captured)["used"] == 0


def test_watching_ends_where_it_is_ended(
    telemetry: Telemetry, captured: Captured, engine_of: Callable[..., Engine]
) -> None:
    engine = engine_of()
    end = telemetry.trading.watch_engine(engine)
    end()
    end()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert captured.points(DURATION) == []
    assert "connect" not in vars(engine.pool)
    assert not {"do_commit", "do_rollback"} & vars(engine.dialect).keys()
    assert not event.contains(engine, "checkout", print)


async def test_an_asynchronous_engine_is_watched_too(telemetry: Telemetry, captured: Captured) -> None:
    class AsyncEngine:
        """As SQLAlchemy's is; its drivers are other packages."""

        def __init__(self) -> None:
            self.sync_engine = create_engine("sqlite://")

    engine = AsyncEngine()
    telemetry.trading.watch_engine(engine)
    with engine.sync_engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert captured.count(DURATION, db__namespace=":memory:", db__operation__name="SELECT") == 1
    engine.sync_engine.dispose()
    await asyncio.sleep(0)


@pytest.mark.parametrize("wrong", [None, "text", object()])
def test_what_is_no_engine_is_left_alone(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    telemetry.trading.watch_engine(wrong)()
    assert "contained an internal error in watch_engine" in caplog.text


async def test_any_client_may_tell_its_operations(telemetry: Telemetry, captured: Captured) -> None:
    database = telemetry.trading.database(
        "mongodb", namespace="bars", server="db.internal", port=27_017, pool="main"
    )
    async with database.operation("findAndModify"):
        await asyncio.sleep(0)
    with pytest.raises(ConnectionError), database.operation("insert"):
        raise ConnectionError
    labels = {"db__system__name": "mongodb", "server__address": "db.internal", "server__port": 27_017}
    assert captured.count(DURATION, db__operation__name="findAndModify", **labels) == 1
    assert captured.count(DURATION, error__type="ConnectionError", **labels) == 1
    span = captured.span("findAndModify bars")
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "db.system.name": "mongodb",
        "db.namespace": "bars",
        "db.operation.name": "findAndModify",
        "server.address": "db.internal",
        "server.port": 27_017,
    }


def test_without_telemetry_an_engine_is_as_it_was(
    start: Callable[..., Telemetry], engine_of: Callable[..., Engine]
) -> None:
    telemetry = start(enabled=False)
    before = internal_errors()
    engine = engine_of()
    telemetry.trading.watch_engine(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with telemetry.trading.database("x").operation("y"):
        pass
    assert internal_errors() == before

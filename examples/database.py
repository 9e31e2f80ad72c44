"""A bot that keeps its bars in SQLite through SQLAlchemy: spans of the database below the candle, and its metrics.

Run it: it prints the trace of the last candle and what the database took. Any other database that SQLAlchemy knows is
watched in the same way.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import Engine, Float, Integer, create_engine, func, select
from sqlalchemy.exc import TimeoutError  # noqa: A004  that is what it is called
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ticktrace import Telemetry, setup_telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Base(DeclarativeBase):
    """The tables."""


class Bar(Base):
    """One bar."""

    __tablename__ = "bar"
    close_time: Mapped[int] = mapped_column(Integer, primary_key=True)
    close: Mapped[float] = mapped_column(Float)


def connect(telemetry: Telemetry, file: Path) -> Engine:
    """An engine whose statements are spans, and whose statements and connections are metrics."""
    # The names of today's conventions, db.system.name and its like; the older ones are the instrumentation's default.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "database")
    engine = create_engine(f"sqlite:///{file}", pool_size=2, max_overflow=0, pool_timeout=0.05)
    SQLAlchemyInstrumentor().instrument(engine=engine)  # spans, by OpenTelemetry's own instrumentation
    telemetry.trading.watch_engine(
        engine, pool="bars"
    )  # db.client.operation.duration, db.client.connection.*
    Base.metadata.create_all(engine)
    return engine


def run(telemetry: Telemetry, engine: Engine, bars: int = 20) -> int:
    """Process so many bars; the number that broke out of what the database remembers."""
    btc = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    price, breakouts = 42_000.0, 0
    for close_time in range(1_700_000_040, 1_700_000_040 + 60 * bars, 60):
        price += random.gauss(0, 30)
        with btc.candle(close_time=close_time) as candle, Session(engine) as session:
            highest = session.scalar(select(func.max(Bar.close))) or price
            session.add(Bar(close_time=close_time, close=price))
            session.commit()
            with candle.signal("breakout") as signal:
                if signal.check("highest", value=price, threshold=highest, comparison=">"):
                    signal.emit("long", confidence=0.6, price=price)
                    breakouts += 1
    return breakouts


def exhaust(engine: Engine) -> bool:
    """Ask for one connection more than the pool has: what a pool that is too small looks like in the metrics."""
    with engine.connect(), engine.connect():
        try:
            engine.connect().close()
        except TimeoutError:
            return True
    return False


def show(telemetry: Telemetry) -> None:
    """Print the last candle's trace, and the metrics of the database."""
    telemetry.flush()
    spans = telemetry.memory.spans
    candle = next(span for span in reversed(spans) if span.name == "candle 1m")
    print(candle.name)
    for span in spans:
        if span.parent and candle.context and span.parent.span_id == candle.context.span_id:
            print(f"  {span.name:<24} {_microseconds(span):>6} µs")
    metrics = telemetry.memory.metrics
    for resource in metrics.resource_metrics if metrics else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name.startswith("db.client."):
                    for point in metric.data.data_points:
                        figure = getattr(point, "count", None)
                        print(metric.name, dict(point.attributes or {}), figure or getattr(point, "value", 0))


def _microseconds(span: ReadableSpan) -> int:
    return ((span.end_time or 0) - (span.start_time or 0)) // 1_000


def main() -> None:
    """Run twenty bars in memory and show what there is."""
    exporters = {"traces": ["memory"], "metrics": ["memory"]}
    with (
        tempfile.TemporaryDirectory() as directory,
        setup_telemetry("database-example", mode="backtest", exporters=exporters) as telemetry,
    ):
        engine = connect(telemetry, Path(directory) / "bars.db")
        breakouts = run(telemetry, engine)
        exhaust(engine)
        show(telemetry)
        print(f"{breakouts} breakouts")
        SQLAlchemyInstrumentor().uninstrument()
        engine.dispose()


if __name__ == "__main__":
    main()

"""Log records joined to traces: ids for formatters and in exported records, and no record that breeds another."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.logging.constants import DEFAULT_LOGGING_FORMAT
from opentelemetry.sdk._logs.export import LogRecordExportResult

from support import misbehaving
from support.captured import Captured
from support.misbehaving import MisbehavingLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace import Telemetry

LOG = logging.getLogger("bot")


@pytest.fixture
def formatted() -> Iterator[list[str]]:
    """What a handler with the instrumentation's own format writes."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Lines()
    handler.setFormatter(logging.Formatter(DEFAULT_LOGGING_FORMAT))
    LOG.addHandler(handler)
    yield lines
    LOG.removeHandler(handler)


def ids(telemetry: Telemetry, name: str) -> str:
    context = Captured(telemetry).span(name).context
    assert context is not None
    return f"trace_id={context.trace_id:032x} span_id={context.span_id:016x}"


def test_formatters_print_the_ids_of_the_current_span(
    start: Callable[..., Telemetry], formatted: list[str]
) -> None:
    telemetry = start("my-bot", logs={"trace_ids": True})
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    LOG.warning("outside")
    with market.candle(close_time=1_700_000_040) as candle:
        LOG.warning("in the candle")
        with candle.signal("momentum"):
            LOG.warning("in the signal")
    assert "[trace_id=0 span_id=0 resource.service.name=my-bot trace_sampled=False] - outside" in formatted[0]
    assert f"[{ids(telemetry, 'candle 1m')} resource.service.name=my-bot trace_sampled=True]" in formatted[1]
    assert ids(telemetry, "signal momentum") in formatted[2]


def test_in_tasks_and_threads(start: Callable[..., Telemetry], formatted: list[str]) -> None:
    telemetry = start()
    tracer = telemetry.tracer_provider.get_tracer("bot")

    def log(where: str) -> None:
        LOG.warning(where)

    async def trade() -> None:
        with tracer.start_as_current_span("work"):
            await asyncio.gather(asyncio.to_thread(log, "to_thread"), asyncio.create_task(asyncio.sleep(0)))
            thread = threading.Thread(target=contextvars.copy_context().run, args=(log, "thread"))
            thread.start()
            thread.join()
            bare = threading.Thread(target=log, args=("bare thread",))
            bare.start()
            bare.join()

    asyncio.run(trade())
    wanted = ids(telemetry, "work")
    assert [wanted in line for line in formatted] == [True, True, False]
    assert "trace_id=0 span_id=0" in formatted[2]


def test_exported_records_have_their_ids_once(start: Callable[..., Telemetry]) -> None:
    telemetry = start(logs={"capture": True})
    tracer = telemetry.tracer_provider.get_tracer("bot")

    async def trade() -> None:
        with tracer.start_as_current_span("work"):
            LOG.warning("in a task", extra={"n": 1})
            await asyncio.to_thread(LOG.warning, "in a thread")

    asyncio.run(trade())
    context = Captured(telemetry).span("work").context
    assert context is not None
    for exported in telemetry.memory.logs:
        record = exported.log_record
        assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)
        assert not [key for key in record.attributes or {} if key.startswith("otel")]
    assert telemetry.memory.logs[0].log_record.attributes == {"n": 1}


def test_shutdown_puts_the_factory_back(start: Callable[..., Telemetry]) -> None:
    before = logging.getLogRecordFactory()
    telemetry = start()
    assert logging.getLogRecordFactory() is not before
    telemetry.shutdown(1)
    assert logging.getLogRecordFactory() is before


def test_a_factory_that_came_later_stays(start: Callable[..., Telemetry]) -> None:
    before = logging.getLogRecordFactory()
    telemetry = start()
    ours = logging.getLogRecordFactory()

    def later(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return ours(*args, **kwargs)

    logging.setLogRecordFactory(later)
    try:
        assert hasattr(logging.makeLogRecord({}), "otelTraceID")
        telemetry.shutdown(1)
        assert logging.getLogRecordFactory() is later
        assert not hasattr(logging.makeLogRecord({}), "otelTraceID")
    finally:
        logging.setLogRecordFactory(before)


def test_it_can_be_turned_off(start: Callable[..., Telemetry]) -> None:
    before = logging.getLogRecordFactory()
    start(logs={"trace_ids": False})
    assert logging.getLogRecordFactory() is before


def test_beside_the_instrumentation_nothing_is_done_twice(
    start: Callable[..., Telemetry], formatted: list[str]
) -> None:
    LoggingInstrumentor().instrument(inject_trace_context=True, enable_log_auto_instrumentation=False)
    try:
        telemetry = start("my-bot")
        with telemetry.tracer_provider.get_tracer("bot").start_as_current_span("work"):
            LOG.warning("here")
        assert ids(telemetry, "work") in formatted[0]
        telemetry.shutdown(1)
        LOG.warning("still with the instrumentation's")
        assert "trace_id=0" in formatted[1]
    finally:
        LoggingInstrumentor().uninstrument()


class TestNoLoop:
    @pytest.fixture
    def begin(
        self, monkeypatch: pytest.MonkeyPatch, start: Callable[..., Telemetry], tmp_path: Path
    ) -> Callable[..., Telemetry]:
        misbehaving.install(monkeypatch, tmp_path / "installed")

        def setup(behave: Callable[[Any], Any]) -> Telemetry:
            monkeypatch.setattr(MisbehavingLogs, "behave", staticmethod(behave), raising=False)
            exporters = {"traces": ["none"], "metrics": ["none"], "logs": [misbehaving.NAME]}
            return start(exporters=exporters, logs={"queue": {"schedule_delay": 60.0}, "app_file": "app.log"})

        return setup

    def test_an_exporter_that_logs_while_it_fails_does_not_feed_itself(
        self, begin: Callable[..., Telemetry], tmp_path: Path
    ) -> None:
        exports: list[list[Any]] = []
        vendor = logging.getLogger("vendor.exporter")  # a name that nobody could know

        def fail(batch: Any) -> Any:
            exports.append([each.log_record.body for each in batch])
            vendor.error("cannot send %d records", len(batch))
            logging.getLogger("urllib3.connectionpool").warning("retrying")
            logging.getLogger("grpc").warning("no channel")
            return LogRecordExportResult.FAILURE

        telemetry = begin(fail)
        for number in range(5):
            LOG.warning("trade %d", number)
            assert not telemetry.flush(5)  # what it says would be in the next batch
        telemetry.flush(5)
        telemetry.shutdown(5)
        assert [body for batch in exports for body in batch] == [f"trade {number}" for number in range(5)]
        text = (tmp_path / "app.log").read_text()  # where it does no harm, it is written
        assert text.count("vendor.exporter") == len(exports)
        assert text.count("trade ") == 5

    def test_what_ticktrace_says_of_a_log_file_does_not_go_round(
        self, start: Callable[..., Telemetry], tmp_path: Path
    ) -> None:
        (tmp_path / "logs").write_text("a file where the directory should be")
        telemetry = start(
            logs={"capture": True, "app_file": "logs/app.log"},
            exporters={"traces": ["memory"], "metrics": ["memory"], "logs": ["memory"]},
        )
        for number in range(3):
            LOG.warning("trade %d", number)
        telemetry.shutdown(5)
        bodies = [each.log_record.body for each in telemetry.memory.logs]
        assert bodies == ["trade 0", "trade 1", "trade 2"]

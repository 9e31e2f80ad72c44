"""Errors: counted all, told on the span, logged a few of each kind; one exception counts once."""

from __future__ import annotations

import asyncio
import logging
import pickle
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from support.captured import Captured
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry
    from ticktrace.trading import Market

CLOSE = 1_700_000_040
ERRORS = "trading.errors"
EXCEPTIONS = "trading.exceptions"
CRITICAL = "trading.critical_errors"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def btc(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


@pytest.fixture
def clock(telemetry: Telemetry) -> Iterator[list[int]]:
    """The monotonic clock that the limits go by, ns; a test moves it."""
    now = [10**12]
    recorder = telemetry.trading._recorder
    recorder.now = lambda: now[0]
    yield now
    recorder.now = recorder.clock.now


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def records(telemetry: Telemetry) -> list[Any]:
    return [data.log_record for data in telemetry.memory.logs]


def test_an_exception_is_counted_by_component_and_type(telemetry: Telemetry, captured: Captured) -> None:
    assert telemetry.error(raised(ValueError("bad bar")), component="feed")
    labels = {"trading__component": "feed", "error__type": "ValueError", "trading__engine__mode": "live"}
    assert captured.value(ERRORS, **labels) == 1
    assert captured.value(EXCEPTIONS, **labels) == 1
    assert captured.points(CRITICAL) == []


def test_an_error_without_an_exception_is_no_exception(telemetry: Telemetry, captured: Captured) -> None:
    telemetry.error("position differs", component="risk", error_type="position_mismatch", severity="critical")
    telemetry.error("something else", component="risk")
    kinds = {point.attributes["error.type"]: point.value for point in captured.points(ERRORS)}
    assert kinds == {"position_mismatch": 1, "error": 1}
    assert captured.points(EXCEPTIONS) == []
    assert captured.value(CRITICAL, error__type="position_mismatch") == 1


def test_it_is_told_on_the_current_span_and_that_goes_on(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    with btc.candle(close_time=CLOSE):
        telemetry.error(
            raised(ValueError("bad bar")), component="feed", order_id="A-1", price=Decimal("0.10"), none=None
        )
        telemetry.error("odd", component="feed", severity="warning")
    span = captured.span("candle 1m")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: bad bar"
    exception, words = span.events
    told = dict(exception.attributes or {})
    assert "in raised" in str(told.pop("exception.stacktrace"))
    assert (exception.name, told) == (
        "exception",
        {
            "exception.type": "ValueError",
            "exception.message": "bad bar",
            "trading.component": "feed",
            "trading.error.severity": "error",
            "error.type": "ValueError",
            "order_id": "A-1",
            "price": "0.10",
        },
    )
    assert (words.name, (words.attributes or {})["exception.message"]) == ("trading.error", "odd")


def test_a_warning_does_not_make_the_span_an_error(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    with btc.candle(close_time=CLOSE):
        telemetry.error(raised(ValueError()), component="feed", severity="warning")
    assert captured.span("candle 1m").status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("severity", "number"),
    [
        ("debug", SeverityNumber.DEBUG),
        ("info", SeverityNumber.INFO),
        ("warning", SeverityNumber.WARN),
        ("error", SeverityNumber.ERROR),
        ("critical", SeverityNumber.FATAL),
    ],
)
def test_it_is_a_log_record_with_component_severity_and_trace(
    telemetry: Telemetry, captured: Captured, btc: Market, severity: Any, number: SeverityNumber
) -> None:
    with btc.candle(close_time=CLOSE) as candle:
        telemetry.error(raised(ValueError("bad bar")), component="feed", severity=severity, bar=3)
        trace_id = candle.span.get_span_context().trace_id
    (record,) = records(telemetry)
    assert (record.body, record.event_name) == ("bad bar", "trading.error")
    assert (record.severity_number, record.severity_text) == (number, severity.upper())
    assert record.trace_id == trace_id
    attributes = dict(record.attributes)
    assert attributes.pop("exception.stacktrace").startswith("Traceback")
    assert attributes == {
        "exception.type": "ValueError",
        "exception.message": "bad bar",
        "trading.component": "feed",
        "trading.error.severity": severity,
        "error.type": "ValueError",
        "bar": 3,
    }


def test_it_is_a_line_in_the_bots_own_log(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "ticktrace.errors"):
        telemetry.error(raised(ValueError("bad bar")), component="feed", severity="warning")
        telemetry.error("no money", component="execution")
    lines = [(line.name, line.levelname, line.getMessage()) for line in caplog.records]
    assert lines == [
        ("ticktrace.errors", "WARNING", "feed: bad bar"),
        ("ticktrace.errors", "ERROR", "execution: no money"),
    ]
    assert caplog.records[0].exc_info


def test_the_line_is_not_exported_a_second_time(start: Callable[..., Telemetry]) -> None:
    pytest.importorskip("opentelemetry.instrumentation.logging")
    telemetry = start(logs={"capture": True, "level": "DEBUG"})
    telemetry.error(raised(ValueError("bad bar")), component="feed")
    assert [record.body for record in records(telemetry)] == ["bad bar"]


def test_the_same_exception_counts_once(telemetry: Telemetry, captured: Captured) -> None:
    error = raised(ValueError())
    assert telemetry.error(error, component="feed")
    assert not telemetry.error(error, component="engine")
    with pytest.raises(ValueError, match="inner"), telemetry.errors("outer"), telemetry.errors("inner"):
        raise ValueError("inner")
    by_component = {point.attributes["trading.component"]: point.value for point in captured.points(ERRORS)}
    assert by_component == {"feed": 1, "inner": 1}
    assert len(records(telemetry)) == 2


def test_what_turns_out_to_be_critical_is_counted_as_that_once(
    telemetry: Telemetry, captured: Captured
) -> None:
    error = raised(ValueError())
    telemetry.error(error, component="feed")
    for _ in range(2):
        assert not telemetry.error(error, component="main", severity="critical")
    assert captured.value(ERRORS) == 1
    assert captured.value(CRITICAL, trading__component="main") == 1
    assert [record.severity_text for record in records(telemetry)] == ["ERROR", "CRITICAL"]


def test_an_exception_that_another_telemetry_recorded_counts_again(start: Callable[..., Telemetry]) -> None:
    error = raised(ValueError())
    first = start()
    first.error(error, component="feed")
    sent = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    first.shutdown()
    second = start(mode="paper")
    assert second.error(error, component="feed")
    assert second.error(sent, component="feed")
    assert Captured(second).value(ERRORS) == 2


def test_five_of_a_kind_are_logged_and_the_next_tells_of_the_rest(
    telemetry: Telemetry, captured: Captured, clock: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(number: int) -> None:
        telemetry.error(raised(ValueError(f"number {number}")), component="feed")

    for number in range(100):
        fail(number)
    assert [record.body for record in records(telemetry)] == [f"number {number}" for number in range(5)]
    assert captured.value(ERRORS) == captured.value(EXCEPTIONS) == 100
    assert captured.value("ticktrace.dropped", ticktrace__buffer__name="errors") == 95
    clock[0] += 12_000_000_000  # five a minute
    fail(100)
    fail(101)
    assert len(records(telemetry)) == 6
    assert records(telemetry)[-1].attributes["trading.error.suppressed"] == 95
    assert "number 100 (and 95 like it that were not logged)" in caplog.text
    clock[0] += 600_000_000_000
    for number in range(10):
        fail(number)
    assert len(records(telemetry)) == 11


def test_other_kinds_are_logged_all_the_same(telemetry: Telemetry, clock: list[int]) -> None:
    for _ in range(10):
        telemetry.error(raised(ValueError()), component="feed")
        telemetry.error(raised(ValueError()), component="engine")
        telemetry.error(raised(KeyError()), component="feed")
        try:
            int("not here but elsewhere")
        except ValueError as error:
            telemetry.error(error, component="feed")
    assert len(records(telemetry)) == 20


def test_the_stack_is_not_written_for_what_is_not_logged(
    telemetry: Telemetry, captured: Captured, btc: Market, clock: list[int]
) -> None:
    with btc.candle(close_time=CLOSE):
        for _ in range(6):
            telemetry.error(raised(ValueError("bad")), component="feed")
    events = captured.span("candle 1m").events
    assert [event.name for event in events] == ["exception"] * 6
    assert ["exception.stacktrace" in (event.attributes or {}) for event in events] == [True] * 5 + [False]
    assert (events[-1].attributes or {})["exception.message"] == "bad"


def test_at_the_end_it_is_told_how_many_were_not_logged(telemetry: Telemetry, clock: list[int]) -> None:
    for _ in range(8):
        telemetry.error("odd", component="feed")
    memory = telemetry.memory
    telemetry.shutdown()
    last = memory.logs[-1].log_record
    assert last.body == "3 further errors were counted and not logged"
    assert dict(last.attributes or {}) == {"trading.error.suppressed": 3}


def test_kinds_are_bounded(telemetry: Telemetry, clock: list[int]) -> None:
    gate = telemetry._failures._gate
    for number in range(2_000):
        telemetry.error("odd", component=f"part-{number % 150}", error_type=f"kind-{number}")
    assert len(gate._kinds) <= 500


def test_components_on_metrics_are_bounded(telemetry: Telemetry, captured: Captured) -> None:
    for number in range(300):
        telemetry.error("odd", component=f"part-{number}")
    components = {point.attributes["trading.component"] for point in captured.points(ERRORS)}
    assert len(components) == 201
    assert "other" in components


async def test_a_block_records_what_leaves_it(telemetry: Telemetry, captured: Captured) -> None:
    block = telemetry.errors("feed", severity="critical", feed="ticker")
    for _ in range(2):  # as often as one likes
        with pytest.raises(KeyError), block:
            raise KeyError("x")
    with pytest.raises(KeyError):
        async with block:
            raise KeyError("x")
    with block:
        pass
    assert captured.value(CRITICAL, trading__component="feed", error__type="KeyError") == 3
    assert {record.attributes["feed"] for record in records(telemetry)} == {"ticker"}


async def test_a_decorated_function_is_a_block(telemetry: Telemetry, captured: Captured) -> None:
    @telemetry.errors("plain")
    def plain(value: int) -> int:
        return 1 // value

    @telemetry.errors("asynchronous", suppress=ZeroDivisionError)
    async def asynchronous(value: int) -> int:
        await asyncio.sleep(0)
        return 1 // value

    assert (plain(1), await asynchronous(1)) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        plain(0)
    assert await asynchronous(0) is None
    by_component = {point.attributes["trading.component"]: point.value for point in captured.points(ERRORS)}
    assert by_component == {"plain": 1, "asynchronous": 1}


def test_what_is_suppressed_is_recorded_and_goes_no_further(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.errors("feed", suppress=(KeyError, ConnectionError)):
        raise ConnectionResetError
    with pytest.raises(ValueError, match="loud"), telemetry.errors("feed", suppress=KeyError):
        raise ValueError("loud")
    assert captured.value(ERRORS) == 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_ends_a_task_or_the_program_is_no_error(
    telemetry: Telemetry, captured: Captured, end: type[BaseException]
) -> None:
    with pytest.raises(end), telemetry.errors("feed", suppress=BaseException):
        raise end
    assert captured.points(ERRORS) == []


class Unprintable(Exception):  # noqa: N818  it is nothing but unprintable
    def __str__(self) -> str:
        raise RuntimeError

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError


@pytest.mark.parametrize(
    "wrong", [Unprintable(), None, 7, float("nan"), [], {}, object()], ids=lambda wrong: type(wrong).__name__
)
def test_no_wrong_value_reaches_the_bot(
    telemetry: Telemetry, captured: Captured, btc: Market, wrong: Any
) -> None:
    before = internal_errors()
    with btc.candle(close_time=CLOSE):
        telemetry.error(wrong, component="feed")
        telemetry.error("odd", component=wrong, severity=wrong, error_type=wrong, extra=wrong)
        with pytest.raises(KeyError), telemetry.errors(wrong, severity=wrong, suppress=wrong):
            raise KeyError
    assert captured.value(ERRORS) == 3
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert internal_errors() == before
    assert len(records(telemetry)) == 3


def test_an_unknown_severity_is_an_error_and_said(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.error("odd", component="feed", severity="catastrophic")  # type: ignore[arg-type]
    assert records(telemetry)[0].severity_text == "ERROR"
    assert "'catastrophic' is no severity" in caplog.text


def test_without_telemetry_errors_are_handled_as_written(start: Callable[..., Telemetry]) -> None:
    telemetry = start(enabled=False)
    assert telemetry.error(ValueError(), component="feed")
    with telemetry.errors("feed", suppress=ValueError):
        raise ValueError
    with pytest.raises(KeyError), telemetry.errors("feed"):
        raise KeyError


@pytest.mark.parametrize(
    ("said", "meant"),
    [("fatal", "critical"), ("WARN", "warning"), (50, "critical"), (45, "error"), (5, "debug")],
)
def test_severities_are_understood_as_logging_has_them(telemetry: Telemetry, said: Any, meant: str) -> None:
    telemetry.error("boom", component="feed", severity=said)
    telemetry.flush()
    (record,) = telemetry.memory.logs
    assert record.log_record.severity_text == meant.upper()

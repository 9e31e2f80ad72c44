"""Spans and log records on their way out: passed on where they have no secret, rebuilt where they have one."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from ticktrace.scrubbing import REDACTED, OwnLogFilter, Scrubber, SpanScrubber, scrub_resource
from ticktrace.settings import ScrubSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

SCRUBBER = Scrubber(ScrubSettings(), {})
SCRUB = SpanScrubber(SCRUBBER)
BAD = "api_key=abc123"
GOOD = f"api_key={REDACTED}"


class Hostile:
    """Not an attribute that the SDK lets pass; a span that was made by other means may have it."""

    def __repr__(self) -> str:
        raise RuntimeError


def look_up() -> None:
    try:
        dict[str, int]()[BAD]
    except KeyError as error:
        raise ValueError("outer") from error


def bounded(**attributes: Any) -> BoundedAttributes:
    made = BoundedAttributes(attributes=attributes)
    made.dropped = 3
    return made


def listed(*items: Any) -> BoundedList[Any]:
    made: BoundedList[Any] = BoundedList.from_seq(None, items)
    made.dropped = 2
    return made


def span(**changes: Any) -> ReadableSpan:
    context = SpanContext(5, 7, is_remote=False)
    given: dict[str, Any] = {
        "name": "candle 1m",
        "context": context,
        "parent": SpanContext(5, 6, is_remote=True),
        "resource": Resource({"service.name": "bot"}),
        "attributes": bounded(symbol="BTC/USDT", price=42.0, n=1),
        "events": listed(Event("checked", bounded(text="fine"), 11)),
        "links": listed(Link(context, bounded(why="since"))),
        "kind": SpanKind.CLIENT,
        "status": Status(StatusCode.ERROR, "too late"),
        "start_time": 10,
        "end_time": 20,
        "instrumentation_scope": InstrumentationScope("acme", "1"),
    }
    return ReadableSpan(**{**given, **changes})


def described(each: ReadableSpan) -> str:
    counts = (each.dropped_attributes, each.dropped_events, each.dropped_links)
    within: list[Event | Link] = [*each.events, *each.links]
    inner = [inside.dropped_attributes for inside in within]
    return f"{each.to_json()} {counts} {inner} {each.instrumentation_scope}"


def test_a_span_without_secrets_is_the_same_object() -> None:
    clean = span()
    assert SCRUB(clean) is clean


@pytest.mark.parametrize(
    ("where", "bad", "good"),
    [
        ("name", BAD, GOOD),
        ("attributes", bounded(a=BAD), bounded(a=GOOD)),
        ("attributes", bounded(account_id=5, n=1), bounded(account_id=REDACTED, n=1)),
        ("attributes", bounded(a=["x", BAD]), bounded(a=["x", GOOD])),
        ("attributes", {"a": BAD}, {"a": GOOD}),
        ("events", listed(Event(BAD, bounded(a=1), 11)), listed(Event(GOOD, bounded(a=1), 11))),
        (
            "events",
            listed(Event("a", bounded(api_key="x"), 11)),
            listed(Event("a", bounded(api_key=REDACTED), 11)),
        ),
        ("events", (Event("a", {"b": BAD}, 11),), (Event("a", {"b": GOOD}, 11),)),
        (
            "links",
            listed(Link(SpanContext(1, 2, is_remote=True), bounded(a=BAD))),
            listed(Link(SpanContext(1, 2, is_remote=True), bounded(a=GOOD))),
        ),
        ("status", Status(StatusCode.ERROR, BAD), Status(StatusCode.ERROR, GOOD)),
    ],
)
def test_a_secret_is_replaced_and_all_else_stays(where: str, bad: Any, good: Any) -> None:
    assert described(SCRUB(span(**{where: bad}))) == described(span(**{where: good}))


def test_a_span_that_cannot_be_read_keeps_its_ids_alone() -> None:
    left = SCRUB(span(attributes={"a": [Hostile()]}, name="secret plan"))
    assert "abc123" not in described(left)
    broken = span(name=5)
    scrubbed = SCRUB(broken)
    assert scrubbed.name == REDACTED
    assert (scrubbed.context, scrubbed.start_time, scrubbed.end_time) == (broken.context, 10, 20)


def test_a_resource_is_scrubbed_once_for_all() -> None:
    clean = Resource({"service.name": "bot"})
    assert scrub_resource(clean, SCRUBBER) is clean
    dirty = Resource({"service.name": "bot", "note": BAD}, "https://schema")
    scrubbed = scrub_resource(dirty, SCRUBBER)
    assert dict(scrubbed.attributes) == {"service.name": "bot", "note": GOOD}
    assert scrubbed.schema_url == "https://schema"
    assert scrub_resource(dirty, Scrubber(ScrubSettings(enabled=False), {})) is dirty


class Keeps(SpanProcessor):
    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def test_processors_that_were_added_see_ended_spans_without_secrets(telemetry: Telemetry) -> None:
    keeps = Keeps()
    telemetry.tracer_provider.add_span_processor(keeps)  # type: ignore[attr-defined]
    tracer = telemetry.tracer_provider.get_tracer("acme")
    with tracer.start_as_current_span(f"x {BAD}"), tracer.start_as_current_span("clean"):
        pass
    assert [each.name for each in telemetry.memory.spans] == ["clean", f"x {GOOD}"]
    assert [each.name for each in keeps.ended] == ["clean", f"x {GOOD}"]


def test_spans_of_the_trading_room_are_scrubbed_in_batches(
    start: Callable[..., Telemetry], tmp_path: Any
) -> None:
    telemetry = start(exporters={"traces": ["otlp_json_file"]}, json_file={"directory": str(tmp_path)})
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    for number in range(60):
        with market.candle(close_time=1_700_000_040 + 60 * number) as candle, candle.signal("s") as signal:
            signal.reject("other", f"no {number}, {BAD}{number}")
    assert telemetry.shutdown(10)
    text = (tmp_path / "traces.jsonl").read_text()
    assert "abc123" not in text
    assert all(f"no {number}, {GOOD}" in text for number in range(60))


class TestOwnLog:
    @pytest.fixture
    def log(self) -> logging.Logger:
        logger = logging.Logger("ticktrace.x")  # noqa: LOG001  apart from the tree
        logger.addFilter(OwnLogFilter(SCRUBBER))
        return logger

    def written(self, log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> str:
        handler = logging.StreamHandler(sys.stdout)
        log.addHandler(handler)
        log.warning("plain")
        log.warning("with %s and %d", BAD, 5)
        try:
            look_up()
        except ValueError:
            log.exception("failed")
        log.error("stack", stack_info=True)
        return capsys.readouterr().out

    def test_messages_arguments_and_chained_exceptions(
        self, log: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.written(log, capsys)
        assert "abc123" not in text
        assert f"with {GOOD} and 5" in text
        assert "direct cause" in text
        assert "ValueError: outer" in text

    def test_an_exception_without_secrets_is_left_to_the_handlers(self, log: logging.Logger) -> None:
        seen: list[logging.LogRecord] = []

        class Seen(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                seen.append(record)

        log.addHandler(Seen())
        error = ValueError("harmless")
        log.error("failed", exc_info=error)
        assert seen[0].exc_info is not None
        assert seen[0].exc_info[1] is error

    @pytest.mark.parametrize(("message", "arguments"), [("%d", ("x",)), ("%s", (Hostile(),))])
    def test_what_cannot_be_printed_is_replaced(
        self,
        log: logging.Logger,
        message: str,
        arguments: tuple[Any, ...],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        log.addHandler(logging.StreamHandler(sys.stdout))
        log.warning(message, *arguments)
        assert capsys.readouterr().out == f"{REDACTED}\n"

    def test_set_up_puts_it_before_ours_and_another_set_up_replaces_it(
        self, start: Callable[..., Telemetry]
    ) -> None:
        log = logging.getLogger("ticktrace.errors")

        def installed() -> int:
            return sum(isinstance(each, OwnLogFilter) for each in log.filters)

        start().shutdown(1)
        start().shutdown(1)
        assert installed() == 1  # also after the end, which has things to say
        start(diagnostics={"scrub": {"enabled": False}})
        assert installed() == 0

"""Set-up, shutdown, set-up again, and what happens to everything that was handed out before."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import _logs, metrics, propagate, trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk.trace import SpanProcessor

from support.captured import Captured
from ticktrace import (
    AlreadyConfiguredError,
    SettingsError,
    Telemetry,
    UnknownExporterError,
    current_telemetry,
    setup_telemetry,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

MEMORY = {"traces": ["memory"], "metrics": ["memory"], "logs": ["memory"]}


def test_the_same_settings_again_return_the_same_handle(start: Callable[..., Telemetry]) -> None:
    assert start("bot") is start("bot")
    assert current_telemetry() is start("bot")


def test_other_settings_raise_and_name_what_differs(start: Callable[..., Telemetry]) -> None:
    engine = start("bot").settings.engine
    with pytest.raises(AlreadyConfiguredError, match=r"differ in: mode, service\.name$"):
        setup_telemetry("other", exporters=MEMORY, mode="paper", engine=engine)


def test_a_difference_in_a_secret_is_not_printed(start: Callable[..., Telemetry]) -> None:
    start("bot")
    with pytest.raises(AlreadyConfiguredError) as raised:
        setup_telemetry("bot", exporters=MEMORY, otlp={"headers": {"api-key": "hunter2"}})
    assert "hunter2" not in str(raised.value)


def test_threads_that_set_up_at_once_get_one_handle() -> None:
    handles: list[Telemetry] = []
    barrier = threading.Barrier(8)

    def setup() -> None:
        barrier.wait()
        handles.append(setup_telemetry("bot", exporters=MEMORY))

    threads = [threading.Thread(target=setup) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, handles))) == 1


def test_a_context_manager_shuts_down() -> None:
    with setup_telemetry("bot", exporters=MEMORY) as telemetry:
        during = telemetry.enabled
    assert (during, telemetry.enabled) == (True, False)
    assert current_telemetry() is None


def test_shutdown_again_says_the_same(telemetry: Telemetry) -> None:
    assert telemetry.shutdown() is True
    assert telemetry.shutdown() is True
    assert telemetry.flush() is True


def test_what_libraries_hold_works_over_shutdown_and_a_later_set_up(start: Callable[..., Telemetry]) -> None:
    """A library gets tracer and instruments once, at import; they must follow whatever is set up."""
    before = trace.get_tracer("library")
    first = start("one")
    tracer, meter, logger = (
        trace.get_tracer("library"),
        metrics.get_meter("library"),
        _logs.get_logger("library"),
    )
    counter = meter.create_counter("things")
    histogram = meter.create_histogram("sizes", explicit_bucket_boundaries_advisory=[1, 2])
    gauge = meter.create_gauge("level")
    level = meter.create_up_down_counter("balance")
    meter.create_observable_gauge("temperature", [lambda _: [Observation(21)]])

    def use() -> None:
        for each in (before, tracer):
            with each.start_as_current_span("work"):
                pass
        counter.add(1)
        histogram.record(1.5)
        gauge.set(7)
        level.add(-1)
        logger.emit(body="said")

    use()
    first.shutdown()
    use()  # between two set-ups it does nothing, and raises nothing
    second = start("two")
    use()
    for telemetry in (first, second):
        captured = Captured(telemetry)
        assert len(captured.named("work")) == 2, telemetry.settings.service.name
        assert captured.value("things") == 1
        assert captured.sum("sizes") == 1.5
        assert captured.value("level") == 7
        assert captured.value("balance") == -1
        assert captured.value("temperature") == 21
        assert [record.log_record.body for record in telemetry.memory.logs] == ["said"]
    (span, _) = Captured(second).named("work")
    assert span.resource.attributes["service.name"] == "two"


def test_an_instrument_asked_for_twice_is_one(telemetry: Telemetry) -> None:
    meter = metrics.get_meter("library")
    assert meter.create_counter("things") is meter.create_counter("things")
    assert meter is metrics.get_meter("library")


def test_libraries_may_add_a_span_processor_to_the_global_provider(telemetry: Telemetry) -> None:
    ended: list[str] = []

    class Listener(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            ended.append(span.name)

    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(Listener())
    with trace.get_tracer("library").start_as_current_span("work"):
        pass
    assert ended == ["work"]
    assert provider.resource.attributes["service.name"] == "test-bot"


def test_propagators_are_set_and_put_back(start: Callable[..., Telemetry]) -> None:
    before = propagate.get_global_textmap()
    telemetry = start(propagators=["tracecontext"])
    assert propagate.get_global_textmap().fields == {"traceparent", "tracestate"}
    telemetry.shutdown()
    assert propagate.get_global_textmap() is before


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_disabled_telemetry_is_a_no_op_that_keeps_the_bots_control_flow(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        telemetry = setup_telemetry("bot", exporters=MEMORY)
    else:
        telemetry = setup_telemetry("bot", exporters=MEMORY, enabled=False)
    assert not telemetry.enabled
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=1) as candle:
        with candle.signal("momentum") as signal:
            assert signal.check("volume", value=2, threshold=1)
            assert not signal.check("volume", value=0, threshold=1)
            signal.emit("long")
        assert signal.emitted
        with signal.order(side="buy", quantity=1) as order:
            order.acknowledged("A")
            order.filled(price=1, quantity=1)
    engine = telemetry.trading.engine()
    engine.transition("scanning")
    assert engine.state == "scanning"
    assert telemetry.trading.risk.check("daily_loss", True)
    assert not candle.span.get_span_context().is_valid
    assert telemetry.memory.spans == ()
    assert telemetry.flush()
    assert telemetry.shutdown()


def test_trading_goes_on_after_shutdown(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=1) as running:
        telemetry.shutdown()
    with market.candle(close_time=61) as candle, candle.signal("m") as signal:
        assert signal.check("volume", value=2, threshold=1)
    assert running.seconds > 0


def test_the_resource_says_who_sends(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., Telemetry]
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=quant,service.name=weaker,region=eu")
    start(
        "bot", service={"version": "1.2", "environment": "staging"}, resource={"attributes": {"region": "us"}}
    )
    resource: Any = trace.get_tracer_provider()
    attributes = dict(resource.resource.attributes)
    assert attributes["service.name"] == "bot"
    assert attributes["service.version"] == "1.2"
    assert attributes["deployment.environment.name"] == "staging"
    assert attributes["team"] == "quant"
    assert attributes["region"] == "us"
    assert attributes["telemetry.distro.name"] == "ticktrace"
    assert attributes["service.instance.id"]
    assert attributes["host.name"]
    assert attributes["process.pid"]
    assert not [key for key in attributes if key.startswith("process.command")]


def test_log_records_are_captured_where_settings_ask(start: Callable[..., Telemetry]) -> None:
    telemetry = start(logs={"capture": True, "level": "WARNING"})
    with trace.get_tracer("bot").start_as_current_span("work") as span:
        logging.getLogger("my.bot").warning("margin call")
        logging.getLogger("my.bot").info("quiet")
        logging.getLogger("ticktrace").warning("not about ourselves")
    (record,) = telemetry.memory.logs
    assert record.log_record.body == "margin call"
    assert record.log_record.trace_id == span.get_span_context().trace_id
    handlers = len(logging.getLogger().handlers)
    telemetry.shutdown()
    assert len(logging.getLogger().handlers) == handlers - 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"propagators": ["tracecontxt"]},
            r'propagators\[0\]: unknown propagator "tracecontxt"; known: .*tracecontext',
        ),
        ({"traces": {"sampler": "sometimes"}}, "sometimes.*always_on"),
        (
            {"slo": {"thresholds": {"trading.candle.procesing.duration": [0.1]}}},
            "trading.candle.processing.duration",
        ),
    ],
)
def test_what_only_set_up_can_know_fails_there_loudly(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        setup_telemetry("bot", exporters=MEMORY, **settings)
    assert current_telemetry() is None


def test_an_unknown_exporter_lists_the_known_ones() -> None:
    with pytest.raises((SettingsError, UnknownExporterError), match=r"promethues.*known:.*prometheus"):
        setup_telemetry("bot", exporters={"metrics": ["promethues"]})
    assert current_telemetry() is None


def test_a_failed_set_up_leaves_nothing_behind() -> None:
    threads = set(threading.enumerate())
    with pytest.raises(SettingsError):
        setup_telemetry("bot", exporters=MEMORY, propagators=["nonsense"])
    assert set(threading.enumerate()) - threads == set()
    setup_telemetry("bot", exporters=MEMORY).shutdown()


def test_slo_thresholds_become_bucket_boundaries(start: Callable[..., Telemetry]) -> None:
    telemetry = start(slo={"thresholds": {"trading.candle.processing.duration": [0.0123]}})
    with telemetry.trading.market(venue="x", symbol="Y", timeframe="1m").candle(close_time=1):
        pass
    (point,) = Captured(telemetry).points("trading.candle.processing.duration")
    assert 0.0123 in point.explicit_bounds


def test_self_description(telemetry: Telemetry) -> None:
    (point,) = Captured(telemetry).points("ticktrace.build_info")
    assert point.value == 1
    assert point.attributes["ticktrace.engine"] == telemetry.settings.engine

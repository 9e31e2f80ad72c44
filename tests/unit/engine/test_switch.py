"""What libraries were handed out follows the engine in force, whatever one of them made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from support.captured import Captured
from ticktrace.engine import internal_errors
from ticktrace.engine.switch import MeterSwitch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from opentelemetry.metrics import CallbackOptions

    from ticktrace import Telemetry

INVALID = "1 invalid"


def test_an_invalid_instrument_raises_for_who_asks_every_time(telemetry: Telemetry) -> None:
    meter = metrics.get_meter("library")
    for _ in range(2):
        with pytest.raises(Exception, match=INVALID):
            meter.create_counter(INVALID)
    assert telemetry.enabled


def test_an_invalid_instrument_is_gone_with_who_asked(start: Callable[..., Telemetry]) -> None:
    first = start("one")
    with pytest.raises(Exception, match=INVALID):
        metrics.get_meter("careless").create_counter(INVALID)
    first.shutdown()
    before = internal_errors()
    start("two")
    assert internal_errors() == before


def test_an_instrument_that_an_engine_refuses_does_not_keep_others_from_it() -> None:
    switch = MeterSwitch()  # of its own: the globals keep what they hand out
    meter = switch.get_meter("early library")
    invalid = meter.create_counter(INVALID)  # no engine is there yet to refuse it
    valid = meter.create_counter("valid")
    before = internal_errors()
    reader = InMemoryMetricReader()
    switch.switch(MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    assert internal_errors() == before + 1
    invalid.add(1)
    valid.add(1)
    data: Any = reader.get_metrics_data()
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "valid"


def test_an_observable_generator_goes_on_over_set_ups(start: Callable[..., Telemetry], engine: str) -> None:
    library = metrics.get_meter("library")
    asked: list[Any] = []

    def readings() -> Generator[Iterable[Observation], CallbackOptions, None]:
        asked.append((yield []))
        while True:
            asked.append((yield [Observation(len(asked))]))

    library.create_observable_gauge(f"thirst.{engine}", [readings()])
    seen = []
    for service in ("one", "two"):
        telemetry = start(service)
        seen.append(Captured(telemetry).value(f"thirst.{engine}"))
        telemetry.shutdown()
    assert seen == sorted(seen)
    assert seen[0] == 1
    assert None not in asked  # it is given options every time


def test_an_exhausted_observable_generator_does_not_stand_in_the_way_of_a_later_set_up(
    start: Callable[..., Telemetry], engine: str
) -> None:
    library = metrics.get_meter("library")

    def once() -> Generator[Iterable[Observation], CallbackOptions, None]:
        yield []
        yield [Observation(1)]

    first = start("one")
    library.create_observable_gauge(f"exhausted.{engine}", [once()])
    readings = [len(Captured(first).points(f"exhausted.{engine}")) for _ in range(3)]
    assert readings[0] == 1
    first.shutdown()
    before = internal_errors()
    second = start("two")
    assert Captured(second).points(f"exhausted.{engine}") == []
    assert internal_errors() == before


@pytest.mark.parametrize(
    "scope",
    [
        {"attributes": {"tags": ["a", "b"]}},
        {"attributes": {"tags": {"a": 1}}},
        {"schema_url": {"not": "a url"}},
    ],
)
def test_a_meter_whose_scope_cannot_be_hashed_is_one(scope: dict[str, Any]) -> None:
    switch = MeterSwitch()
    switch.switch(MeterProvider(shutdown_on_exit=False))
    meter = switch.get_meter("library", "1", **scope)
    assert switch.get_meter("library", "1", **scope) is meter
    meter.create_counter("things").add(1)

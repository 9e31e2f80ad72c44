"""How attribute sets are told apart, and how many an instrument may have."""

from __future__ import annotations

import enum
from collections import UserDict
from typing import Any

import pytest
from opentelemetry.sdk.metrics.view import View

from support.measured import Measured, delta_reader

OVERFLOW = (("otel.metric.overflow", True),)


class Side(enum.StrEnum):
    BUY = "buy"


def test_no_more_than_the_limit_of_series_is_made_by_default() -> None:
    measured = Measured()
    orders = measured.meter.create_counter("orders")
    for number in range(2500):
        orders.add(1, {"client": str(number)})
        orders.add(1, {"client": str(number)})
    values = measured.values("orders")
    assert len(values) == 2000
    assert values.pop(OVERFLOW) == 2 * (2500 - 1999)
    assert set(values.values()) == {2}
    assert measured.provider.overflowed == 2 * (2500 - 1999)
    assert measured.provider.overflow_count() == {"orders": 2 * (2500 - 1999)}
    assert measured.provider.series_count() == {"orders": 2000}


def test_an_instrument_below_its_limit_has_no_overflow_series() -> None:
    measured = Measured(series_limit=3)
    orders = measured.meter.create_counter("orders")
    orders.add(1, {"venue": "a"})
    orders.add(1, {"venue": "b"})
    assert OVERFLOW not in measured.values("orders")
    assert measured.provider.overflow_count() == {}


def test_every_instrument_has_a_limit_of_its_own() -> None:
    measured = Measured(series_limit=2)
    orders, latency = measured.meter.create_counter("orders"), measured.meter.create_histogram("latency")
    for venue in "abc":
        orders.add(1, {"venue": venue})
        latency.record(1, {"venue": venue})
    assert measured.values("orders") == {(("venue", "a"),): 1, OVERFLOW: 2}
    assert measured.values("latency") == {(("venue", "a"),): 1, OVERFLOW: 2}


@pytest.mark.parametrize("limit", [0, 1])
def test_a_limit_of_one_leaves_the_overflow_series_alone(limit: int) -> None:
    measured = Measured(series_limit=limit)
    orders = measured.meter.create_counter("orders")
    orders.add(1)
    orders.add(1, {"venue": "a"})
    assert measured.values("orders") == {OVERFLOW: 2}


def test_handles_beyond_the_limit_record_as_overflow() -> None:
    measured = Measured(series_limit=2)
    latency = measured.meter.create_histogram("latency")
    first, second, third = (latency.bind({"venue": venue}) for venue in "abc")
    first.record(1)
    second.record(1)
    second.record(1)
    third.record_many([1, 1, 1])
    assert measured.values("latency") == {(("venue", "a"),): 1, OVERFLOW: 5}
    assert measured.provider.overflow_count() == {"latency": 5}
    assert third.attributes == {"venue": "c"}


def test_a_set_that_had_a_series_before_the_limit_was_reached_keeps_it() -> None:
    measured = Measured(series_limit=2)
    orders = measured.meter.create_counter("orders")
    for venue in ("a", "b", "a", "c", "a"):
        orders.add(1, {"venue": venue})
    assert measured.values("orders") == {(("venue", "a"),): 3, OVERFLOW: 2}


def test_the_overflow_series_keeps_its_attribute_where_a_view_filters() -> None:
    measured = Measured(series_limit=2, views=[View(instrument_name="orders", attribute_keys={"venue"})])
    orders = measured.meter.create_counter("orders")
    for venue in "abc":
        orders.add(1, {"venue": venue, "id": "free text"})
    assert measured.values("orders") == {(("venue", "a"),): 1, OVERFLOW: 2}


def test_attributes_that_no_view_keeps_do_not_count() -> None:
    measured = Measured(series_limit=2, views=[View(instrument_name="orders", attribute_keys={"venue"})])
    orders = measured.meter.create_counter("orders")
    for number in range(10):
        orders.add(1, {"venue": "a", "id": number})
    assert measured.values("orders") == {(("venue", "a"),): 10}


def test_attributes_are_told_apart_by_class_but_strings_by_their_text() -> None:
    measured = Measured()
    orders = measured.meter.create_counter("orders")
    for value in (1, True, 1.0, "1", b"1", None, (1, 2), [1, 2]):
        orders.add(1, {"n": value})
        orders.add(1, {"n": value})
    for side in ("buy", Side.BUY, "buy"):
        orders.add(1, {"side": side})
    points = measured.points("orders")
    found = [(type(value), value, point.value) for point in points for value in point.attributes.values()]
    assert found == [
        (int, 1, 2),
        (bool, True, 2),
        (float, 1.0, 2),
        (str, "1", 2),
        (bytes, b"1", 2),
        (type(None), None, 2),
        (tuple, (1, 2), 4),
        (str, "buy", 3),
    ]


def test_the_order_of_attributes_does_not_matter() -> None:
    measured = Measured()
    orders = measured.meter.create_counter("orders")
    orders.add(1, {"venue": "a", "side": "buy"})
    orders.add(1, {"side": "buy", "venue": "a"})
    assert measured.point("orders").value == 2


def test_who_changes_a_dict_afterwards_does_not_change_a_series() -> None:
    measured = Measured()
    orders = measured.meter.create_counter("orders")
    attributes = {"venue": "a"}
    orders.add(1, attributes)
    handle = orders.bind(attributes)
    attributes["venue"] = "b"
    orders.add(1, attributes)
    handle.add(1)
    assert measured.values("orders") == {(("venue", "a"),): 2, (("venue", "b"),): 1}


class Hostile:
    """Whatever is asked of it, it raises."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("no")

    __bool__ = __str__ = __repr__ = __len__ = __iter__ = items = _refuse

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "attributes",
    [
        Hostile(),
        {"a": Hostile()},
        {"a": [Hostile()]},
        {"a": {"b": object()}},
        {1: "a", "": "b", None: "c"},
        ["venue"],
        "venue",
        7,
        object(),
        UserDict({"venue": "a"}),
        {"a": float("nan")},
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("bound", [True, False])
def test_attributes_of_any_kind_are_survived(attributes: Any, bound: bool) -> None:
    measured = Measured()
    orders = measured.meter.create_counter("orders")
    for _ in range(3):
        if bound:
            orders.bind(attributes).add(1)
        else:
            orders.add(1, attributes)
    assert sum(point.value for point in measured.points("orders")) == 3


def test_what_is_remembered_of_attributes_is_bounded() -> None:
    measured = Measured(series_limit=10)
    orders = measured.meter.create_counter("orders")
    for number in range(1000):
        orders.add(1, {"client": str(number)})
        orders.add(1, {"client": number})
    sets = orders._sets
    assert len(sets.records) <= 40
    assert len(sets._typed) <= 40
    assert measured.values("orders")[OVERFLOW] == 2000 - 9


def test_there_is_room_again_when_a_series_was_forgotten() -> None:
    measured = Measured([delta_reader()], series_limit=3, idle_series_seconds=0)
    orders = measured.meter.create_counter("orders")
    kept = orders.bind({"client": "kept"})
    for number in range(100):
        orders.add(1, {"client": str(number)})
        orders.add(1, {"client": number})
    kept.add(1)
    assert measured.values("orders")[OVERFLOW] == 199
    orders.add(1, {"client": "99"})
    assert (("client", "99"),) in orders._sets.records
    assert measured.values("orders") == {(("client", "99"),): 1}
    orders.add(1, {"client": 99})
    assert measured.values("orders") == {(("client", 99),): 1}

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ticktrace import semconv
from ticktrace.catalog import CATALOG, InstrumentSpec, Kind, make_catalog
from ticktrace.errors import CatalogError


def spec(**changes: Any) -> InstrumentSpec:
    return InstrumentSpec(
        **{"name": "acme.hedges", "kind": Kind.COUNTER, "unit": "{hedge}", "description": "Hedges."} | changes
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "1acme"}, "a name starts with a letter"),
        ({"name": "acme hedges"}, "a name starts with a letter"),
        ({"name": "a" * 256}, "at most 255"),
        ({"unit": "µs"}, "unit 'µs' is not ASCII"),
        ({"description": ""}, "has no description"),
        ({"attributes": (semconv.VENUE, semconv.VENUE)}, "names an attribute twice"),
        ({"attributes": (semconv.ORDER_ID,)}, "trading.order.id would make a series of every value"),
        ({"buckets": (1.0,)}, "a histogram has buckets, and nothing else has"),
        ({"kind": Kind.HISTOGRAM}, "a histogram has buckets, and nothing else has"),
        ({"kind": Kind.HISTOGRAM, "buckets": ()}, "buckets are finite and increase strictly"),
        ({"kind": Kind.HISTOGRAM, "buckets": (1.0, 1.0)}, "buckets are finite and increase strictly"),
        (
            {"kind": Kind.HISTOGRAM, "buckets": (1.0, float("inf"))},
            "buckets are finite and increase strictly",
        ),
    ],
)
def test_a_row_that_cannot_work_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(CatalogError, match=problem):
        spec(**changes)


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec().unit = "1"  # type: ignore[misc]


def test_a_histogram_is_three_series_in_prometheus() -> None:
    row = spec(name="acme.wait", kind=Kind.HISTOGRAM, unit="s", buckets=(1.0,))
    assert row.series == ("acme_wait_seconds_bucket", "acme_wait_seconds_count", "acme_wait_seconds_sum")


def test_an_application_adds_rows_of_its_own() -> None:
    mine = spec()
    catalog = make_catalog([*CATALOG.values(), mine])
    assert catalog["acme.hedges"] is mine
    assert len(catalog) == len(CATALOG) + 1
    assert "acme.hedges" not in CATALOG


@pytest.mark.parametrize(
    ("other", "clash"),
    [
        (spec(name="Acme.Hedges", description="Case does not count."), "acme.hedges"),
        (spec(name="acme_hedges", description="The same in Prometheus."), "acme_hedges_total"),
        (spec(name="acme.other", aliases=("acme_hedges_total",)), "acme_hedges_total"),
    ],
    ids=["name", "series", "alias"],
)
def test_two_rows_that_share_a_name_are_refused(other: InstrumentSpec, clash: str) -> None:
    with pytest.raises(CatalogError, match=f"{clash} is 'acme.hedges' already"):
        make_catalog([spec(), other])


def test_the_catalog_is_read_only() -> None:
    with pytest.raises(TypeError):
        CATALOG["acme.hedges"] = spec()  # type: ignore[index]

"""What may be wrong with an application's own rows, and that each is told with what to do instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ticktrace.catalog import (
    BUCKETS,
    CATALOG,
    InstrumentNames,
    InstrumentSpec,
    Kind,
    own_settings,
    problems_of_own,
    reference_table,
    with_own,
)
from ticktrace.errors import CatalogError
from ticktrace.settings import InstrumentSettings, load_settings

PAGE = Path(__file__).parents[3] / "docs" / "custom-instruments.md"


def spec(name: str = "acme.x", **fields: Any) -> InstrumentSpec:
    return InstrumentSpec(**{"name": name, "kind": Kind.GAUGE, "unit": "1", "description": "X.", **fields})


@pytest.mark.parametrize(
    "row",
    [
        spec(),
        spec("hedge_ratio"),
        spec("acme.a1.b_2", unit="{order}/h"),
        spec(kind=Kind.HISTOGRAM, buckets=BUCKETS["network"], unit="s"),
        spec(attributes=("trading.symbol", "acme.desk", "error.type", "desk")),
    ],
)
def test_a_right_row_has_no_problems(row: InstrumentSpec) -> None:
    assert problems_of_own(row, CATALOG) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (spec("Acme.X"), "a name is lower case"),
        (spec("acme..x"), "a name is lower case"),
        (spec("acme-x"), "a name is lower case"),
        (spec("trading.x"), "use a namespace of your own"),
        (spec("ticktrace.x"), "use a namespace of your own"),
        (spec(unit="seconds"), "unit 'seconds' is not UCUM; did you mean 's'?"),
        (spec(unit="bytes"), "did you mean 'By'?"),
        (spec(unit="percent"), "did you mean '%'?"),
        (spec(unit=""), "did you mean '1'?"),
        (spec(attributes=("acme-desk",)), "attribute 'acme-desk' is not lower case"),
        (spec(attributes=("trading.desk",)), "attribute 'trading.desk' is not one of the catalog's"),
        (spec(attributes=("le",)), "which Prometheus uses itself"),
        (spec(attributes=("acme.desk", "acme_desk")), "would both be the label 'acme_desk'"),
        (
            spec(kind=Kind.HISTOGRAM, buckets=tuple(map(float, range(101)))),
            "has 101 buckets, more than 100",
        ),
        (spec("http.server.request.duration"), "clashes with the catalog"),
        (spec("http_server.active.requests"), "clashes with the catalog"),  # the same series in Prometheus
        (spec(aliases=("portfolio_value",)), "portfolio_value is 'trading.portfolio.value' already"),
    ],
)
def test_a_wrong_row_is_told_what_is_wrong(row: InstrumentSpec, problem: str) -> None:
    (said,) = problems_of_own(row, CATALOG)
    assert problem in said


def test_everything_that_is_wrong_is_told_at_once() -> None:
    row = spec("Acme", unit="sec", attributes=("le", "A"))
    assert len(problems_of_own(row, CATALOG)) == 4


def test_an_unbounded_attribute_is_refused_before_all_else() -> None:
    with pytest.raises(CatalogError, match=r"trading\.order\.id would make a series of every value"):
        spec(attributes=("trading.order.id",))


def test_a_kind_may_be_its_word_and_lists_are_as_good_as_tuples() -> None:
    row = spec(kind="histogram", buckets=[1.0, 2.0], attributes=["acme.desk"])
    assert row == spec(kind=Kind.HISTOGRAM, buckets=(1.0, 2.0), attributes=("acme.desk",))
    assert hash(row)
    with pytest.raises(CatalogError, match="'gage' is no kind of instrument; known: counter, up_down"):
        spec(kind="gage")


def test_settings_and_rows_are_the_same_thing() -> None:
    row = spec(
        kind=Kind.HISTOGRAM, buckets=(0.5, 1.0), attributes=("acme.desk",), max_series=7, aliases=("x_old",)
    )
    catalog, problems = with_own({row.name: InstrumentSettings(**own_settings(row))}, CATALOG)
    assert problems == []
    assert catalog["acme.x"] == InstrumentSpec(
        "acme.x",
        Kind.HISTOGRAM,
        "1",
        "X.",
        "custom",
        ("acme.desk",),
        (0.5, 1.0),
        ("x_old",),
        max_series=7,
    )
    assert {name: row for name, row in catalog.items() if name != "acme.x"} == dict(CATALOG)


def test_buckets_may_be_named() -> None:
    settings = InstrumentSettings(kind="histogram", description="X.", unit="s", buckets="network")
    catalog, _ = with_own({"acme.x": settings}, CATALOG)
    assert catalog["acme.x"].buckets == BUCKETS["network"]


def test_rows_of_the_settings_may_not_clash_with_each_other() -> None:
    rows = {
        name: InstrumentSettings(kind="gauge", description="X.", aliases=("x_old",))
        for name in ("acme.a", "acme.b")
    }
    catalog, problems = with_own(rows, CATALOG)
    assert problems == [
        "metrics.instruments[\"acme.b\"]: clashes with the catalog: x_old is 'acme.a' already"
    ]
    assert "acme.a" in catalog
    assert "acme.b" not in catalog


def test_the_reference_of_own_rows_is_a_table() -> None:
    rows = [
        spec(attributes=("acme.desk",), max_series=9, aliases=("x_old",)),
        spec("acme.h", kind=Kind.HISTOGRAM, buckets=(0.5, 1.0), unit="s", description="A | B"),
    ]
    assert reference_table(rows).splitlines()[2:] == [
        "| `acme.x` | `acme_x` | gauge, `1` | `acme.desk` | X. *Also as* `x_old`. At most 9 series. |",
        "| `acme.h` | `acme_h_seconds` | histogram, `s`, buckets 0.5, 1 |  | A \\| B. |",
    ]


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
def test_the_settings_on_the_documentation_page_are_right(block: str, tmp_path: Path) -> None:
    file = tmp_path / "ticktrace.yaml"
    file.write_text(block, encoding="utf-8")
    declared = load_settings(file=file, environ={}).settings.metrics.instruments
    catalog, problems = with_own(declared, CATALOG)
    assert problems == []
    assert declared.keys() <= catalog.keys()


def test_names_are_found_once_they_are_added_and_a_row_may_be_declared_anew() -> None:
    names = InstrumentNames(CATALOG)
    first = spec(aliases=("x_old",))
    names.add([first])
    assert names.find("x_old") is names.find("acme_x") is first
    second = spec(kind=Kind.COUNTER, aliases=("x_new",))
    names.add([second])
    assert names.find("acme.x") is second
    assert names.get("x_old") is None
    names.add([spec("acme.thief", aliases=("portfolio_value",))])
    assert names.find("portfolio_value").name == "trading.portfolio.value"

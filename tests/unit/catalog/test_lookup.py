"""Rows and attributes are found by every name that people know them by, and a wrong name is answered with near ones."""

from __future__ import annotations

import re

import pytest

from ticktrace.catalog import CATALOG, InstrumentNames, attribute_key, label_name, recording_rules
from ticktrace.errors import CatalogError

NAMES = InstrumentNames(CATALOG)


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG)
def test_each_row_is_found_by_all_its_names(row: object) -> None:
    spec = CATALOG[row.name]  # type: ignore[attr-defined]
    for name in (spec.name, spec.name.upper(), f" {spec.name} ", spec.prometheus_name, *spec.aliases):
        assert NAMES.find(name) is spec


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("signals.generated", "trading.signals.generated"),
        ("orders_submitted_total", "trading.orders.submitted"),
        ("provider.api.duration", "trading.provider.api.duration"),
    ],
)
def test_the_prefix_of_trading_may_be_left_out(short: str, name: str) -> None:
    assert NAMES.find(short).name == name


def test_what_is_shortened_hides_no_whole_name() -> None:
    for row in CATALOG.values():
        assert NAMES.find(row.name) is row
        assert NAMES.find(row.prometheus_name) is row


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(CatalogError) as raised:
        NAMES.find("trades_exected_total")
    assert str(raised.value).startswith(
        "no instrument is called 'trades_exected_total'; near: trades_executed_total (trading.trades.executed), "
    )
    assert str(raised.value).count("(trading.trades.executed)") == 1


def test_a_name_that_nothing_looks_like_is_answered_with_where_to_look() -> None:
    assert NAMES.get("xyzzy") is None
    with pytest.raises(CatalogError, match="'xyzzy'; the reference of instruments lists all names"):
        NAMES.find("xyzzy")


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG)
def test_each_attribute_is_found_by_key_and_label(row: object) -> None:
    spec = CATALOG[row.name]  # type: ignore[attr-defined]
    for key in spec.attributes:
        assert attribute_key(spec, key) == key
        assert attribute_key(spec, label_name(key)) == key


@pytest.mark.parametrize(
    ("name", "word", "key"),
    [
        ("trading.trades.executed", "strategy", "trading.strategy.name"),
        ("trading.trades.executed", "strategy_name", "trading.strategy.name"),
        ("trading.trades.executed", "side", "trading.order.side"),
        ("trading.trades.executed", "order_type", "trading.order.type"),
        ("trading.trade.execution.duration", "type", "trading.order.type"),
        ("trading.trade.execution.duration", "error_type", "error.type"),
        ("trading.errors", "type", "error.type"),
        ("trading.signals.generated", "signal_type", "trading.signal.type"),
        ("trading.provider.api.calls", "endpoint", "trading.provider.operation"),
        ("trading.provider.api.calls", "operation", "trading.provider.operation"),
        ("db.client.operation.duration", "query_type", "db.operation.name"),
        ("trading.filter.evaluations", "filter", "trading.filter.name"),
        ("trading.filter.evaluations", "order_id", None),
        ("trading.filter.evaluations", "", None),
    ],
)
def test_bare_words_mean_what_they_meant_elsewhere(name: str, word: str, key: str | None) -> None:
    assert attribute_key(CATALOG[name], word) == key


def test_the_labels_that_the_alias_rules_offer_are_understood() -> None:
    """Who queries a series by ``strategy`` must be able to record it by ``strategy``."""
    aliases = {alias: row for row in CATALOG.values() for alias in row.aliases}
    offered = [
        (aliases[rule.record], label)
        for rule in recording_rules(CATALOG)
        if rule.record in aliases
        for label in _replaced(rule.expr)
    ]
    assert len(offered) > 50
    assert [(row.name, label) for row, label in offered if attribute_key(row, label) is None] == []


def _replaced(expr: str) -> list[str]:
    return re.findall(r', "(\w+)", "\$1"', expr)

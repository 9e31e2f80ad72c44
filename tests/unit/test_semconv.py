from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ticktrace import semconv

if TYPE_CHECKING:
    from enum import StrEnum

KEYS = semconv.METRIC_ATTRIBUTES | semconv.SPAN_ONLY_ATTRIBUTES
NAMES = {
    name: value
    for name in semconv.__all__
    if isinstance(value := getattr(semconv, name), str) and name not in {"SCHEMA_URL", "OTHER"}
}
ENUMS = [value for name in semconv.__all__ if inspect.isclass(value := getattr(semconv, name))]


def test_all_is_sorted_and_complete() -> None:
    constants = {name for name in vars(semconv) if name.isupper() and not name.startswith("_")} - {
        "TYPE_CHECKING"
    }
    enumerations = {
        name for name, value in vars(semconv).items() if getattr(value, "__module__", "") == semconv.__name__
    }
    assert set(semconv.__all__) == constants | enumerations
    assert list(semconv.__all__) == sorted(semconv.__all__, key=lambda name: (not name.isupper(), name))


def test_every_name_is_different() -> None:
    assert len(set(NAMES.values())) == len(NAMES)


def test_every_attribute_is_either_for_metrics_or_for_spans_only() -> None:
    assert not semconv.METRIC_ATTRIBUTES & semconv.SPAN_ONLY_ATTRIBUTES
    keyless = {value for name, value in NAMES.items() if name.startswith(("SPAN_", "EVENT_"))} - KEYS
    assert set(NAMES.values()) - keyless == KEYS


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_key_is_lower_case_dotted_and_no_namespace_of_another(key: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", key)
    assert not [other for other in KEYS if other.startswith(f"{key}.")]


def test_every_constant_of_ours_says_what_it_means() -> None:
    """The reference page is made of the strings that stand below the constants."""
    statements = ast.parse(inspect.getsource(semconv)).body
    silent = [
        statement.target.id
        for statement, below in pairwise([*statements, ast.Pass()])
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant))
    ]
    assert silent == []


@pytest.mark.parametrize("enumeration", ENUMS, ids=lambda enumeration: enumeration.__name__)
def test_enumeration_members_are_the_strings_that_go_on_the_wire(enumeration: type[StrEnum]) -> None:
    for member in enumeration:
        assert str(member) == member.value == member.name.lower()


def test_every_enumeration_belongs_to_one_metric_attribute() -> None:
    assert sorted(semconv.ENUMERATIONS.values(), key=repr) == sorted(ENUMS, key=repr)
    assert set(semconv.ENUMERATIONS) <= semconv.METRIC_ATTRIBUTES


def test_reasons_end_in_a_catch_all() -> None:
    for reasons in (semconv.SignalRejectReason, semconv.OrderRejectReason, semconv.DisconnectReason):
        assert list(reasons)[-1] == semconv.OTHER

"""Thresholds, near misses and what is suggested: numbers that can be counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.journal_script import Script, report_on, row_of
from ticktrace.reports import conditions
from ticktrace.reports.thresholds import SAYS_NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.reports.model import NearMiss, Report


def written(script: Script, path: Path, **question: int) -> Report:
    return report_on(script.write(path / "diag.jsonl"), **question)


def near_of(report: Report, name: str) -> NearMiss:
    [row] = [row for row in report.near_misses if row.name == name]
    return row


def points(report: Report, name: str) -> list[tuple[float, int]]:
    return [(point.threshold, point.additional) for point in row_of(report, name).curve]


def test_counts_and_curve_of_a_condition(tmp_path: Path) -> None:
    script = Script()
    for value in (5, 4, 4, 3, 1, 6):
        script.evaluate(("volume", value, 5), ("body", 1, 1))
    report = written(script, tmp_path)
    row = row_of(report, "volume")
    assert (row.component, row.stage, row.comparison, row.basis) == (
        "strategy",
        "condition",
        ">=",
        "threshold",
    )
    assert (row.threshold, row.n, row.passed, row.failed) == (5, 6, 2, 4)
    assert (row.blocked_alone, row.off_curve, row.exact) == (4, 0, True)
    assert points(report, "volume") == [(4, 2), (3, 3), (1, 4)]
    assert row_of(report, "body").curve == []


def test_only_what_failed_alone_blocked_alone(tmp_path: Path) -> None:
    script = Script()
    script.evaluate(("a", 1, 2), ("b", 1, 2), ("c", 3, 2))
    script.evaluate(("a", 1, 2), ("b", 3, 2), ("c", 3, 2))
    report = written(script, tmp_path)
    assert {row.name: row.blocked_alone for row in report.thresholds} == {"a": 1, "b": 0, "c": 0}


def test_thresholds_that_change_are_rows_of_their_own(tmp_path: Path) -> None:
    script = Script()
    for threshold in (5, 5, 4):
        script.evaluate(("volume", 3, threshold))
    report = written(script, tmp_path)
    assert [(row.threshold, row.n) for row in report.thresholds] == [(5, 2), (4, 1)]


def test_equality_has_no_curve(tmp_path: Path) -> None:
    script = Script()
    script.evaluate(("regime", 2, 1, "=="))
    row = row_of(written(script, tmp_path), "regime")
    assert (row.failed, row.curve, row.off_curve) == (1, [], 1)


@pytest.mark.parametrize("value", [None, "wide", True])
def test_what_is_no_number_is_counted_and_on_no_curve(tmp_path: Path, value: object) -> None:
    script = Script()
    for looked_at in (3.0, value):
        script.add(
            "strategy",
            "condition",
            strategy="momentum",
            symbol="BTC",
            name="volume",
            value=looked_at,
            threshold=5.0,
            comparison=">=",
            passed=False,
            decision=1,
        )
    report = written(script, tmp_path)
    row = row_of(report, "volume")
    assert (row.failed, row.off_curve) == (2, 1)
    assert points(report, "volume") == [(3.0, 1)]


def test_decimals_are_numbers(tmp_path: Path) -> None:
    script = Script()
    script.add(
        "scanner", "filter", symbol="BTC", name="spread", value="0.00070", threshold="0.0006", comparison="<=",
        passed=False, near_miss=True,
    )  # fmt: skip
    report = written(script, tmp_path)
    [row] = report.thresholds
    assert (row.threshold, [(point.threshold, point.additional) for point in row.curve]) == (
        "0.0006",
        [(0.0007, 1)],
    )


def test_lines_without_a_comparison_tell_by_their_values(tmp_path: Path) -> None:
    script = Script()
    for name, values in (("volume", (1, 5, 7)), ("gap", (9, 3, 1)), ("odd", (1, 9, 3))):
        for value, passed in zip(values, (False, True, True), strict=True):
            script.add("scanner", "filter", symbol="BTC", name=name, value=value, threshold=5, passed=passed)
    script.add("scanner", "filter", symbol="BTC", name="odd", value=8, threshold=5, passed=False)
    report = written(script, tmp_path)
    told = {row.name: (row.comparison, row.comparison_inferred, len(row.curve)) for row in report.thresholds}
    assert told == {"volume": (">=", True, 1), "gap": ("<=", True, 1), "odd": (None, False, 0)}


def test_a_suggestion_is_half_way_to_the_median_near_miss(tmp_path: Path) -> None:
    script = Script()
    near = [9.0, 9.2, 9.4, 9.6, 9.8]
    for value in [*near, 2.0, 11.0, 12.0]:
        script.evaluate(("volume", value, 10.0))
    row = near_of(written(script, tmp_path, min_n=5), "volume")
    assert (row.n, row.median_value, row.threshold) == (5, 9.4, 10.0)
    assert row.median_distance == pytest.approx(0.6)
    told = row.suggestion
    assert (told.threshold, told.additional, told.withheld) == (9.7, 1, None)
    assert (told.n, told.share, told.note) == (5, 5 / 8, SAYS_NOTHING)


def test_below_the_minimum_nothing_is_suggested(tmp_path: Path) -> None:
    script = Script()
    for _ in range(29):
        script.evaluate(("volume", 9.5, 10.0))
    told = near_of(written(script, tmp_path), "volume").suggestion
    assert (told.threshold, told.additional) == (None, None)
    assert told.withheld == "fewer than 30 near misses are no evidence"


def test_a_suggestion_that_lets_nothing_pass_is_withheld(tmp_path: Path) -> None:
    script = Script()
    for _ in range(40):
        script.evaluate(("trades", 9, 10))
    told = near_of(written(script, tmp_path), "trades").suggestion
    assert told.threshold is None
    assert told.withheld == "at 9.5, half-way, no more would pass: the nearest value that failed is 9"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 2), min_size=1, max_size=80), st.sampled_from([">", ">=", "<", "<="]))
def test_what_is_predicted_is_what_another_threshold_lets_pass(
    tmp_path: Path, values: list[float], comparison: str
) -> None:
    def reported(threshold: float) -> Report:
        script = Script()
        for value in values:
            script.evaluate(("x", value, threshold, comparison), margin=0.5)
        return written(script, tmp_path, min_n=1)

    report = reported(1.0)
    before = row_of(report, "x").passed
    for point in row_of(report, "x").curve[:5]:
        assert row_of(reported(point.threshold), "x").passed == before + point.additional
    for row in report.near_misses:
        suggested = row.suggestion.threshold
        if suggested is not None:
            assert row_of(reported(suggested), "x").passed - before == row.suggestion.additional


def test_a_threshold_that_moves_has_a_curve_by_factor(tmp_path: Path) -> None:
    script = Script()
    for number in range(200):
        level = 100.0 + number / 7
        script.evaluate(("breakout", level * (0.99 if number % 4 else 0.95), level))
    for _ in range(2):
        script.evaluate(("breakout", 300.0, 200.0))
    report = written(script, tmp_path)
    row = row_of(report, "breakout")
    assert (row.basis, row.n, row.passed, row.failed, row.blocked_alone) == ("factor", 202, 2, 200, 200)
    assert row.threshold == pytest.approx(100 + 199 / 14, rel=1e-3)
    by_hand = {0.991: 0, 0.989: 150, 0.951: 150, 0.949: 200}
    curve = {point.threshold: point.additional for point in row.curve}
    for factor, expected in by_hand.items():
        assert max([more for at, more in curve.items() if at >= factor], default=0) == expected
    near = near_of(report, "breakout")
    assert near.n == 200
    assert near.suggestion.withheld is not None
    assert near.suggestion.withheld.startswith("at 0.995, half-way, no more would pass")


def test_a_suggestion_for_a_threshold_that_moves_is_a_factor(tmp_path: Path) -> None:
    script = Script()
    for number in range(100):
        level = 100.0 + number / 7
        script.evaluate(("breakout", level * (0.92 + number % 8 / 100), level))
    told = near_of(written(script, tmp_path), "breakout").suggestion
    assert (told.threshold, told.shift, told.factor) == (None, None, 0.975)
    assert told.additional == sum(0.92 + number % 8 / 100 >= 0.975 for number in range(100))


def test_moving_thresholds_below_zero_have_a_curve_by_shift(tmp_path: Path) -> None:
    script = Script()
    for number in range(120):
        script.evaluate(("return", -10.0 - number, -8.0 - number))
    row = row_of(written(script, tmp_path), "return")
    assert (row.basis, row.n, row.failed) == ("shift", 120, 120)
    assert [(point.threshold, point.additional) for point in row.curve] == [(-2.0, 120)]


def test_nothing_is_lost_while_a_threshold_begins_to_move(tmp_path: Path) -> None:
    script = Script()
    for number in range(conditions.MOST_THRESHOLDS + 5):
        for symbol in ("BTC", "ETH"):
            script.evaluate(("level", 1.0, 2.0 + number % (conditions.MOST_THRESHOLDS + 1)), symbol=symbol)
    for _ in range(10):
        script.evaluate(("level", 1.0, 2.0), symbol="ETH")
    row = row_of(written(script, tmp_path), "level")
    expected = 2 * (conditions.MOST_THRESHOLDS + 5) + 10
    assert (row.n, row.failed, row.blocked_alone) == (expected, expected, expected)
    assert row.curve[-1].additional == expected


def test_values_that_do_not_fit_are_rounded_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "MOST_HELD", 1_000)
    script = Script(session=False)
    for number in range(2_000):
        script.evaluate(("volume", 1.0 + number / 1e5, 10.0))
    report = written(script, tmp_path)
    row = row_of(report, "volume")
    assert (row.exact, row.failed, row.curve[-1].additional) == (False, 2_000, 2_000)
    assert any("too many different values" in note for note in report.notes)

"""The funnel, line by line: what enters each step and what passes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.journal_script import Script, report_on

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.reports.model import Report


def funnel(report: Report) -> dict[str, tuple[int, int]]:
    return {stage.stage: (stage.entered, stage.passed) for stage in report.funnel}


def reasons(report: Report) -> dict[str, int]:
    return {row.reason: row.count for row in report.reasons}


def written(script: Script, path: Path) -> Report:
    return report_on(script.write(path / "diag_s_BTC_1.jsonl"))


def test_every_step_from_candle_to_fill(tmp_path: Path) -> None:
    script = Script()
    script.next()
    script.scan(10, 3, volume=5, gap=2)
    script.evaluate(("body", 0.4, 0.5), ("volume", 3.0, 1.0))  # fails a condition
    script.evaluate(emitted=False)  # all conditions met, and nothing emitted
    script.next(passed=False)
    script.scan(10, 10)
    filled = script.evaluate(("body", 0.6, 0.5))
    script.risk(filled, "exposure", 0.1, 0.3)
    script.order(filled)
    script.fill(filled, complete=False)
    script.fill(filled)
    denied = script.evaluate(("body", 0.6, 0.5))
    script.risk(denied, "exposure", 0.4, 0.3)
    script.reject(denied, "exposure")
    refused = script.evaluate(("body", 0.6, 0.5))
    script.order(refused, passed=False)
    report = written(script, tmp_path)
    assert funnel(report) == {
        "candles": (2, 1),
        "scanned": (20, 20),
        "filtered": (20, 13),
        "conditions": (5, 4),
        "signals": (4, 3),
        "risk": (3, 2),
        "orders": (2, 1),
        "fills": (1, 1),
    }
    assert [(stage.lost, stage.share) for stage in report.funnel][2] == (7, 13 / 20)
    assert reasons(report) == {
        "filter:volume": 5,
        "filter:gap": 2,
        "signal:momentum:body": 1,
        "signal:momentum:no_signal": 1,
        "error:ValueError": 1,
        "risk:exposure": 1,
        "rejected:exposure": 1,
        "order:insufficient_funds": 1,
    }


def test_an_exit_emits_although_conditions_failed(tmp_path: Path) -> None:
    script = Script()
    script.evaluate(("stop", 99.0, 95.0, "<="), ("target", 106.0, 105.0), emitted=True)
    report = written(script, tmp_path)
    assert funnel(report)["conditions"] == (1, 1)
    assert funnel(report)["signals"] == (1, 1)
    assert [row.blocked_alone for row in report.thresholds] == [0, 0]


def test_a_failed_risk_check_loses_a_signal_only_where_no_order_follows(tmp_path: Path) -> None:
    script = Script()
    ordered, lost = script.evaluate(), script.evaluate()
    for decision in (ordered, lost):
        script.risk(decision, "exposure", 0.4, 0.3)
    for _ in range(3):  # the order comes late, after other decisions
        script.evaluate(("body", 0.4, 0.5))
    script.order(ordered)
    report = written(script, tmp_path)
    assert funnel(report)["risk"] == (2, 1)
    [row] = [row for row in report.thresholds if row.name == "exposure"]
    assert (row.n, row.failed, row.blocked_alone) == (2, 2, 1)


def test_a_rejection_may_come_before_the_line_of_its_signal(tmp_path: Path) -> None:
    script = Script()
    script.reject(1, "exposure")
    assert script.evaluate() == 1
    assert funnel(written(script, tmp_path))["risk"] == (1, 0)


@pytest.mark.parametrize(
    ("status", "passed"), [("rejected", 0), ("cancelled", 1), ("expired", 1), ("failed", 0)]
)
def test_a_later_rejection_takes_an_order_away(tmp_path: Path, status: str, passed: int) -> None:
    script = Script()
    script.order(script.evaluate())
    script.order(1, passed=status not in ("rejected", "failed"), later=status)
    assert funnel(written(script, tmp_path))["orders"] == (1, passed)


def test_a_signal_that_is_emitted_late_is_no_further_evaluation(tmp_path: Path) -> None:
    script = Script()
    first = script.evaluate(("body", 0.4, 0.5))
    second = script.evaluate(emitted=False)
    for decision in (first, second):
        script.add(
            "strategy", "signal", passed=True, payload={"later": True}, decision=decision, symbol="BTC",
            strategy="momentum", candle=script.candle,
        )  # fmt: skip
    report = written(script, tmp_path)
    assert funnel(report)["conditions"] == (2, 2)
    assert funnel(report)["signals"] == (2, 2)
    assert report.thresholds[0].blocked_alone == 0


def test_decisions_that_are_interleaved_keep_their_conditions(tmp_path: Path) -> None:
    script = Script()
    script.evaluate(("a", 1, 2), ("b", 1, 2))
    script.evaluate(("a", 3, 2), ("b", 3, 2))
    conditions, order = script.lines[1:], (0, 3, 1, 4, 5, 2)
    script.lines[1:] = [conditions[place] for place in order]
    assert funnel(written(script, tmp_path))["conditions"] == (2, 1)


def test_two_processes_may_use_the_same_numbers(tmp_path: Path) -> None:
    one, other = Script(pid=1), Script(pid=2)
    one.evaluate()
    one.risk(1, "exposure", 0.4, 0.3)
    other.order(other.evaluate())
    paths = [one.write(tmp_path / "a.jsonl"), other.write(tmp_path / "b.jsonl")]
    assert funnel(report_on(paths))["risk"] == (2, 1)


def test_one_process_may_write_several_files(tmp_path: Path) -> None:
    first, second = Script(), Script()
    first.evaluate()
    first.risk(1, "exposure", 0.4, 0.3)
    second.candle += 60
    second.order(1)
    paths = [second.write(tmp_path / "a.jsonl"), first.write(tmp_path / "b.jsonl")]
    assert funnel(report_on(paths))["risk"] == (1, 1)


def test_filters_that_no_scan_counts_are_what_was_scanned(tmp_path: Path) -> None:
    script = Script()
    for _ in range(2):
        script.candle += 60
        for symbol, volume, gap in (("BTC", 5, 1), ("ETH", 1, 1), ("SOL", 1, 9)):
            script.filter(symbol, "volume", volume, 3, candle=script.candle)
            script.filter(symbol, "gap", gap, 2, "<=", candle=script.candle)
    report = written(script, tmp_path)
    assert funnel(report)["scanned"] == (6, 6)
    assert funnel(report)["filtered"] == (6, 2)
    alone = {row.name: row.blocked_alone for row in report.thresholds}
    assert alone == {"volume": 2, "gap": 0}  # SOL failed both


def test_without_a_candle_a_filter_that_is_asked_again_begins_another_scan(tmp_path: Path) -> None:
    script = Script()
    for volume in (5, 1, 5):
        script.filter("BTC", "volume", volume, 3)
        script.filter("BTC", "gap", 1, 2, "<=")
    assert funnel(written(script, tmp_path))["filtered"] == (3, 2)


def test_filters_of_a_scan_are_told_by_the_scan(tmp_path: Path) -> None:
    script = Script()
    for symbol, volume in (("BTC", 5), ("ETH", 1)):
        script.filter(symbol, "volume", volume, 3, decision=1)
    script.scan(2, 1)
    report = written(script, tmp_path)
    assert funnel(report)["scanned"] == (2, 2)
    assert funnel(report)["filtered"] == (2, 1)
    assert report.thresholds[0].blocked_alone == 1


def test_a_scan_that_does_not_say_is_told_by_its_filters(tmp_path: Path) -> None:
    script = Script()
    for symbol, volume in (("BTC", 5), ("ETH", 1), ("SOL", 1)):
        script.filter(symbol, "volume", volume, 3, decision=1)
    script.add("scanner", "scan", decision=1, passed=True, payload={"symbols": 4, "filtered": {"gap": 1}})
    assert funnel(written(script, tmp_path))["filtered"] == (4, 1)


def test_a_scan_that_raised_passed_only_what_it_decided(tmp_path: Path) -> None:
    script = Script()
    script.add(
        "scanner", "scan", decision=1, passed=False, reason="error:KeyError",
        payload={"symbols": 10, "candidates": 2, "filtered": {"gap": 3}},
    )  # fmt: skip
    report = written(script, tmp_path)
    assert funnel(report)["scanned"] == (10, 5)
    assert funnel(report)["filtered"] == (5, 2)


def test_conditions_that_no_signal_follows_are_an_evaluation(tmp_path: Path) -> None:
    script = Script()
    for value in (1, 3):
        for name in ("a", "b"):
            passed = value > 2 or name == "a"
            script.add(
                "strategy", "condition", strategy="s", symbol="BTC", name=name, value=value, threshold=2,
                comparison=">", passed=passed, reason=None if passed else f"signal:s:{name}",
            )  # fmt: skip
    report = written(script, tmp_path)
    assert funnel(report)["conditions"] == (2, 1)
    assert funnel(report)["signals"] == (1, 0)
    assert {row.name: row.blocked_alone for row in report.thresholds} == {"a": 0, "b": 1}


def test_stages_of_the_application_are_reasons_only(tmp_path: Path) -> None:
    script = Script()
    script.add("router", "routing", passed=False, reason="no_venue", payload={"anything": [1, {"x": None}]})
    report = written(script, tmp_path)
    assert reasons(report) == {"no_venue": 1}
    assert all(counts == (0, 0) for counts in funnel(report).values())
    assert report.reasons[0].share == 1.0


def test_filters_of_an_own_stage_count_as_filters(tmp_path: Path) -> None:
    script = Script()
    script.add(
        "scanner", "liquidity", symbol="BTC", name="depth", value=1, threshold=2, comparison=">=", passed=False,
        reason="filter:depth",
    )  # fmt: skip
    report = written(script, tmp_path)
    assert funnel(report)["filtered"] == (1, 0)
    assert (report.thresholds[0].stage, report.thresholds[0].failed) == ("liquidity", 1)


def test_reasons_are_ranked_with_strategy_and_time(tmp_path: Path) -> None:
    script = Script()
    for strategy, times in (("momentum", 1), ("retest", 3)):
        for _ in range(times):
            script.next()
            script.add(
                "risk", "risk", passed=False, reason="rejected:limit", strategy=strategy, candle=script.candle
            )
    script.add("x", "y", passed=False, reason="rare", candle=script.candle)
    report = written(script, tmp_path)
    first = report.reasons[0]
    assert (first.reason, first.count, first.share) == ("rejected:limit", 4, 0.8)
    assert list(first.strategies.items()) == [("retest", 3), ("momentum", 1)]
    assert (first.last_seen, first.last_seen_utc) == (script.candle, "2025-10-09T09:04:00Z")

"""Silences: how long, whose, and what failed in them; and what changed since before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.journal_script import BEGAN, Script, report_on
from ticktrace.reports import silence

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.reports.model import Report, Silence


def silence_of(report: Report, strategy: str | None, symbol: str | None) -> Silence:
    [row] = [row for row in report.silence if (row.strategy, row.symbol) == (strategy, symbol)]
    return row


def test_the_current_and_the_longest_silence_with_what_failed(tmp_path: Path) -> None:
    script = Script()
    for minute in range(1, 61):
        script.next()
        signals = minute in (11, 14)
        script.evaluate(
            ("atr_range", 2.0 if signals else 0.4, 1.0), ("body", 1.0 if minute % 5 else 0.3, 0.5)
        )
    report = report_on(script.write(tmp_path / "a.jsonl"))
    [row] = report.silence
    assert (row.strategy, row.symbol, row.signals, row.last_signal) == ("momentum", "BTC", 2, BEGAN + 14 * 60)
    assert (row.current.span.start, row.current.span.end) == (BEGAN + 14 * 60, BEGAN + 60 * 60)
    assert (row.current.evaluations, row.longest.span) == (46, row.current.span)
    causes = row.current.causes
    assert [(cause.name, cause.asked, cause.failed) for cause in causes] == [
        ("atr_range", 46, 46),
        ("body", 46, 10),
    ]
    assert [cause.median_ratio for cause in causes] == pytest.approx([0.4, 0.6], rel=1e-3)
    assert row.text == (
        "no signal of momentum on BTC for 46 min: atr_range failed 100 %, median 0.4 of the threshold; "
        "body failed 21.7 %, median 0.6 of the threshold"
    )


def test_a_silence_that_is_over_may_be_the_longest(tmp_path: Path) -> None:
    script = Script()
    for minute in range(1, 41):
        script.next()
        script.evaluate(("body", 1.0 if minute in (2, 30, 35) else 0.25, 0.5))
    [row] = report_on(script.write(tmp_path / "a.jsonl")).silence
    assert row.longest.span.seconds == 28 * 60
    assert (row.longest.evaluations, row.longest.causes[0].failed, row.longest.causes[0].asked) == (
        28,
        27,
        28,
    )
    assert (row.current.span.seconds, row.current.evaluations) == (5 * 60, 5)


def test_filters_belong_to_the_only_strategy_s_silence(tmp_path: Path) -> None:
    script = Script()
    for _ in range(10):
        script.next()
        script.filter("BTC", "volume", 1.0, 4.0, candle=script.candle)
    script.evaluate(("body", 0.2, 0.5))
    row = silence_of(report_on(script.write(tmp_path / "a.jsonl")), "momentum", "BTC")
    assert [cause.name for cause in row.current.causes] == [
        "body"
    ]  # the strategy's began later than the filter's
    script.next(minutes=100)
    script.filter("BTC", "volume", 1.0, 4.0, candle=script.candle)
    row = silence_of(report_on(script.write(tmp_path / "a.jsonl")), "momentum", "BTC")
    assert [cause.name for cause in row.current.causes] == ["body", "volume"]


def test_with_several_strategies_and_symbols_wider_silences_come_first(tmp_path: Path) -> None:
    script = Script()
    for minute in range(1, 21):
        script.next()
        for symbol in ("BTC", "ETH"):
            for strategy in ("momentum", "retest"):
                signals = (strategy, symbol, minute) in (("momentum", "BTC", 10), ("momentum", "ETH", 15))
                script.evaluate(("body", 1.0 if signals else 0.25, 0.5), strategy=strategy, symbol=symbol)
    report = report_on(script.write(tmp_path / "a.jsonl"))
    current = {(row.strategy, row.symbol): row.current.span.seconds / 60 for row in report.silence}
    assert current == {
        ("retest", None): 19, ("momentum", None): 5, (None, None): 5,
        ("retest", "BTC"): 19, ("retest", "ETH"): 19, ("momentum", "BTC"): 10, ("momentum", "ETH"): 5,
        (None, "BTC"): 10, (None, "ETH"): 5,
    }  # fmt: skip
    assert [row.symbol for row in report.silence[:3]] == [None] * 3
    assert silence_of(report, None, None).signals == 2


def test_a_second_run_over_the_same_candles_begins_anew(tmp_path: Path) -> None:
    paths = []
    for pid in (1, 2):
        script = Script(pid=pid, lag=1e6 * pid)
        for minute in range(1, 31):
            script.next()
            script.evaluate(("body", 1.0 if minute == 20 else 0.25, 0.5))
        paths.append(script.write(tmp_path / f"{pid}.jsonl"))
    [row] = report_on(paths).silence
    assert (row.signals, row.current.span.seconds, row.longest.span.seconds) == (2, 600, 19 * 60)


def test_time_that_goes_back_within_a_process_is_another_run(tmp_path: Path) -> None:
    script = Script()
    for _ in range(2):
        script.candle = BEGAN
        for _ in range(30):
            script.next()
            script.evaluate(("body", 0.25, 0.5))
    [row] = report_on(script.write(tmp_path / "a.jsonl")).silence
    assert (row.longest.span.seconds, row.current.evaluations) == (29 * 60, 30)


def test_long_silences_keep_few_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "_PENDING", 10)
    monkeypatch.setattr("ticktrace.reports.tally._SETTLE_EVERY", 1)
    script = Script()
    for number in range(300):
        script.evaluate(("body", 0.2 + number / 1e4, 1.0))
    [row] = report_on(script.write(tmp_path / "a.jsonl")).silence
    assert row.current.causes[0].median_ratio == pytest.approx(0.2 + 149.5 / 1e4, rel=2e-3)


def test_symbols_that_are_too_many_are_counted_but_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "MOST_CELLS", 20)
    script = Script()
    for number in range(100):
        script.evaluate(("body", 0.2, 1.0), symbol=f"S{number}")
    report = report_on(script.write(tmp_path / "a.jsonl"))
    [row] = report.thresholds
    assert (row.n, row.blocked_alone) == (100, 100)
    assert len(report.silence) <= 25
    assert any("missing from silences" in note for note in report.notes)


def test_the_newer_half_is_compared_with_the_older(tmp_path: Path) -> None:
    script = Script()
    for minute in range(1, 121):
        script.next()
        script.evaluate(("body", 1.0 if minute > 60 and minute % 2 else 0.25, 0.5))
    changes = report_on(script.write(tmp_path / "a.jsonl")).changes
    assert changes is not None
    assert changes.basis == "halves"
    assert changes.before.seconds == changes.now.seconds
    signals = next(row for row in changes.funnel if row.stage == "conditions")
    assert (signals.entered_before, signals.entered_now) == (60, 60)
    assert (signals.share_before, signals.share_now) == (0.0, 0.5)
    assert [(row.reason, row.before, row.now) for row in changes.reasons] == [
        ("signal:momentum:body", 60, 30)
    ]


def test_since_is_compared_with_as_long_before(tmp_path: Path) -> None:
    script = Script()
    for minute in range(1, 101):
        script.next()
        script.evaluate(("body", 0.25 if minute <= 70 else 1.0, 0.5))
    report = report_on(script.write(tmp_path / "a.jsonl"), back=1_200.0)
    since = BEGAN + 80 * 60
    assert report.period.since == since
    changes = report.changes
    assert changes is not None
    assert (changes.basis, changes.before.seconds, changes.now.seconds) == ("previous", 1_200, 1_200)
    assert (changes.before.start, changes.before.end) == (BEGAN + 60 * 60, since)
    step = next(row for row in changes.funnel if row.stage == "conditions")
    assert (step.entered_before, step.share_before, step.entered_now, step.share_now) == (20, 0.45, 21, 1.0)
    assert {stage.stage: stage.entered for stage in report.funnel}["conditions"] == 21
    [row] = report.thresholds
    assert (row.n, row.passed) == (21, 21)
    assert report.reasons == []


def test_one_moment_has_nothing_to_compare_with(tmp_path: Path) -> None:
    script = Script()
    script.evaluate(("body", 0.2, 0.5))
    assert report_on(script.write(tmp_path / "a.jsonl")).changes is None


@pytest.mark.parametrize("count", [2_000, 40_000])
def test_the_timeline_has_few_slices_and_loses_nothing(tmp_path: Path, count: int) -> None:
    script = Script(session=False)
    for number in range(count // 10):
        script.next(minutes=1 + number % 7 * 10)
    report = report_on(script.write(tmp_path / "a.jsonl"))
    assert len(report.timeline) <= 420
    assert sum(one.candles for one in report.timeline) == count // 10
    assert all(one.start % report.slice_seconds == 0 for one in report.timeline)

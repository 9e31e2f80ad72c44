"""Damaged journals: everything that can be read counts, the rest is located."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.journal_script import Script, report_on
from ticktrace.reports import conditions, process, reasons

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.reports.model import Report

GOOD = b'{"ts":1760000400000000000,"component":"x","stage":"y","passed":false,"reason":"no"}'


def report_of(path: Path, *lines: bytes, end: bytes = b"\n") -> Report:
    file = path / "diag.jsonl"
    file.write_bytes(b"\n".join(lines) + end)
    return report_on(file)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"ts":1760000400000000000,"component":"x","stage":"y","pas', "cut off"),
        (b"garbage", "JSON is malformed: invalid character (byte 0)"),
        (b"\0\0\0\0\0\0", "nothing but NUL bytes"),
        (b'{"ts":1,"component":"x\xff","stage":"y"}', "invalid UTF-8: invalid start byte at byte 22"),
        (b'{"ts":1,"component":"x","stage":"y","z":"\xff"}', "invalid UTF-8: invalid start byte at byte 41"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"ts":"now","component":"x","stage":"y"}', "Expected `int`, got `str` - at `$.ts`"),
        (b'{"ts":1,"component":"x"}', "Object missing required field `stage`"),
        (b'{"ts":1,"component":"x","stage":"y","value":{}}', "Expected `bool | int | float | str | null`, got `object` - at `$.value`"),
        (b'{"ts":1,"component":"x","stage":"y","z":' + b"[" * 99_999 + b"]" * 99_999 + b"}", "nested too deeply"),
        (b'{"ts":-5,"component":"x","stage":"y"}', "ts -5 is no Unix time in nanoseconds"),
        (b'{"ts":' + b"9" * 400 + b',"component":"x","stage":"y","candle":5}', f"ts {'9' * 400} is no Unix time in nanoseconds"),
        (b'{"ts":1,"component":"x","stage":"y","candle":1760000400000}', "candle 1760000400000.0 is no Unix time in seconds"),
        (b'{"ts":1,"component":"x","stage":"scan","payload":{"symbols":"many"}}', "payload: Expected `int | null`, got `str` - at `$.symbols`"),
        (b'{"ts":1,"component":"x","stage":"condition","name":"' + b"n" * 2_000 + b'","passed":true}', "a name of more than 1,000 characters"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_located(tmp_path: Path, line: bytes, error: str) -> None:
    report = report_of(tmp_path, GOOD, line, GOOD)
    [found] = report.malformed.first
    assert (found.line, found.byte, found.error) == (2, len(GOOD) + 1, error)
    assert found.file.endswith("diag.jsonl")
    assert (report.malformed.count, report.lines, report.reasons[0].count) == (1, 3, 2)


def test_a_last_line_that_is_cut_off(tmp_path: Path) -> None:
    report = report_of(tmp_path, GOOD, GOOD[:-20], end=b"")
    assert (report.malformed.first[0].line, report.malformed.first[0].error) == (2, "cut off")


def test_two_lines_that_ran_into_one_another_are_one_malformed_line(tmp_path: Path) -> None:
    report = report_of(tmp_path, GOOD + GOOD, GOOD)
    assert (report.malformed.count, report.malformed.first[0].line, report.reasons[0].count) == (1, 1, 1)


def test_empty_lines_are_nothing(tmp_path: Path) -> None:
    report = report_of(tmp_path, b"", GOOD, b"  ", GOOD + b"\r", b"")
    assert (report.malformed.count, report.reasons[0].count) == (0, 2)


def test_an_empty_file_is_an_empty_report(tmp_path: Path) -> None:
    report = report_of(tmp_path, end=b"")
    assert (report.files, report.lines, report.counted, report.period.span) == (1, 0, 0, None)


def test_only_the_first_twenty_are_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, *[b"x"] * 50, GOOD)
    assert (report.malformed.count, [one.line for one in report.malformed.first]) == (50, list(range(1, 21)))


def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    script = Script()
    for _ in range(3_000):
        script.next()
    file = tmp_path / "diag.jsonl.gz"
    file.write_bytes(gzip.compress(script.encoded())[:-3_000])
    report = report_on(file)
    candles = report.funnel[0].entered
    assert 500 < candles < 3_000
    # The line in which it ends is cut off as well, unless it ended with it.
    assert report.malformed.first[-1].error == "cut off in the middle of gzip data"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5_000), st.binary(max_size=20)), max_size=6))
def test_whatever_is_damaged_the_rest_is_reported(tmp_path: Path, damage: list[tuple[int, bytes]]) -> None:
    script = Script()
    for _ in range(10):
        script.next()
        script.order(script.evaluate(("body", 0.6, 0.5)))
    data = bytearray(script.encoded())
    for place, garbage in damage:
        data[place : place + len(garbage)] = garbage
    file = tmp_path / "diag.jsonl"
    file.write_bytes(bytes(data))
    report = report_on(file, back=60.0)
    assert report.lines >= 1


def test_fields_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    report = report_of(tmp_path, GOOD[:-1] + b',"mood":{"good":[1,2]}}')
    assert (report.malformed.count, report.counted) == (0, 1)


def test_a_file_of_a_newer_schema_is_read_and_named(tmp_path: Path) -> None:
    script = Script(schema=2)
    script.next()
    report = report_on(script.write(tmp_path / "diag.jsonl"))
    assert report.funnel[0].entered == 1
    assert "was written by a newer ticktrace (schema 2, this one reads 1)" in report.notes[0]


def test_reasons_without_end_are_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasons, "_MOST", 10)
    script = Script()
    for number in range(100):
        script.add("x", "y", passed=False, reason=f"order {number}")
    report = report_on(script.write(tmp_path / "a.jsonl"))
    assert len(report.reasons) == 11
    assert (report.reasons[0].reason, report.reasons[0].count) == ("other", 90)
    assert "90 reasons had no place: they count as other" in report.notes


def test_conditions_without_end_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "MOST_CONDITIONS", 10)
    script = Script()
    for number in range(100):
        script.evaluate((f"c{number}", 1, 2))
    report = report_on(script.write(tmp_path / "a.jsonl"))
    assert len(report.thresholds) == 10
    assert report.funnel[3].entered == 100
    assert "90 evaluations of conditions that were too many are missing from thresholds" in report.notes


def test_decisions_without_end_are_forgotten_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_PARKED", 5)
    monkeypatch.setattr(process, "MOST_FATES", 5)
    script = Script()
    for decision in range(100):
        script.add(
            "strategy", "condition", strategy="s", name="a", value=1, threshold=2, comparison=">", passed=False,
            decision=decision,
        )  # fmt: skip
    for _ in range(100):
        script.decision += 100
        script.reject(script.evaluate(), "limit")
    report = report_on(script.write(tmp_path / "a.jsonl"))
    assert (report.funnel[5].entered, report.funnel[5].passed) == (100, 0)
    assert any("decisions and symbols of scans did not fit" in note for note in report.notes)


def test_what_a_scan_left_out_is_said(tmp_path: Path) -> None:
    script = Script()
    script.add("scanner", "scan", passed=True, payload={"symbols": 9, "candidates": 9, "left_out": 7})
    notes = report_on(script.write(tmp_path / "a.jsonl")).notes
    assert notes == ["7 checks of filters have no line: the journal takes only so many of a scan"]

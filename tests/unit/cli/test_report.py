"""`ticktrace report` and `ticktrace explain` as commands."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from typer.testing import CliRunner

from support.journal_script import BEGAN, Script
from support.programs import environment
from ticktrace.cli import app
from ticktrace.diagnostics import Line
from ticktrace.reports.model import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def run(*arguments: object, stdin: bytes | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def script_of(count: int) -> Script:
    script = Script()
    for minute in range(1, count + 1):
        script.next()
        failing = 0.46 if minute % 8 < 4 else 0.495
        script.evaluate(("body", failing if minute % 4 else 0.6, 0.5))
    return script


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return script_of(60).write(tmp_path / "diag_bot_BTC_1760000400.jsonl")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_text_is_the_default(journal: Path) -> None:
    code, text, error = run("report", journal)
    assert (code, error) == (0, "")
    assert "Most are lost at conditions: 45 of 60." in text
    assert "signal:momentum:body" in text


def test_json_has_the_documented_fields(journal: Path) -> None:
    code, text, _ = run("report", journal, "--format", "json")
    report = json.loads(text)
    assert code == 0
    assert list(report) == [
        "schema", "period", "files", "lines", "counted", "funnel", "reasons", "near_misses", "thresholds", "silence",
        "changes", "timeline", "slice_seconds", "malformed", "notes",
    ]  # fmt: skip
    assert report["funnel"][3] == {
        "stage": "conditions",
        "entered": 60,
        "passed": 15,
        "lost": 45,
        "share": 0.25,
    }
    [near] = report["near_misses"]
    assert (near["n"], near["median_value"], near["threshold"]) == (45, 0.46, 0.5)
    suggestion = near["suggestion"]
    assert (suggestion["threshold"], suggestion["additional"], suggestion["withheld"]) == (0.48, 21, None)
    [threshold] = report["thresholds"]
    assert threshold["curve"] == [
        {"threshold": 0.495, "additional": 21},
        {"threshold": 0.46, "additional": 45},
    ]
    assert report["malformed"] == {"count": 0, "first": []}
    assert report["schema"] == 1


@pytest.mark.parametrize(
    ("format_", "begins"), [("markdown", "# Why"), ("html", "<!doctype"), ("text", "Why"), ("json", "{")]
)
def test_every_format_goes_into_a_file(journal: Path, tmp_path: Path, format_: str, begins: str) -> None:
    into = tmp_path / "out"
    assert run("report", journal, "--format", format_, "--output", into) == (0, "", "")
    assert into.read_text(encoding="utf-8").startswith(begins)
    assert sorted(tmp_path.iterdir()) == sorted([journal, into])


def test_packed_journals_directories_patterns_and_standard_input_say_the_same(
    journal: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    packed = other / "diag.jsonl.gz"
    packed.write_bytes(gzip.compress(journal.read_bytes()))
    expected = run("report", journal)[1]
    for path in (packed, other, f"{other}/*.gz", journal):
        assert run("report", path)[1] == expected
    assert run("report", "-", stdin=journal.read_bytes())[1] == expected


def test_the_settings_say_where_journals_are(directory: Path) -> None:
    (directory / "logs" / "diag").mkdir(parents=True)
    script_of(3).write(directory / "logs" / "diag" / "a.jsonl")
    assert "9 lines of 10, from 1 file." in run("report")[1]
    (directory / "ticktrace.yaml").write_text("diagnostics: {journal: {directory: elsewhere}}")
    code, _, error = run("report")
    assert code == 1
    assert error.startswith("no journal in elsewhere: *.jsonl and *.jsonl.gz are written there while")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone.jsonl",), "no such file or directory: gone.jsonl"),
        (("gone/*.jsonl",), "nothing matches gone/*.jsonl"),
        ((".",), "no journal in .: "),
        (
            (".", "--since", "yesterday"),
            "--since: 'yesterday' is neither a duration (6h, 2d, 1d12h) nor a time",
        ),
        ((".", "--until", "6h"), "--until: '6h' is no time"),
        ((".", "--since", "2025-10-09", "--until", "2025-10-08"), "--until has to be later than --since"),
        ((".", "--since", "6h", "--since-trade"), "--since and --since-trade exclude each other"),
        (("-", "--follow"), "--follow needs files, not standard input"),
    ],
)
def test_misuse_is_said_with_2(directory: Path, arguments: tuple[str, ...], message: str) -> None:
    code, text, error = run("report", *arguments)
    assert (code, text) == (2, "")
    assert error.startswith(message)


def test_options_narrow_the_report(journal: Path) -> None:
    def conditions(*options: str) -> int:
        report = msgspec.json.decode(run("report", journal, "--format", "json", *options)[1], type=Report)
        return report.funnel[3].entered

    assert conditions("--since", "10m") == 11
    assert conditions("--since", "2025-10-09T09:31", "--until", "2025-10-09T09:41Z") == 10
    assert conditions("--symbol", "ETH") == 0
    assert conditions("--symbol", "ETH", "--symbol", "BTC") == 60
    assert conditions("--strategy", "retest") == 0


def test_min_n_and_top(journal: Path) -> None:
    report = json.loads(run("report", journal, "--format", "json", "--min-n", "46")[1])
    assert report["near_misses"][0]["suggestion"]["withheld"] == "fewer than 46 near misses are no evidence"
    assert (
        "… and 1 more row" in run("report", journal, "--top", "1")[1]
        or "… and" not in run("report", journal)[1]
    )


def test_the_schema_of_lines(journal: Path) -> None:
    code, text, _ = run("report", "--schema")
    assert code == 0
    assert json.loads(text) == msgspec.json.schema(Line)


def test_malformed_lines_are_no_failure(journal: Path) -> None:
    with journal.open("ab") as more:
        more.write(b"garbage\n")
    code, text, _ = run("report", journal)
    assert code == 0
    assert "1 line could not be read and is not counted." in text


def test_explain_tells_a_candle(journal: Path) -> None:
    code, text, error = run("explain", "BTC", "09:03", journal)
    assert (code, error) == (0, "")
    assert "blocked by signal:momentum:body" in text
    for time_ in (str(BEGAN + 180), "2025-10-09T09:03", "2025-10-09T11:03+02:00"):
        assert run("explain", "BTC", time_, journal)[1] == text
    assert "2025-10-09T10:00:00Z" in run("explain", "BTC", "last", journal)[1]
    assert "2025-10-09T09:59:00Z" in run("explain", "BTC", "last-rejected", journal)[1]


def test_explain_as_json(journal: Path) -> None:
    told = json.loads(run("explain", "BTC", "09:03", journal, "--format", "json")[1])
    assert told["blocked_by"] == ["signal:momentum:body"]
    assert [line["stage"] for line in told["lines"]] == ["candle", "condition", "signal"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("BTC", "2024-01-01T00:00"),
            1,
            "no candle of BTC closed at or contains 2024-01-01T00:00:00Z; near it: ",
        ),
        (("DOGE", "last"), 1, "no line is about DOGE; symbols in these journals: BTC"),
        (("BTC", "soon"), 2, "'soon' is no time: 2026-11-21T14:05, "),
    ],
)
def test_explain_says_what_there_is_instead(
    journal: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found = run("explain", *arguments, journal)
    assert found[:2] == (code, "")
    assert found[2].startswith(message)


# As real processes.


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ticktrace", *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_writes_the_same_as_a_process(journal: Path) -> None:
    with start("report", journal) as process:
        out, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (0, "")
    assert out == run("report", journal)[1]


def test_who_reads_no_further_meets_no_traceback(journal: Path) -> None:
    with start("report", journal, "--format", "html") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(50) in (0, 1)


@pytest.fixture
def following(
    journal: Path, tmp_path: Path, interruptible: None
) -> Iterator[tuple[subprocess.Popen[str], Callable[[int], None]]]:
    """A process that follows into a file, and what waits until that file tells so many evaluations."""
    into = tmp_path / "report.json"

    def wait_for(evaluations: int) -> None:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            if into.exists() and json.loads(into.read_bytes())["funnel"][3]["entered"] == evaluations:
                return
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        pytest.fail(f"never saw {evaluations} evaluations")

    with start("report", journal.parent, "--follow", "--format", "json", "--output", into) as process:
        try:
            yield process, wait_for
        finally:
            process.kill()


def test_follow_shows_what_comes_and_ends_on_ctrl_c(
    journal: Path, following: tuple[subprocess.Popen[str], Callable[[int], None]]
) -> None:
    process, wait_for = following
    wait_for(60)
    with journal.open("ab") as more:
        more.write(script_of(5).encoded())
    wait_for(65)
    (journal.parent / "second.jsonl").write_bytes(script_of(10).encoded())
    wait_for(75)
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""

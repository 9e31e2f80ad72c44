"""The benchmarks run and say what they are about; how fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench.interleaved import Contestant, Pace, Threads, calling, compare, compare_cold
from bench.rivals import versions
from bench.table import as_markdown, as_text, write_between_markers
from bench.targets import TARGETS, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
ONCE = Pace(rounds=1, turn=0.0001, cold_rounds=3, quick=True)


def run(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """`python -m bench`, as short as it gets: the figures, and what it printed."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--quick", "--rounds", "1", "--json", str(figures), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    return written, done.stdout


@pytest.mark.timeout(180)
def test_quick_rows_have_their_names_and_figures(tmp_path: Path) -> None:
    figures, printed = run(tmp_path, "--only", "metrics,spans,candles")

    assert figures.keys() == {"machine", "rows"}
    assert figures["machine"].keys() >= {"python", "cores", "architecture", *versions()}
    rows = {row["name"]: row for row in figures["rows"]}
    assert len(rows) == len(figures["rows"])
    assert rows.keys() >= {
        "histogram.record.bound",
        "counter.add.bound",
        "histogram.record",
        "candle.dropped.hot",
        "candle.dropped.cold",
        "candle.kept",
        "span.current",
    }
    for name, row in rows.items():
        assert row["ours_ns"] > 0
        assert row["ratio"]
        assert all(isinstance(ratio, float) and ratio > 0 for ratio in row["ratio"].values())
        assert ("met" in row) == (name in TARGETS)
        assert name in printed
    assert rows["candle.dropped.hot"]["ratio"].keys() >= {"sdk", "prometheus_client"}


def test_an_unknown_group_is_refused_with_those_that_are_known() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "candels"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "candels" in done.stderr
    assert "candles" in done.stderr


def test_every_call_of_every_contestant_is_counted() -> None:
    calls = {"ours": 0, "theirs": 0, "rest": 0}

    def count(key: str) -> None:
        calls[key] += 1

    row = compare(
        "row",
        calling(lambda: count("ours"), rest=lambda: count("rest"), most=3),
        {"theirs": Contestant("count('theirs')", {"count": count}, most=5)},
        ONCE,
    )

    assert calls["ours"] >= calls["rest"] > 1
    assert calls["theirs"] > 1
    assert row["total_ns"] > row["caller_ns"]
    assert row["ratio"].keys() == row["theirs_ns"].keys() == {"theirs"}


def test_threads_are_charged_to_whoever_started_them() -> None:
    before = Threads()
    worked, stop = threading.Event(), threading.Event()

    def work() -> None:
        sum(range(10_000))
        worked.set()
        stop.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        worked.wait()
        assert before() > 0
        assert Threads()() == 0.0
    finally:
        stop.set()
        thread.join()


def test_what_runs_elsewhere_is_in_the_total_and_not_in_the_callers_cost() -> None:
    ours = calling(lambda: None, elsewhere=iter(range(1000)).__next__, most=1)  # a second each time

    row = compare("row", ours, {}, ONCE, total=True)

    # A turn is one call that does not count and one that does: it is charged with half of what both caused.
    assert row["ours_ns"] == row["total_ns"] == pytest.approx(0.5e9, rel=0.1)
    assert row["caller_ns"] < 0.1e9


def test_cold_calls_are_single_calls() -> None:
    calls: list[str] = []
    row = compare_cold("row", calling(lambda: calls.append("ours"), most=1), {}, ONCE, sleep=0.0)

    assert row["name"] == "row"
    assert len(calls) == 1 + ONCE.cold_rounds


@pytest.mark.parametrize(
    ("ratio", "ours", "met"),
    [
        ({"sdk": 1 / 51, "prometheus_client": 1 / 6}, 90.0, True),
        ({"sdk": 1 / 51, "prometheus_client": 1 / 4}, 90.0, False),
        ({"sdk": 1 / 49}, 90.0, False),
        ({"ddtrace": 1.0}, 90.0, None),
    ],
)
def test_a_target_is_met_when_nobody_named_in_it_is_missed(
    ratio: dict[str, float], ours: float, met: object
) -> None:
    row = judged({"name": "histogram.record.bound", "ours_ns": ours, "ratio": ratio})

    assert row["met"] is met
    assert row["at_most"] == {"sdk": 1 / 50, "prometheus_client": 1 / 5}


@pytest.mark.parametrize(("lateness", "met"), [(0.9e6, True), (1.1e6, False)])
def test_a_target_may_be_absolute(lateness: float, met: object) -> None:
    row = judged({"name": "wakeup.p99", "ours_ns": lateness, "ratio": {"sdk": 0.1}})

    assert row["met"] is met


ROWS: Sequence[dict[str, Any]] = (
    {"name": "counter.add.bound", "ours_ns": 48.0, "ratio": {"sdk": 1 / 143, "off": 1.5}, "met": True},
    {"name": "memory.series", "ours_ns": 4180.0, "unit": "B", "ratio": {"sdk": 2.0}, "note": "each"},
)


def test_the_tables_show_ours_ratios_and_whether_the_target_is_met() -> None:
    text = as_text(ROWS).splitlines()
    markdown = as_markdown(ROWS, "make bench")

    assert [word for word in text[1].split("  ") if word][:3] == ["counter.add.bound", "48 ns", "1/143.0"]
    assert text[1].endswith("yes")
    assert "| `memory.series` | 4,180 B | 2.00 |" in markdown
    assert "- `memory.series`: each" in markdown
    assert markdown.startswith("`make bench`, on python ")


def test_the_page_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    page = tmp_path / "cost.md"
    page.write_text(
        "before\n<!-- make bench: begin -->old<!-- make bench: end -->\nafter\n", encoding="utf-8"
    )

    write_between_markers(page, "new")
    write_between_markers(page, "newer")

    assert page.read_text(encoding="utf-8") == (
        "before\n<!-- make bench: begin -->\n\nnewer\n\n<!-- make bench: end -->\nafter\n"
    )


def test_a_page_without_a_place_for_the_table_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "cost.md"
    page.write_text("nothing here", encoding="utf-8")

    with pytest.raises(ValueError, match="no place for the table"):
        write_between_markers(page, "new")
    assert page.read_text(encoding="utf-8") == "nothing here"


def test_the_page_on_cost_has_a_place_for_the_table() -> None:
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")

    assert page.count("<!-- make bench: begin -->") == page.count("<!-- make bench: end -->") == 1

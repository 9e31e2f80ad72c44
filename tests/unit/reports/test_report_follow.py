"""Journals that grow, are cut, renamed, removed and packed while they are followed."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from support.journal_script import Script
from ticktrace.reports.build import build
from ticktrace.reports.follow import Follower
from ticktrace.reports.journal import Question
from ticktrace.reports.tally import Scope, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Followed:
    """A directory that is followed."""

    def __init__(self, directory: Path) -> None:
        self.tally = Tally(Scope())
        self.follower = Follower([str(directory)], self.tally)

    def candles(self) -> int:
        self.follower.poll()
        return build(self.tally, Question(), self.follower.files).funnel[0].entered


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    followed = Followed(tmp_path)
    yield followed
    followed.follower.close()


def candle_lines(count: int) -> bytes:
    script = Script(session=False)
    for _ in range(count):
        script.next()
    return script.encoded()


def test_lines_are_counted_as_they_come(tmp_path: Path, followed: Followed) -> None:
    file = tmp_path / "a.jsonl"
    assert followed.candles() == 0
    file.write_bytes(candle_lines(3))
    assert followed.candles() == 3
    assert not followed.follower.poll()
    with file.open("ab") as more:
        more.write(candle_lines(2))
    assert followed.candles() == 5
    (tmp_path / "b.jsonl").write_bytes(candle_lines(10))
    assert followed.candles() == 15
    assert followed.follower.files == 2


def test_half_a_line_waits_for_the_other_half(tmp_path: Path, followed: Followed) -> None:
    line = candle_lines(1)
    for cut in (0, 10, len(line) - 1):
        (tmp_path / "a.jsonl").write_bytes(candle_lines(2) + line[:cut])
        assert followed.candles() == 2
    (tmp_path / "a.jsonl").write_bytes(candle_lines(2) + line)
    assert followed.candles() == 3
    assert followed.tally.malformed.count == 0


def test_a_file_whose_first_line_is_being_written_waits(tmp_path: Path, followed: Followed) -> None:
    data = Script().encoded() + candle_lines(1)
    (tmp_path / "a.jsonl").write_bytes(data[:30])
    assert followed.candles() == 0
    (tmp_path / "a.jsonl").write_bytes(data)
    assert followed.candles() == 1
    assert list(followed.tally.processes) == ["bot s 1 2025-10-09T08:59:59+00:00"]


def test_half_a_line_that_stays_half_is_malformed_in_the_end(tmp_path: Path, followed: Followed) -> None:
    (tmp_path / "a.jsonl").write_bytes(candle_lines(2)[:-5])
    assert followed.candles() == 1
    followed.follower.close()
    assert [error for *_, error in followed.tally.malformed.first] == ["cut off"]


def test_a_file_that_was_cut_is_read_from_its_beginning(tmp_path: Path, followed: Followed) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(candle_lines(5))
    assert followed.candles() == 5
    with file.open("r+b") as same:
        same.truncate(0)
        same.write(candle_lines(2))
    assert followed.candles() == 7


def test_a_renamed_file_is_read_to_its_end_and_its_successor_begun(
    tmp_path: Path, followed: Followed
) -> None:
    file, old = tmp_path / "a.jsonl", tmp_path / "old.jsonl"
    file.write_bytes(candle_lines(5))
    assert followed.candles() == 5
    with file.open("ab") as writer:
        file.rename(old)
        writer.write(candle_lines(1))
    file.write_bytes(candle_lines(3))
    assert followed.candles() == 9
    assert followed.candles() == 9


def test_a_removed_file_is_forgotten_and_a_new_one_counts(tmp_path: Path, followed: Followed) -> None:
    file = tmp_path / "a.jsonl"
    for expected in (5, 10, 15):
        file.write_bytes(candle_lines(5))
        assert followed.candles() == expected
        file.unlink()
        followed.follower.poll()


def test_what_is_packed_afterwards_is_not_counted_again(tmp_path: Path, followed: Followed) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(candle_lines(5))
    assert followed.candles() == 5
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    assert followed.candles() == 5
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(candle_lines(2)))
    assert followed.candles() == 7
    assert followed.candles() == 7


def test_a_signal_that_waits_for_its_order_is_lost_only_until_then(
    tmp_path: Path, followed: Followed
) -> None:
    def risk() -> tuple[int, int, int]:
        followed.follower.poll()
        report = build(followed.tally, Question(), 1)
        [row] = [row for row in report.thresholds if row.name == "exposure"]
        return report.funnel[5].entered, report.funnel[5].passed, row.blocked_alone

    script = Script()
    decision = script.evaluate()
    script.risk(decision, "exposure", 0.4, 0.3)
    script.write(tmp_path / "a.jsonl")
    assert risk() == (1, 0, 1)
    assert risk() == (1, 0, 1)
    script.order(decision)
    script.write(tmp_path / "a.jsonl")
    assert risk() == (1, 1, 0)

"""Rotation, retention and compression, in one process; several of them are in tests/integration/test_journal_*.py."""

from __future__ import annotations

import fcntl
import gzip
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from support.journals import Batch, ManualClock, files, journal, line, lines, pass_over, read

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.diagnostics import Journal

DAY = 86_400


def old(path: Path, clock: ManualClock, age: float, text: bytes = b"{}\n") -> Path:
    path.write_bytes(text)
    written = clock.wall() - round(age * 1e9)
    os.utime(path, ns=(written, written))
    return path


def settle(found: Journal, clock: ManualClock) -> None:
    """Let as many passes go by as there is something to do."""
    clock.seconds += 60
    for _ in range(50):
        pass_over(found)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def made(directory: Path, clock: ManualClock, **options: Any) -> Journal:
    return journal(directory, clock=clock, wall=clock.wall, **options)


def test_a_file_that_is_large_enough_is_followed_by_another(tmp_path: Path, clock: ManualClock) -> None:
    found = made(tmp_path, clock, rotate_bytes=2_000)
    for number in range(500):
        found.take(line(number))
    assert found.close(5)
    assert sorted(lines(tmp_path)) == list(range(500))
    sizes = sorted(path.stat().st_size for path in tmp_path.iterdir())
    assert len(sizes) > 10
    assert all(2_000 <= size < 2_400 for size in sizes[1:])


def test_the_lines_of_an_entry_stay_together(tmp_path: Path, clock: ManualClock) -> None:
    found = made(tmp_path, clock, rotate_bytes=500)
    for number in range(0, 4_000, 400):
        found.take(Batch([line(number + part) for part in range(400)]))
    assert found.close(5)
    assert len(files(tmp_path)) == 10
    for name in files(tmp_path):
        numbers = [each["payload"]["n"] for each in read(tmp_path / name)[1:]]
        assert numbers == list(range(numbers[0], numbers[0] + 400))


def test_a_file_that_is_old_enough_is_closed_and_followed_by_another(
    tmp_path: Path, clock: ManualClock
) -> None:
    found = made(tmp_path, clock, rotate_after=DAY)
    found.take(line(1))
    pass_over(found)
    clock.seconds += DAY - 1
    found.take(line(2))
    pass_over(found)
    assert len(files(tmp_path)) == 1
    clock.seconds += 1
    pass_over(found)
    assert len(files(tmp_path)) == 1  # nothing to write yet
    found.take(line(3))
    pass_over(found)
    assert files(tmp_path) == ["diag_bot_none_1755640800.jsonl", "diag_bot_none_1755727200.jsonl"]
    assert lines(tmp_path) == [1, 2, 3]


def test_the_oldest_are_removed_when_there_are_too_many(tmp_path: Path, clock: ManualClock) -> None:
    for age in range(1, 9):
        old(tmp_path / f"diag_old_{age}.jsonl{'.gz' if age % 2 else ''}", clock, age)
    found = made(tmp_path, clock, keep_files=4)
    found.take(line(1))
    pass_over(found)
    settle(found, clock)
    assert files(tmp_path) == [
        "diag_bot_none_1755640800.jsonl",
        "diag_old_1.jsonl.gz",
        "diag_old_2.jsonl",
        "diag_old_3.jsonl.gz",
    ]


def test_what_has_been_written_long_ago_is_removed_however_little_it_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    old(tmp_path / "diag_a_1.jsonl", clock, 9 * DAY)
    old(tmp_path / "diag_b_1.jsonl.gz", clock, 11 * DAY)
    old(tmp_path / "diag_c_1.jsonl", clock, 11 * DAY)
    found = made(tmp_path, clock, keep_for=10 * DAY)
    settle(found, clock)
    assert files(tmp_path) == ["diag_a_1.jsonl"]
    clock.seconds += 2 * DAY
    settle(found, clock)
    assert files(tmp_path) == []


def test_the_oldest_are_removed_when_all_are_too_large(tmp_path: Path, clock: ManualClock) -> None:
    for age in range(1, 6):
        old(tmp_path / f"diag_old_{age}.jsonl", clock, age, b"x" * 1_000)
    found = made(tmp_path, clock, keep_bytes=3_500)
    settle(found, clock)
    assert files(tmp_path) == ["diag_old_1.jsonl", "diag_old_2.jsonl", "diag_old_3.jsonl"]


def test_nothing_else_is_touched(tmp_path: Path, clock: ManualClock) -> None:
    others = ["notes.txt", "diag.jsonl", "diag_.jsonl", "diag_x.json", "my_diag_x.jsonl", "diag_x.jsonl.bak"]
    for name in others:
        old(tmp_path / name, clock, 99 * DAY)
    (tmp_path / "diag_directory.jsonl").mkdir()
    target = old(tmp_path / "target", clock, 99 * DAY)
    (tmp_path / "diag_link.jsonl").symlink_to(target)
    os.mkfifo(tmp_path / "diag_pipe.jsonl")
    below = tmp_path / "below"
    below.mkdir()
    old(below / "diag_deep_1.jsonl", clock, 99 * DAY)
    old(tmp_path / "diag_old_1.jsonl", clock, 99 * DAY)
    before = files(tmp_path)
    found = made(tmp_path, clock, keep_files=1, keep_for=1, keep_bytes=1, compression="gzip")
    settle(found, clock)
    assert files(tmp_path) == [name for name in before if name != "diag_old_1.jsonl"]
    assert files(below) == ["diag_deep_1.jsonl"]
    assert target.read_bytes() == b"{}\n"


def test_what_somebody_writes_is_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    path = old(tmp_path / "diag_busy_1.jsonl", clock, 99 * DAY)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = made(tmp_path, clock, keep_files=1, keep_for=1, keep_bytes=1, compression="gzip")
        settle(found, clock)
        assert files(tmp_path) == ["diag_busy_1.jsonl"]
    settle(found, clock)
    assert files(tmp_path) == []


def test_the_own_file_is_never_removed(tmp_path: Path, clock: ManualClock) -> None:
    found = made(tmp_path, clock, keep_files=1, keep_for=1, keep_bytes=1, compression="gzip")
    found.take(line(1))
    pass_over(found)
    settle(found, clock)
    settle(found, clock)
    found.take(line(2))
    pass_over(found)
    assert lines(tmp_path) == [1, 2]


def test_complete_files_are_compressed_and_as_old_as_before(tmp_path: Path, clock: ManualClock) -> None:
    text = b"".join(b'{"n": %d, "x": "%s"}\n' % (n, os.urandom(40).hex().encode()) for n in range(3_000))
    path = old(tmp_path / "diag_old_1.jsonl", clock, 1_000, text)
    written = path.stat().st_mtime_ns
    found = made(tmp_path, clock, rotate_bytes=30_000, compression="gzip")
    for number in range(1_000):
        found.take(line(number))
    pass_over(found)
    assert found.path is not None
    current = found.path.name
    settle(found, clock)
    assert [name for name in files(tmp_path) if not name.endswith(".gz")] == [current]
    assert gzip.decompress((tmp_path / "diag_old_1.jsonl.gz").read_bytes()) == text
    assert (tmp_path / "diag_old_1.jsonl.gz").stat().st_mtime_ns == written
    for number in range(1_000, 2_000):
        found.take(line(number))
    assert found.close(5)
    assert all(name.endswith(".gz") for name in files(tmp_path))  # also the last
    (tmp_path / "diag_old_1.jsonl.gz").unlink()
    assert sorted(lines(tmp_path)) == list(range(2_000))
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o111 == 0


def test_compression_takes_little_of_each_pass(tmp_path: Path, clock: ManualClock) -> None:
    old(tmp_path / "diag_old_1.jsonl", clock, 1, os.urandom(8_000_000))
    found = made(tmp_path, clock, compression="gzip")
    pass_over(found)
    assert files(tmp_path) == ["diag_old_1.jsonl", "diag_old_1.jsonl.gz.part"]
    found.take(line(1))
    pass_over(found)
    assert found.written == 1  # lines go first
    assert found.close(0.02)  # and there is no time for the rest
    assert not (tmp_path / "diag_old_1.jsonl.gz.part").exists()
    assert (tmp_path / "diag_old_1.jsonl").stat().st_size == 8_000_000


def test_what_a_killed_process_left_is_taken_up(tmp_path: Path, clock: ManualClock) -> None:
    whole = b'{"n": 1}\n'
    old(tmp_path / "diag_half_1.jsonl", clock, 100, whole)
    old(tmp_path / "diag_half_1.jsonl.gz.part", clock, 50, gzip.compress(whole)[:9])
    old(tmp_path / "diag_both_1.jsonl", clock, 100, whole)
    old(tmp_path / "diag_both_1.jsonl.gz", clock, 100, gzip.compress(whole))
    old(tmp_path / "diag_orphan_1.jsonl.gz.part", clock, 50, b"")
    old(tmp_path / "diag_empty_1.jsonl", clock, 50, b"")
    found = made(tmp_path, clock, compression="gzip")
    settle(found, clock)
    assert files(tmp_path) == ["diag_both_1.jsonl.gz", "diag_half_1.jsonl.gz"]
    for name in files(tmp_path):
        assert gzip.decompress((tmp_path / name).read_bytes()) == whole


def test_leftovers_are_cleared_up_without_compression_too(tmp_path: Path, clock: ManualClock) -> None:
    old(tmp_path / "diag_half_1.jsonl", clock, 100)
    old(tmp_path / "diag_half_1.jsonl.gz.part", clock, 50)
    old(tmp_path / "diag_both_1.jsonl", clock, 100)
    old(tmp_path / "diag_both_1.jsonl.gz", clock, 100)
    settle(made(tmp_path, clock), clock)
    assert files(tmp_path) == ["diag_both_1.jsonl.gz", "diag_half_1.jsonl"]


def test_what_somebody_compresses_is_left_to_him(tmp_path: Path, clock: ManualClock) -> None:
    path = old(tmp_path / "diag_half_1.jsonl", clock, 100)
    old(tmp_path / "diag_half_1.jsonl.gz.part", clock, 50)
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        settle(made(tmp_path, clock, compression="gzip"), clock)
        assert files(tmp_path) == ["diag_half_1.jsonl", "diag_half_1.jsonl.gz.part"]


def test_many_files_are_looked_at_in_pieces(tmp_path: Path, clock: ManualClock) -> None:
    for number in range(500):
        old(tmp_path / f"diag_old_{number}.jsonl", clock, number)
    found = made(tmp_path, clock, keep_files=3)
    settle(found, clock)
    assert files(tmp_path) == ["diag_old_0.jsonl", "diag_old_1.jsonl", "diag_old_2.jsonl"]

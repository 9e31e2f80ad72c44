"""The journal on a disk that is really full: a small tmpfs, and a file that may not grow."""

from __future__ import annotations

import gzip
import logging
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.journals import Batch, ManualClock, files, journal, line, lines, pass_over, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; where none may be mounted the test is skipped, and under ``CI=true`` it fails."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(where)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        message = (
            "" if done.returncode == 0 else f"a tmpfs cannot be mounted: {done.stderr.strip()}; run as root"
        )
    except FileNotFoundError:
        message = "there is no mount; a tmpfs cannot be mounted"
    if message:
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(path: Path, leave: int) -> None:
    """Take all of a disk but so many bytes."""
    space = os.statvfs(path.parent)
    with path.open("wb") as file:
        file.write(b"x" * (space.f_bavail * space.f_bsize - leave))


def test_a_full_disk_is_told_once_and_counted_and_recovered_from(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    told: list[tuple[str, int]] = []
    found = journal(
        disk / "diag",
        clock=clock,
        wall=clock.wall,
        on_dropped=lambda reason, count: told.append((reason, count)),
        line_bytes=16_384,
    )
    fill(disk / "ballast", 64 * 1024)
    taken = 0

    def go_on(count: int, text: str) -> None:
        nonlocal taken
        found.take(
            Batch([line(taken + part, payload={"n": taken + part, "x": text}) for part in range(count)])
        )
        taken += count
        pass_over(found)

    with caplog.at_level(logging.WARNING, "ticktrace"):
        while not found.failing:
            go_on(20, "y" * 333)
        assert found.path is not None
        assert len(read(found.path)) == found.written + 1  # whole lines, and the first one
        assert found.path.stat().st_size % os.sysconf("SC_PAGE_SIZE")  # though the disk took less, or more
        first = found.written
        assert 100 < first < 64 * 1024 / 333
        for _ in range(20):
            clock.seconds += 1
            go_on(20, "y" * 333)  # and every five seconds it is tried again
        assert len(caplog.messages) == 1
        assert "No space left on device" in caplog.messages[0]
        (disk / "ballast").unlink()
        clock.seconds += 5
        go_on(20, "short")
        assert found.close(5)
    lost = found.dropped["write_failed"]
    assert found.written + lost == taken
    assert sum(count for _, count in told) == lost
    assert [reason for reason, _ in told] == ["write_failed"] * len(told)
    assert len(caplog.messages) == 2
    assert f"can be written again; lines lost meanwhile: {lost}" in caplog.messages[1]
    numbers = lines(disk / "diag")
    assert len(numbers) == found.written
    assert numbers == sorted(set(numbers))
    assert numbers[:first] == list(range(first))
    assert numbers[-20:] == list(range(taken - 20, taken))
    assert len(files(disk / "diag")) == 1  # the same as before


def test_closing_on_a_full_disk_says_what_is_lost(disk: Path) -> None:
    fill(disk / "ballast", 0)
    found = journal(disk / "diag")
    for number in range(50):
        found.take(line(number))
    assert found.close(5) is False
    assert found.dropped == {"write_failed": 50}
    assert found.written == 0
    assert files(disk) == ["ballast"] or files(disk / "diag") == []


def test_closing_tries_once_more(disk: Path) -> None:
    found = journal(disk / "diag")
    fill(disk / "ballast", 0)
    found.take(line(1))
    pass_over(found)
    assert found.failing
    (disk / "ballast").unlink()
    found.take(line(2))
    assert found.close(5) is True
    assert lines(disk / "diag") == [2]


def test_compressing_on_a_full_disk_leaves_the_file_as_it_was(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = os.urandom(100_000)
    (disk / "diag_old_1.jsonl").write_bytes(data)
    fill(disk / "ballast", 20_000)
    clock = ManualClock()
    found = journal(disk, clock=clock, compression="gzip")
    with caplog.at_level(logging.WARNING, "ticktrace"):
        for _ in range(20):
            pass_over(found)
            clock.seconds += 60
    assert files(disk) == ["ballast", "diag_old_1.jsonl"]
    assert (disk / "diag_old_1.jsonl").read_bytes() == data
    assert len(caplog.messages) == 1
    (disk / "ballast").unlink()
    for _ in range(20):
        pass_over(found)
        clock.seconds += 60
    assert files(disk) == ["diag_old_1.jsonl.gz"]
    assert gzip.decompress((disk / "diag_old_1.jsonl.gz").read_bytes()) == data
    assert found.close(5)


def test_room_is_made_by_removing_the_oldest(disk: Path) -> None:
    """A limit below the disk's size keeps it from ever being full."""
    clock = ManualClock()
    found = journal(disk, clock=clock, wall=clock.wall, rotate_bytes=20_000, keep_bytes=100_000)
    for number in range(20_000):
        found.take(line(number))
        if number % 100 == 0:
            clock.seconds += 60
            pass_over(found)
    assert found.close(5)
    assert found.dropped == {}
    assert sum(path.stat().st_size for path in disk.iterdir()) < 150_000
    numbers = lines(disk)
    assert numbers == list(range(numbers[0], 20_000))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_file_that_may_not_grow_any_more_is_followed_by_another(tmp_path: Path) -> None:
    clock = ManualClock()
    found = journal(tmp_path, clock=clock, wall=clock.wall)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        for number in range(30):
            found.take(Batch([line(number * 10 + part) for part in range(10)]))
            pass_over(found)
            clock.seconds += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.close(5)
    assert found.dropped["write_failed"] + found.written == 300
    assert 0 < found.dropped["write_failed"] < 150
    assert len(files(tmp_path)) > 1
    assert len(lines(tmp_path)) == found.written


def test_half_a_line_that_cannot_be_taken_back_is_a_line_of_its_own(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No disk can be had that refuses to cut a file, so here the system call is kept from it."""

    def refuse(*_: Any) -> None:
        raise PermissionError("no")

    clock = ManualClock()
    found = journal(disk / "diag", clock=clock, wall=clock.wall)
    found.take(line(1))
    pass_over(found)
    fill(disk / "ballast", 4_096)
    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", refuse)
        found.take(Batch([line(2, payload={"n": 2, "x": "y" * 10_000})]))
        pass_over(found)
    assert found.failing
    assert found.path is not None
    assert not found.path.read_bytes().endswith(b"\n")
    (disk / "ballast").unlink()
    clock.seconds += 5
    found.take(line(3))
    found.take(line(4))
    assert found.close(5)
    texts = found.path.read_text().splitlines()
    assert len(texts) == 5
    assert texts[2].startswith('{"ts":2,')
    assert not texts[2].endswith("}")
    (disk / "diag" / "mended").write_text("\n".join([*texts[:2], *texts[3:], ""]))
    assert [each.get("payload", {}).get("n") for each in read(disk / "diag" / "mended")[1:]] == [1, 3, 4]

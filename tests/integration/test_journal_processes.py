"""Journals of processes that are killed, fork, and write side by side."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from support.journals import files, journal, pass_over, read
from support.programs import run_program, start_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is neither kill -9 nor fork")


def tidy(directory: Path, **settings: Any) -> None:
    """What the next process does about what others have left."""
    found = journal(directory, keep_files=10_000, **settings)
    for _ in range(200):
        pass_over(found)
    assert found.close(5)


def mend(directory: Path) -> None:
    """Cut off the last line where it is not whole, as a reader would; no other line may be."""
    for path in directory.glob("*.jsonl"):
        data = path.read_bytes()
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def numbers(directory: Path) -> dict[int, list[int]]:
    """The lines of each process, in the order of its files."""
    found: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for path in directory.iterdir():
        head, *rest = read(path)
        found[head["payload"]["pid"]].append((head["ts"], [each["payload"]["n"] for each in rest]))
    return {pid: [number for _, lines in sorted(parts) for number in lines] for pid, parts in found.items()}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_killed_process_has_written_all_that_passes_were_over(tmp_path: Path, compression: str) -> None:
    """Rotating all the time, so that it is killed in the middle of that, too."""
    directory = tmp_path / "diag"
    settings = {"rotate_bytes": 20_000, "compression": compression, "keep_files": 10_000}
    for turn in range(4):
        process = start_program("journal_writer.py", directory, 0, 0, json.dumps(settings))
        assert process.stdout is not None
        passes = [int(process.stdout.readline()) for _ in range(12 + 7 * turn)]
        process.kill()
        rest, errors = process.communicate(timeout=20)
        assert errors == ""
        passes += [int(text) for text in rest.split("\n")[:-1]]
        mend(directory)
        tidy(directory, compression=compression)
        left = files(directory)
        assert all(name.endswith(".jsonl.gz" if compression == "gzip" else ".jsonl") for name in left)
        written = numbers(directory)[process.pid]
        assert written == list(range(len(written)))  # nothing twice, nothing left out
        assert len(written) >= passes[-1] > 0
        assert len(left) > 1


def test_processes_side_by_side_have_files_of_their_own(tmp_path: Path) -> None:
    directory = tmp_path / "diag"
    settings = json.dumps({"rotate_bytes": 30_000, "keep_files": 10_000, "compression": "gzip"})
    running = [
        start_program("journal_writer.py", directory, 100_000 * number, 4_000, settings)
        for number in range(4)
    ]
    for process in running:
        _, errors = process.communicate(timeout=50)
        assert (process.returncode, errors) == (0, "")
    tidy(directory, compression="gzip")
    assert all(name.endswith(".jsonl.gz") for name in files(directory))
    found = numbers(directory)
    assert found == {
        process.pid: list(range(100_000 * number, 100_000 * number + 4_000))
        for number, process in enumerate(running)
    }


def test_processes_side_by_side_do_not_remove_what_another_writes(tmp_path: Path) -> None:
    directory = tmp_path / "diag"
    settings = json.dumps({"keep_files": 1})
    running = [
        start_program("journal_writer.py", directory, 100_000 * number, 1_000, settings)
        for number in range(3)
    ]
    for process in running:
        _, errors = process.communicate(timeout=50)
        assert (process.returncode, errors) == (0, "")
    # Whoever ended last has been over the directory, or not; but no file has gone before it was complete.
    for lines in numbers(directory).values():
        assert len(lines) == 1_000


def test_parent_and_children_write_their_own(tmp_path: Path) -> None:
    directory = tmp_path / "diag"
    done = run_program("journal_forking.py", directory, PYTHONWARNINGS="ignore")  # of forking with threads
    tidy(directory, compression="gzip")
    found = numbers(directory)
    parent = found.pop(int(done.stdout))
    assert parent == list(range(len(parent)))
    assert len(parent) > 500
    expected = [
        list(range(start, start + 500))
        for index in range(1, 11)
        for start in (1_000_000 + 1_000 * index, 2_000_000 + 1_000 * index)
    ]
    assert sorted(found.values()) == sorted(expected)
    for path in directory.iterdir():
        head, *rest = read(path)
        assert head["payload"]["session"] == "family" or not rest
        assert {each["payload"]["pid"] for each in rest} <= {head["payload"]["pid"]}
    assert os.getpid() not in found

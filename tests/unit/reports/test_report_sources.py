"""Which files are read, in which order, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.journal_script import Script
from ticktrace.reports.sources import NoSuchFile, find, look_at

if TYPE_CHECKING:
    from pathlib import Path


def names(paths: list[str]) -> list[str]:
    return [path.rpartition("/")[2] for path in paths]


def test_directories_patterns_and_files_each_once(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "notes.txt", "a.json"):
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.jsonl").write_bytes(b"{}")
    assert names(find([str(tmp_path)])) == ["a.jsonl.gz", "b.jsonl"]
    assert names(find([f"{tmp_path}/*.jsonl*", str(tmp_path), f"{tmp_path}/b.jsonl"])) == [
        "a.jsonl.gz",
        "b.jsonl",
    ]
    assert names(find([f"{tmp_path}/**/*.jsonl"])) == ["b.jsonl", "c.jsonl"]
    assert names(find([f"{tmp_path}/notes.txt"])) == ["notes.txt"]


def test_a_file_that_is_being_packed_is_read_once(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.gz"):
        (tmp_path / name).write_bytes(b"{}")
    assert names(find([str(tmp_path)])) == ["a.jsonl"]


@pytest.mark.parametrize("path", ["gone.jsonl", "gone/*.jsonl"])
def test_what_names_nothing_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(NoSuchFile, match=r"gone"):
        find([f"{tmp_path}/{path}"])


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "diag[1].jsonl").write_bytes(b"{}")
    assert names(find([f"{tmp_path}/diag[1].jsonl"])) == ["diag[1].jsonl"]


def test_files_of_a_process_stand_together_in_the_order_of_time(tmp_path: Path) -> None:
    starts = {"d": (1, 0), "a": (1, 600), "b": (2, 60), "c": (2, 900)}
    for name, (pid, later) in starts.items():
        script = Script(pid=pid, lag=later)
        script.write(tmp_path / f"{name}.jsonl")
    sources = look_at(find([str(tmp_path)]))
    assert names([source.path for source in sources]) == ["d.jsonl", "a.jsonl", "b.jsonl", "c.jsonl"]
    assert len({source.process for source in sources}) == 2


def test_without_a_first_line_each_file_is_a_process(tmp_path: Path) -> None:
    for name in ("a", "b"):
        script = Script(session=False)
        script.next()
        script.write(tmp_path / f"{name}.jsonl")
    assert len({source.process for source in look_at(find([str(tmp_path)]))}) == 2

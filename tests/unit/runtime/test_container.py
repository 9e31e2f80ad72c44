"""The memory limit of a container, as the kernel's files say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ticktrace.runtime.container import MemoryRoom, find_container

if TYPE_CHECKING:
    from pathlib import Path

HOST = 64_000


def group(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text + "\n")


def room(tmp_path: Path, membership: str) -> MemoryRoom | None:
    (tmp_path / "cgroup").write_text(membership)
    found = find_container(HOST, root=tmp_path / "fs", membership=tmp_path / "cgroup")
    return None if found is None else found.room()


def test_version_2_without_the_cache_that_can_go(tmp_path: Path) -> None:
    group(
        tmp_path / "fs",
        {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 150"},
    )
    assert room(tmp_path, "0::/\n") == MemoryRoom(550, 1000)


def test_the_tightest_of_the_groups_above_counts(tmp_path: Path) -> None:
    group(tmp_path / "fs", {"memory.max": "max"})
    group(tmp_path / "fs/pod", {"memory.max": "2000", "memory.current": "900"})
    group(tmp_path / "fs/pod/bot", {"memory.max": "5000", "memory.current": "10"})
    assert room(tmp_path, "0::/pod/bot\n") == MemoryRoom(900, 2000)


def test_version_1(tmp_path: Path) -> None:
    group(
        tmp_path / "fs/memory/docker/1",
        {
            "memory.limit_in_bytes": "3000",
            "memory.usage_in_bytes": "800",
            "memory.stat": "total_inactive_file 100",
        },
    )
    assert room(tmp_path, "12:cpu:/docker/1\n5:memory:/docker/1\n") == MemoryRoom(700, 3000)


@pytest.mark.parametrize("limit", ["max", "64000", "9223372036854771712", "", "nonsense"])
def test_without_a_limit_below_the_hosts_memory_there_is_none(tmp_path: Path, limit: str) -> None:
    group(tmp_path / "fs", {"memory.max": limit, "memory.current": "1"})
    assert room(tmp_path, "0::/\n") is None


@pytest.mark.parametrize("membership", ["", "nonsense", "0::/../../outside\n"])
def test_what_cannot_be_read_is_no_limit(tmp_path: Path, membership: str) -> None:
    assert room(tmp_path, membership) is None


def test_a_system_without_control_groups(tmp_path: Path) -> None:
    assert find_container(HOST, root=tmp_path, membership=tmp_path / "none") is None

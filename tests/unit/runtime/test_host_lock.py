"""One process of several tells of the host, and another takes over when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ticktrace.runtime import HostLock, lock_path

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, pathlib
from ticktrace.runtime import HostLock
lock = HostLock(pathlib.Path(sys.argv[1]))
print(lock.mine(), flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_another_takes_over_when_the_one_that_tells_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    with holder(path) as process:
        mine = HostLock(path)
        assert not mine.mine()
        assert not mine.mine()
        process.kill()
        process.wait(20)
        assert mine.mine()
        assert mine.mine()
    other = HostLock(path)
    assert not other.mine()
    mine.release()
    assert other.mine()
    assert not mine.mine()
    other.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_hold_its_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    lock = HostLock(path)
    assert lock.mine()
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover  another process
        os.write(ready[1], b"0" if lock.mine() else b"1")
        os.read(go[0], 1)
        os._exit(0 if lock.mine() else 1)
    assert os.read(ready[0], 1) == b"1"
    lock.release()  # the child has no copy of it left that would keep it
    os.write(go[1], b".")
    assert os.waitpid(child, 0)[1] == 0
    for end in (*ready, *go):
        os.close(end)
    assert lock.mine()
    lock.release()


def test_a_file_that_a_cleaner_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    lock, other = HostLock(path), HostLock(path)
    assert lock.mine()
    path.unlink()
    assert lock.mine()
    assert not other.mine()
    lock.release()
    other.release()


def test_where_no_file_can_be_every_process_tells_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "no such directory" / "host.lock"
    assert HostLock(path).mine()
    assert HostLock(path).mine()
    assert "cannot be locked" in caplog.text
    assert len(caplog.records) == 1


def test_a_link_that_somebody_left_there_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    target = tmp_path / "target"
    path.symlink_to(target)
    assert HostLock(path).mine()
    assert not target.exists()


def test_without_a_file_every_process_tells() -> None:
    assert HostLock(None).mine()
    assert HostLock(None).mine()


def test_processes_of_one_service_agree_on_a_file_and_others_do_not() -> None:
    assert lock_path(("", "bot", "live")) == lock_path(("", "bot", "live"))
    assert lock_path(("", "bot", "live")) != lock_path(("", "bot", "paper"))
    assert lock_path(("a", "b", "")) != lock_path(("ab", "", ""))

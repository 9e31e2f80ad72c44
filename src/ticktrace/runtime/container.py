"""The memory that a container may use: what the kernel allows this process's control group, not what the host has."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Container", "MemoryRoom", "find_container"]

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


class MemoryRoom(NamedTuple):
    """Memory that may be used.

    Attributes:
        used: bytes in use, without files that the kernel can let go of at once.
        limit: bytes in all.
    """

    used: int
    limit: int


class _Files(NamedTuple):
    """What a version of control groups calls the files."""

    limit: str
    used: str
    inactive: str


_V2 = _Files("memory.max", "memory.current", "inactive_file ")
_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")


class Container:
    """The control group whose limit is the tightest.

    Args:
        directory: of the group.
        files: how its files are called.
    """

    def __init__(self, directory: Path, files: _Files) -> None:
        self._limit = directory / files.limit
        self._used = directory / files.used
        self._stat = directory / "memory.stat"
        self._inactive = files.inactive

    def room(self) -> MemoryRoom | None:
        """How much is used of how much; None where there is no limit (any more).

        Raises:
            OSError: the kernel does not say.
        """
        limit = _number(self._limit)
        if limit is None:
            return None
        used = _number(self._used) or 0
        with suppress(OSError, ValueError):  # then the cache counts as used
            for line in self._stat.read_text(encoding="ascii").splitlines():
                if line.startswith(self._inactive):
                    used -= int(line.removeprefix(self._inactive))
        return MemoryRoom(max(0, used), limit)


def find_container(
    host_bytes: int, *, root: Path = _ROOT, membership: Path = _MEMBERSHIP
) -> Container | None:
    """The group of this process, or one above it, that limits memory the most; None where none does.

    Args:
        host_bytes: memory of the host; a limit beyond it is none.
        root: where control groups are mounted.
        membership: what names this process's.
    """
    found: Container | None = None
    lowest = host_bytes
    for directory, files in _groups(root, membership):
        with suppress(OSError, ValueError):
            limit = _number(directory / files.limit)
            if limit is not None and limit < lowest:
                lowest = limit
                found = Container(directory, files)
    return found


def _groups(root: Path, membership: Path) -> Iterator[tuple[Path, _Files]]:
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # no Linux
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        base, files = (root / "memory", _V1) if controllers else (root, _V2)
        directory = base / path.lstrip("/")
        while True:
            yield directory, files
            if directory == base or base not in directory.parents:
                break
            directory = directory.parent


def _number(path: Path) -> int | None:
    text = path.read_text(encoding="ascii").strip()
    return None if text == "max" else int(text)

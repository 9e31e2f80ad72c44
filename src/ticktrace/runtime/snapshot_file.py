"""Memory snapshots as files: ``memory_snapshot_<YYYYmmdd>_<HHMMSS>.json``, in UTC."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ticktrace.errors import SnapshotError
from ticktrace.runtime.memory_model import KIND, SCHEMA_VERSION, MemorySnapshot

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_snapshot", "store_snapshot"]

_NAME: Final = re.compile(r"memory_snapshot_\d{8}_\d{6}(-\d+)?\.json")
_MOST_NAMES: Final = 1_000
_LARGEST: Final = 64 * 1024 * 1024
_OPENING: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
)


def store_snapshot(snapshot: MemorySnapshot, directory: Path, keep: int) -> Path:
    """Write a snapshot as a new file, whole or not at all, and remove the oldest beyond `keep`.

    Raises:
        OSError: it cannot be written; the disk is full, say.
    """
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f".memory_snapshot_{os.getpid()}.part"
    with suppress(FileNotFoundError):  # left by a process of the same id that was killed
        part.unlink()
    try:
        descriptor = os.open(part, _OPENING, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(snapshot), indent=1))
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        path = _named(part, directory, snapshot.unix)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _remove_oldest(directory, keep)
    return path


def _named(part: Path, directory: Path, unix: float) -> Path:
    """Give the file a name that nobody has; another process may write snapshots there, too."""
    stem = f"memory_snapshot_{datetime.fromtimestamp(unix, UTC):%Y%m%d_%H%M%S}"
    for number in range(1, _MOST_NAMES + 1):
        path = directory / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            os.link(part, path)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            if path.exists():
                continue
            part.rename(path)
            return path
        part.unlink()
        return path
    raise FileExistsError(f"{_MOST_NAMES} names like {stem} are taken in {directory}")


def _remove_oldest(directory: Path, keep: int) -> None:
    with suppress(OSError):  # then there is one more
        ours = [entry for entry in directory.iterdir() if _NAME.fullmatch(entry.name)]
        ours.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name))
        for entry in ours[: max(0, len(ours) - keep)]:
            with suppress(OSError):
                entry.unlink()


def load_snapshot(path: Path) -> MemorySnapshot:
    """Read a snapshot.

    Raises:
        SnapshotError: there is none, or it is no memory snapshot, or one of a later version.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise SnapshotError(f"{path}: too large for a memory snapshot")
        data = path.read_bytes()
        head = msgspec.json.decode(data, type=_Head)
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{path}: no memory snapshot: {error}") from None
    if head.kind != KIND:
        raise SnapshotError(f'{path}: no memory snapshot of ticktrace: its kind is "{head.kind}"')
    if head.schema > SCHEMA_VERSION:
        raise SnapshotError(f"{path}: of version {head.schema}; this ticktrace knows {SCHEMA_VERSION}")
    try:
        return msgspec.json.decode(data, type=MemorySnapshot)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"{path}: {error}") from None


class _Head(msgspec.Struct):
    kind: str = ""
    schema: int = 0

"""The actions that ticktrace brings along: garbage, caches, log files and snapshots."""

from __future__ import annotations

import gc
import logging
import os
import stat
import sys
import time
from contextlib import suppress
from fnmatch import fnmatch
from logging.handlers import BaseRotatingHandler, RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ticktrace.runtime.caches import Cache
    from ticktrace.settings import PruneSettings

__all__ = [
    "clear_caches",
    "collect_garbage",
    "collecting_pauses",
    "prune_logs",
    "rotate_logs",
    "rotating_pauses",
]

_COLLECTED_AT: Final = 5e-8  # seconds a block of memory; 45 to 140 ms were measured on heaps of 2.8 million
_RENAME_SECONDS: Final = 0.0001
_MOST_FILES: Final = 10_000
_WRITTEN_LATELY: Final = 60.0
_AT_ONCE: Final = 32
_REST_SECONDS: Final = 0.0002


def collecting_pauses() -> float:
    """For how long a full collection stops all threads, about, seconds: it is one call that holds the GIL."""
    return sys.getallocatedblocks() * _COLLECTED_AT


def collect_garbage() -> str:
    """Collect garbage of all generations."""
    began = time.perf_counter()
    found = gc.collect()
    return (
        f"{found:,} unreachable objects; stopped all threads for {1e3 * (time.perf_counter() - began):.1f} ms"
    )


def clear_caches(caches: Sequence[Cache], *, allow_pauses: bool) -> str:
    """Clear them one after the other; one that cannot be cleared does not keep the others from it.

    Args:
        caches: the registered ones.
        allow_pauses: whether those may be cleared that stop the trading thread by that.
    """
    said = []
    for cache in caches:
        try:
            pause = cache.pause()
            if pause > 0 and not allow_pauses:
                said.append(
                    f"left {cache.name}, which would stop the trading thread for {1e3 * pause:.1f} ms"
                )
            else:
                said.append(cache.clear())
        except Exception as error:  # noqa: BLE001  the application's cache
            report("resources.cache", error)
            said.append(f"{cache.name} failed: {type(error).__name__}")
    return "; ".join(said) or "no cache is registered"


def prune_logs(settings: PruneSettings) -> str:
    """Remove old log files.

    Only regular files that match, are not among the newest, and were not written within the last minute; no links.
    """
    removed = size = 0
    for pattern in settings.files:
        found = sorted(_matching(Path(pattern)), reverse=True)
        for written, path, length in found[settings.keep :]:
            if time.time() - written < _WRITTEN_LATELY:
                continue
            with suppress(OSError):  # somebody else was faster, or may and we may not
                Path(path).unlink()
                removed += 1
                size += length
            if removed % _AT_ONCE == 0:
                time.sleep(_REST_SECONDS)
    return f"removed {removed} files, {size / 1e6:,.1f} MB"


def _matching(pattern: Path) -> Iterator[tuple[float, str, int]]:
    """Last written, path and size of what matches."""
    try:
        with os.scandir(pattern.parent) as entries:
            for at, entry in enumerate(entries):
                if at >= _MOST_FILES:
                    return
                if at % _AT_ONCE == _AT_ONCE - 1:
                    time.sleep(_REST_SECONDS)
                if not fnmatch(entry.name, pattern.name):
                    continue
                with suppress(OSError):  # gone meanwhile
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield status.st_mtime, entry.path, status.st_size
    except OSError:  # there is no such directory
        return


def rotating_pauses() -> float:
    """For how long those who log have to wait, about, seconds: the handler holds its lock while it renames files."""
    return _RENAME_SECONDS * sum(1 + getattr(handler, "backupCount", 0) for handler in _rotating())


def rotate_logs() -> str:
    """Let the rotating handlers of `logging` begin new files, where theirs have something in them."""
    rotated = 0
    for handler in _rotating():
        handler.acquire()
        try:
            if handler.stream is not None and handler.stream.tell() > 0:
                handler.doRollover()
                rotated += 1
        finally:
            handler.release()
    return f"rotated {rotated} files"


def _rotating() -> list[RotatingFileHandler | TimedRotatingFileHandler]:
    """The handlers of all loggers that can rotate, each once."""
    loggers: list[object] = [logging.getLogger(), *list(logging.getLogger().manager.loggerDict.values())]
    found: dict[int, RotatingFileHandler | TimedRotatingFileHandler] = {}
    for logger in loggers:
        if isinstance(logger, logging.Logger):  # else a placeholder
            for handler in logger.handlers:
                if isinstance(handler, BaseRotatingHandler) and isinstance(
                    handler, (RotatingFileHandler, TimedRotatingFileHandler)
                ):
                    found[id(handler)] = handler
    return list(found.values())

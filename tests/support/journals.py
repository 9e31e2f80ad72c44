"""Journals by themselves: what writes one, what goes in, and what came out."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from ticktrace.diagnostics import Journal, Line, Writing
from ticktrace.settings.diagnostics import JournalSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "Batch",
    "ManualClock",
    "files",
    "journal",
    "line",
    "lines",
    "pass_over",
    "read",
    "read_all",
]

_BEGAN = 1_755_640_800
_OPTIONS = ("wall", "clock", "scrubber", "on_dropped", "make_room", "retry_seconds")


class ManualClock:
    """A clock that only goes on when it is told to.

    Attributes:
        seconds: since it was made.
    """

    def __init__(self) -> None:
        self.seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> int:
        """The wall clock that goes with it, Unix nanoseconds."""
        return round((_BEGAN + self.seconds) * 1e9)


class Batch:
    """An entry of several lines; an exception among them is raised when its turn comes."""

    def __init__(self, items: Iterable[Line | Exception]) -> None:
        self._items = items

    def lines(self) -> Iterator[Line]:
        """The lines."""
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield item


def journal(directory: Path, **given: Any) -> Journal:
    """A journal in a directory.

    Args:
        directory: where.
        given: settings of the journal, and arguments of `Journal`.
    """
    options = {name: given.pop(name) for name in _OPTIONS if name in given}
    settings = JournalSettings(directory=directory, **given)
    return Journal(settings, Writing("bot", "1.2.3", "deferred", "live"), **options)


def line(number: int, **fields: Any) -> Line:
    """A line that can be told from others by its number."""
    return Line(
        **{
            "ts": number,
            "component": "test",
            "stage": "filter",
            "payload": {"n": number},
            **fields,
        }
    )


def pass_over(found: Journal) -> int:
    """What the drain does in one pass; in how many pieces."""
    return sum(1 for _ in found.steps())


def files(directory: Path) -> list[str]:
    """The names of what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of a file; each is whole."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(text) for text in data.splitlines()]


def read_all(directory: Path) -> list[dict[str, Any]]:
    """The lines of all files, one file after the other, without the first ones."""
    found = [(path, read(path)) for path in directory.iterdir()]
    found.sort(key=lambda each: (each[1][0]["ts"], each[0].stat().st_mtime_ns, each[0].name))
    return [each for _, content in found for each in content if each["stage"] != "session"]


def lines(directory: Path) -> list[int]:
    """The numbers of the lines of all files."""
    return [each["payload"]["n"] for each in read_all(directory)]

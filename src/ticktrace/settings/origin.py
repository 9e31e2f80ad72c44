"""Where a value came from, and how a place in a source is written in messages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .leaves import Leaf

__all__ = [
    "Document",
    "Entry",
    "Location",
    "Origin",
    "Problem",
    "Reading",
    "dotted",
    "mask_url",
    "show_value",
]

Location = tuple[str | int, ...]

_SOURCES = ("argument", "environment", "file", "default")
_USER_INFO = re.compile(r"(?<=://)[^@/\s]+(?=@)")
_LONGEST_SHOWN = 80


def dotted(location: Location) -> str:
    """Write a location as `exporters.metrics[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def mask_url(text: str) -> str:
    """Hide user and password in URLs."""
    return _USER_INFO.sub("***", text)


def show_value(value: Any) -> str:
    """Write a value for a message: as JSON, on one line, shortened, without passwords in URLs."""
    text = mask_url(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value in force came from.

    Attributes:
        source: the layer.
        name: the environment variable, or the setting as the argument or the file spells it.
        file: the file's path as it was given.
        line: the line in the file, from 1.
    """

    source: Literal["argument", "environment", "file", "default"]
    name: str = ""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.source == "file":
            return f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{self.source} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Document:
    """What one source says, as plain data, with the line of every place in it.

    Attributes:
        data: nested mappings, lists and scalars.
        lines: location -> line, from 1; empty for arguments.
        raw: the text before `${VAR}` was replaced, where it was; shown in messages so that no secret is.
        unresolved: places whose `${VAR}` is not set; reported already.
        file: the path as it was given.
    """

    data: Mapping[str, Any]
    lines: Mapping[Location, int] = field(default_factory=dict)
    raw: Mapping[Location, str] = field(default_factory=dict)
    unresolved: frozenset[Location] = frozenset()
    file: Path | None = None

    def line(self, location: Location) -> int | None:
        """Return the line of the nearest place at or above `location`."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None

    def origin(self, location: Location) -> Origin:
        """Return the origin of the value at `location`."""
        if self.file is None:
            return Origin("argument", dotted(location))
        return Origin("file", dotted(location), str(self.file), self.line(location))

    def problem(self, location: Location, message: str, *, value: Any = None) -> Problem:
        """Return the problem at `location`; `value` is what was found, where that helps."""
        origin = self.origin(location)
        if value is not None:
            message += f", not {show_value(self.raw.get(location, value))}"
        if origin.source == "argument":
            return Problem((0, 0, 0), f"{origin}: {message}")
        at = f"{origin}: {dotted(location)}" if location else str(origin)
        return Problem((2, origin.line or 0, 0), f"{at}: {message}")

    def is_unresolved(self, location: Location) -> bool:
        """Whether an unset `${VAR}` at or above `location` was reported already."""
        return any(location[:length] in self.unresolved for length in range(len(location) + 1))


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: the whole line for the user, and where it sorts."""

    order: tuple[int, int, int]
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One value that one source gives to one setting, not yet checked.

    Attributes:
        leaf: the setting.
        key: of a mapping, the key.
        value: what the source says.
        origin: where it says so.
        location: the place in `document`.
        document: the arguments or the file; None for the environment.
        text: the environment variable's text.
        allowed: what is allowed there, if not in the rule's words.
        order: where a problem with it sorts.
    """

    leaf: Leaf
    key: str | None
    value: Any
    origin: Origin
    location: Location = ()
    document: Document | None = None
    text: str = ""
    allowed: str | None = None
    order: int = 0

    @property
    def target(self) -> tuple[str, ...]:
        """The path of what it sets, the key included."""
        return self.leaf.path if self.key is None else (*self.leaf.path, self.key)

    def problem(self, inner: Location, message: str, *, value: Any = None) -> Problem | None:
        """Return the problem at `inner` below this entry's place; None when it was reported already."""
        if self.document is not None:
            location = (*self.location, *inner)
            if self.document.is_unresolved(location):
                return None
            return self.document.problem(location, message, value=None if self.leaf.is_secret else value)
        if self.allowed is not None and message.startswith("must be "):
            message = f"must be {self.allowed}"
        shown = "" if self.leaf.is_secret else f"={show_value(self.text)}"
        key = "" if self.key is None else f'key "{self.key}": '
        return Problem((1, self.order, 0), f"environment {self.origin.name}{shown}: {key}{message}")


@dataclass(slots=True)
class Reading:
    """What reading one source gave."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
